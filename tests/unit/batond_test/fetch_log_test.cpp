#include "programs/batond/netboot_door.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace baton::controller {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;

std::string told(const FetchLog& log, const std::string& address, FetchLog::Clock::time_point now) {
    std::string text;
    for (const auto& fetch : log.of(address, now))
        text += fmt::format("{} {} ", fetch.file, fetch.at.count());
    return text;
}

const FetchLog::Clock::time_point start{std::chrono::hours(5)};

TEST(FetchLog, TellsWhatOnePcHasFetchedSinceItsScript) {
    FetchLog log;
    log.saw("10.98.0.101", "boot.ipxe", start);
    log.saw("10.98.0.101", "kernel", start + milliseconds(30));
    log.saw("10.98.0.102", "boot.ipxe", start + milliseconds(35));
    log.saw("10.98.0.101", "root.squashfs", start + milliseconds(4000));
    EXPECT_EQ(told(log, "10.98.0.101", start + milliseconds(9000)),
              "boot.ipxe 0 kernel 30 root.squashfs 4000 up 9000 ");
    EXPECT_EQ(told(log, "10.98.0.103", start), "");
}

TEST(FetchLog, TheScriptBeginsAnew) {
    FetchLog log;
    log.saw("a", "boot.ipxe", start);
    log.saw("a", "kernel", start + milliseconds(30));
    log.saw("a", "boot.ipxe", start + minutes(2));
    EXPECT_EQ(told(log, "a", start + minutes(2) + milliseconds(10)), "boot.ipxe 0 up 10 ");
}

TEST(FetchLog, AStartOfLongAgoIsNotThisOne) {
    FetchLog log;
    log.saw("a", "boot.ipxe", start);
    EXPECT_EQ(told(log, "a", start + minutes(61)), "");
    log.saw("a", "root.squashfs", start + minutes(62)); // its script came by TFTP
    EXPECT_EQ(told(log, "a", start + minutes(62)), "root.squashfs 0 up 0 ");
}

TEST(FetchLog, IsBounded) {
    FetchLog log;
    for (std::size_t i = 0; i < FetchLog::most_addresses + 10; ++i)
        log.saw(fmt::format("a{}", i), "boot.ipxe", start + milliseconds(i));
    EXPECT_EQ(told(log, "a0", start), "");
    EXPECT_NE(told(log, fmt::format("a{}", FetchLog::most_addresses), start + minutes(1)), "");
    for (int i = 0; i < 100; ++i)
        log.saw("b", fmt::format("f{}", i), start);
    EXPECT_EQ(log.of("b", start).size(), FetchLog::most_files + 1);
}

} // namespace
} // namespace baton::controller
