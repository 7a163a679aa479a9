#include "screenrelay/tickets.h"
#include "support/temporary_directory.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>

namespace baton::screenrelay {

namespace fs = std::filesystem;
using namespace std::string_literals;

namespace {

const Ticket sample{"/var/lib/baton-host/vm/sc/d-1", "0123456789abcdef0123456789abcdef"};

unsigned mode_of(const std::string& path) {
    struct stat status{};
    return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 0777U : 0;
}

} // namespace

TEST(ScreenTickets, AreReadAsTheyWereWritten) {
    const testing::TemporaryDirectory folder;
    const Tickets tickets(folder.file("screens"));
    EXPECT_TRUE(tickets.desktops()->empty()) << "no folder is no tickets";
    EXPECT_EQ(tickets.read(DesktopId("d-1")).error().code, Errc::not_found);
    EXPECT_TRUE(tickets.remove(DesktopId("d-1")));
    const auto written = tickets.write(DesktopId("d-1"), sample);
    ASSERT_TRUE(written) << written.error().message();
    EXPECT_EQ(tickets.read(DesktopId("d-1")), sample);
    EXPECT_EQ(mode_of(tickets.folder()), 0700U);
    EXPECT_EQ(mode_of(tickets.folder() + "/d-1"), 0600U);
    const Ticket other{"/elsewhere", std::string(32, 'f')};
    ASSERT_TRUE(tickets.write(DesktopId("d-1"), other));
    ASSERT_TRUE(tickets.write(DesktopId("d-2"), sample));
    EXPECT_EQ(tickets.read(DesktopId("d-1")), other);
    auto desktops = tickets.desktops().value();
    std::ranges::sort(desktops);
    EXPECT_EQ(desktops, (std::vector{DesktopId("d-1"), DesktopId("d-2")}));
    ASSERT_TRUE(tickets.remove(DesktopId("d-1")));
    EXPECT_EQ(tickets.read(DesktopId("d-1")).error().code, Errc::not_found);
}

TEST(ScreenTickets, WhatIsNoneIsNeitherWrittenNorRead) {
    const testing::TemporaryDirectory folder;
    const Tickets tickets(folder.file("screens"));
    const DesktopId desktop("d-1");
    for (const char* id : {"", "../d-1", "a/b", "d.1", "D"}) {
        EXPECT_EQ(tickets.write(DesktopId(id), sample).error().code, Errc::invalid_argument) << id;
        EXPECT_EQ(tickets.read(DesktopId(id)).error().code, Errc::invalid_argument) << id;
        EXPECT_EQ(tickets.remove(DesktopId(id)).error().code, Errc::invalid_argument) << id;
    }
    EXPECT_FALSE(tickets.write(desktop, {sample.socket, "secret"}));
    EXPECT_FALSE(tickets.write(desktop, {"relative", sample.word}));
    EXPECT_FALSE(tickets.write(desktop, {"/" + std::string(1024, 'x'), sample.word}));
    EXPECT_FALSE(fs::exists(folder.file("screens/d-1")));
    ASSERT_TRUE(tickets.write(desktop, sample));
    for (const std::string& text :
         {std::string(), std::string("{}"), std::string("["), std::string(5000, ' ') + "{}",
          R"({"version":2,"socket":"/s","ticket":"0123456789abcdef0123456789abcdef"})"s,
          R"({"version":1,"socket":"s","ticket":"0123456789abcdef0123456789abcdef"})"s,
          R"({"version":1,"socket":"/s\n","ticket":"0123456789abcdef0123456789abcdef"})"s,
          R"({"version":1,"socket":"/s","ticket":"0123456789ABCDEF0123456789abcdef"})"s,
          R"({"version":1,"socket":"/s","ticket":1})"s}) {
        std::ofstream(folder.file("screens/d-1")) << text;
        const auto read = tickets.read(desktop);
        ASSERT_FALSE(read) << text;
        EXPECT_EQ(read.error().code, Errc::invalid_argument) << text;
        EXPECT_EQ(read.error().message().find("0123456789"), std::string::npos)
            << "a secret is not quoted";
    }
}

TEST(ScreenTickets, WhatAWriterLeftHalfMadeIsNoTicketAndIsRemoved) {
    const testing::TemporaryDirectory folder;
    const Tickets tickets(folder.file("screens"));
    ASSERT_TRUE(tickets.write(DesktopId("d-1"), sample));
    std::ofstream(folder.file("screens/d-2.0a1b2c.new")) << "{";
    EXPECT_EQ(tickets.desktops()->size(), 1U);
    tickets.remove_unfinished();
    EXPECT_FALSE(fs::exists(folder.file("screens/d-2.0a1b2c.new")));
    EXPECT_EQ(tickets.read(DesktopId("d-1")), sample);
}

TEST(ScreenTickets, WordsMatchOnlyThemselves) {
    EXPECT_TRUE(same_word(sample.word, sample.word));
    EXPECT_FALSE(same_word("", ""));
    EXPECT_FALSE(same_word(std::string(32, 'x'), std::string(32, 'x'))) << "no ticket at all";
    rc::check("one other digit is another word", [] {
        std::string other = sample.word;
        const auto at = *rc::gen::inRange<std::size_t>(0, other.size());
        other[at] = other[at] == 'e' ? 'd' : 'e';
        RC_ASSERT(same_word(sample.word, other) == (other == sample.word));
    });
}

TEST(ScreenTickets, TextAndValueAreTheSame) {
    rc::check("what is written is read", [] {
        const Ticket ticket{
            "/" + *rc::gen::container<std::string>(rc::gen::inRange<char>(' ', '\x7f')),
            *rc::gen::container<std::string>(32, rc::gen::element('0', '9', 'a', 'f'))};
        RC_ASSERT(parse_ticket(to_text(ticket)) == ticket);
    });
}

} // namespace baton::screenrelay
