/// Who may not come in, who misbehaves, and who must not be harmed by it.
#include "fake_screen.h"
#include "peer.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <list>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

namespace baton::gateway {
namespace {

using namespace std::chrono_literals;
using Manner = FakeScreen::Manner;

Limits short_waits() {
    Limits limits;
    limits.strangers = 100;
    limits.handshake_time = 2s;
    limits.screen_time = 2s;
    limits.refusal_pause = 50ms;
    return limits;
}

class GatewayFaults : public ::testing::Test {
  protected:
    explicit GatewayFaults(const Limits& limits = short_waits()) : site(limits) {
        site.director().add_user("kim", "s3cret-7", grant_for("s-1", place));
    }

    Onlooker come(const std::string& password = "s3cret-7") {
        return {site.trusted(), site.gateway().vnc_port(), "kim", password};
    }

    std::string refusal(const std::string& password = "s3cret-7") {
        try {
            come(password);
        } catch (const std::runtime_error& error) {
            return error.what();
        }
        return "(came in)";
    }

    static bool sees(Onlooker& onlooker, std::uint32_t colour) {
        return onlooker.look_until([&] { return onlooker.picture().at(0, 0) == colour; });
    }

    testing::TemporaryDirectory folder;
    Screen place = screen_at("d-1", folder.file("screen"));
    FakeScreen screen{folder.file("screen"), red};
    Site site;
};

TEST_F(GatewayFaults, WhoMayNotComeInIsToldWhy) {
    EXPECT_NE(refusal("guess").find("the name or the password is wrong"), std::string::npos);
    site.director().answer_all(Error{Errc::unavailable, "no link", "", 0});
    EXPECT_NE(refusal().find("the controller cannot be reached; try again"), std::string::npos);
    site.director().answer_all(Error{Errc::busy, "too many wrong passwords", "wait 30 seconds", 0});
    EXPECT_NE(refusal().find("wait 30 seconds"), std::string::npos);
    site.director().answer_all(std::nullopt);
    Onlooker kim = come();
    EXPECT_TRUE(sees(kim, red));
}

TEST_F(GatewayFaults, AScreenThatCannotBeHadIsToldToo) {
    site.director().add_user("kim", "s3cret-7",
                             grant_for("s-1", screen_at("d-2", folder.file("nowhere"))));
    EXPECT_NE(refusal().find("the desktop's screen cannot be reached"), std::string::npos);
}

TEST_F(GatewayFaults, DrainingTurnsNewcomersAwayAndKeepsTheOthers) {
    Onlooker kim = come();
    ASSERT_TRUE(sees(kim, red));
    site.gateway().drain(true);
    EXPECT_NE(refusal().find("being taken out of service"), std::string::npos);
    screen.paint(green);
    EXPECT_TRUE(sees(kim, green));
    site.gateway().drain(false);
    Onlooker again = come();
    EXPECT_TRUE(sees(again, green));
}

TEST_F(GatewayFaults, WhoLeavesWhileTheDesktopStartsIsForgotten) {
    site.director().hold();
    {
        Line line(site.gateway().vnc_port());
        std::string in;
        const auto want = [&](std::size_t bytes) {
            while (in.size() < bytes)
                ASSERT_TRUE(line.receive(in));
            in.erase(0, bytes);
        };
        want(12);
        line.send("RFB 003.008\n");
        want(2);
        line.send("\x13"); // VeNCrypt
        want(2);
        line.send(std::string_view("\0\2", 2));
        want(6);
        line.send(std::string_view("\0\0\1\6", 4)); // X509Plain
        want(1);
        line.start_tls(site.trusted());
        line.send(std::string_view("\0\0\0\3\0\0\0\10kims3cret-7", 19));
        ASSERT_TRUE(site.director().wait_until_asked(1));
    }
    site.director().release();
    Onlooker kim = come();
    EXPECT_TRUE(sees(kim, red));
    EXPECT_EQ(site.director().news().size(), 1U) << "the first one never came in";
}

TEST_F(GatewayFaults, GarbageEndsItsOwnConnection) {
    Onlooker kim = come();
    ASSERT_TRUE(sees(kim, red));
    for (const std::string_view garbage :
         {std::string_view("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), std::string_view("RFB 009.008\n"),
          std::string_view("RFB 003.008\n\7"),
          std::string_view("RFB 003.008\n\x13\0\2\0\0\0\1", 19),
          std::string_view("RFB 003.008\n\x13\0\2\0\0\1\6\x16\3\1", 22)}) {
        Line line(site.gateway().vnc_port());
        line.send(garbage);
        EXPECT_EQ(line.receive_rest().substr(0, 12), "RFB 003.008\n");
    }
    Line old(site.gateway().vnc_port());
    old.send("RFB 003.003\n");
    EXPECT_NE(old.receive_rest().find("cannot log in safely"), std::string::npos);
    Line random(site.gateway().web_port());
    random.send("RFB 003.008\n");
    random.receive_rest();

    Onlooker bad = come();
    ASSERT_TRUE(sees(bad, red));
    bad.send("\x63garbage");
    EXPECT_FALSE(bad.look_until([] { return false; }));
    ASSERT_TRUE(site.director().wait_for_news<ViewerWent>(1));
    screen.paint(green);
    EXPECT_TRUE(sees(kim, green));
}

TEST_F(GatewayFaults, ViewOnlyHearsAndSaysNothing) {
    site.director().add_user("kim", "s3cret-7", grant_for("s-1", place, Access::view_only));
    Onlooker kim = come();
    ASSERT_TRUE(sees(kim, red));
    std::string input;
    write(input, rfb::KeyEvent{true, 'a'});
    write(input, rfb::QemuKey{true, 'a', 30});
    write(input, rfb::PointerEvent{1, 5, 5});
    input += std::string_view("\6\0\0\0\0\0\0\5hello", 13); // a clipboard
    input += std::string_view("\xFB\0\1\0\1\0\1\0\0\0\0\0\0\0\0\0\1\0\1\0\0\0\0\0", 24); // a size
    kim.send(input);
    screen.paint(green);
    EXPECT_TRUE(sees(kim, green)) << "what comes behind it is heard";
    EXPECT_EQ(screen.heard<rfb::KeyEvent>() + screen.heard<rfb::QemuKey>() +
                  screen.heard<rfb::PointerEvent>() + screen.heard<rfb::ClientCutText>() +
                  screen.heard<rfb::SetDesktopSize>(),
              0);
    site.director().add_user("lee", "s3cret-8", grant_for("s-1", place));
    Onlooker lee(site.trusted(), site.gateway().vnc_port(), "lee", "s3cret-8");
    lee.send(input);
    EXPECT_TRUE(eventually([&] { return screen.heard<rfb::PointerEvent>() > 0; }));
}

TEST_F(GatewayFaults, ASlowViewerHoldsBackOnlyItself) {
    const FakeScreen flood(folder.file("flood"), red, Manner::floods);
    const Screen flooding = screen_at("d-flood", folder.file("flood"));
    site.director().add_user("slow", "s3cret-9", grant_for("s-3", flooding));
    site.director().add_user("lee", "s3cret-8", grant_for("s-3", flooding));
    const Onlooker slow(site.trusted(), site.gateway().vnc_port(), "slow", "s3cret-9");
    // nobody reads: what the gateway takes for it comes to an end
    std::size_t before = 0;
    ASSERT_TRUE(eventually([&] {
        const std::size_t now = flood.sent_on_first();
        std::this_thread::sleep_for(200ms);
        return now > 0 && now == flood.sent_on_first();
    }));
    before = flood.sent_on_first();
    Onlooker lee(site.trusted(), site.gateway().vnc_port(), "lee", "s3cret-8");
    int looked = 0;
    EXPECT_TRUE(lee.look_until([&] { return ++looked > 200; }));
    EXPECT_EQ(flood.sent_on_first(), before);
    Onlooker kim = come();
    EXPECT_TRUE(sees(kim, red));
}

TEST_F(GatewayFaults, HalfOpenConnectionsHarmNobodyWhoIsIn) {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 12'000);
    ::setrlimit(RLIMIT_NOFILE, &limit);
    Onlooker kim = come();
    ASSERT_TRUE(sees(kim, red));
    std::list<process::Descriptor> flood;
    const auto each = std::min<rlim_t>(5'000, (limit.rlim_cur - 1'000) / 2); // ours, and theirs
    for (rlim_t i = 0; i < each; ++i) {
        flood.push_back(connect_to_port(site.gateway().vnc_port()));
        flood.push_back(connect_to_port(site.gateway().web_port()));
    }
    screen.paint(green);
    EXPECT_TRUE(sees(kim, green));
    Onlooker another = come(); // pushes the oldest out
    EXPECT_TRUE(sees(another, green));
    // all of them have had their deadline, or have been pushed out
    EXPECT_TRUE(eventually([&] {
        return std::all_of(flood.begin(), flood.end(), [](const process::Descriptor& one) {
            std::array<char, 64> some{};
            ssize_t got = 1;
            while (got > 0)
                got = ::recv(one.get(), some.data(), some.size(), MSG_DONTWAIT);
            return got == 0 || errno == ECONNRESET;
        });
    }));
    EXPECT_TRUE(sees(kim, green));
}

TEST_F(GatewayFaults, WithoutDescriptorsNewcomersWait) {
    Onlooker kim = come();
    ASSERT_TRUE(sees(kim, red));
    rlimit before{};
    ::getrlimit(RLIMIT_NOFILE, &before);
    {
        const process::Descriptor highest(::dup(0));
        rlimit none = before;
        none.rlim_cur = static_cast<rlim_t>(highest.get()) + 1;
        const process::Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        ::setrlimit(RLIMIT_NOFILE, &none);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = htons(site.gateway().vnc_port());
        ASSERT_EQ(
            ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
            0);
        screen.paint(green);
        EXPECT_TRUE(sees(kim, green));
        ::setrlimit(RLIMIT_NOFILE, &before);
        std::array<char, 12> banner{};
        EXPECT_EQ(::recv(socket.get(), banner.data(), banner.size(), MSG_WAITALL), 12)
            << "is taken in as soon as there is room";
    }
    Onlooker another = come();
    EXPECT_TRUE(sees(another, green));
}

TEST_F(GatewayFaults, AReplacedCertificateIsShownToTheNext) {
    Onlooker kim = come();
    ASSERT_TRUE(sees(kim, red));
    const Certificates other;
    for (const char* name : {"server-cert.pem", "server-key.pem"})
        std::filesystem::copy_file(other.folder.file(name), site.certificates().folder.file(name),
                                   std::filesystem::copy_options::overwrite_existing);
    EXPECT_NE(refusal().find("the TLS handshake failed"), std::string::npos)
        << "it is not of the CA that the viewer trusts";
    screen.paint(green);
    EXPECT_TRUE(sees(kim, green));
}

} // namespace
} // namespace baton::gateway
