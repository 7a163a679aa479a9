// The relay over real TLS on loopback; the screens are unix sockets that the test plays.
#include "net/descriptor.h"
#include "net/listen.h"
#include "screenrelay/relay.h"
#include "screenrelay/request.h"
#include "screenrelay/tickets.h"
#include "support/screen_gateway.h"

#include <boost/asio/ssl/error.hpp>
#include <boost/beast/core/error.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <arpa/inet.h>
#include <filesystem>
#include <netinet/in.h>
#include <poll.h>
#include <sstream>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>

namespace baton::screenrelay {
namespace {

using baton::testing::GatewayEnd;
using baton::testing::TemporaryDirectory;
using baton::testing::TestSite;
using ::testing::HasSubstr;
using ::testing::Not;
using namespace std::chrono_literals;

constexpr int patience_ms = 30'000;
const std::string word = "0123456789abcdef0123456789abcdef";

/// QEMU's end of a screen.
class Screen {
  public:
    explicit Screen(const std::string& path)
        : listener_(net::listen_at("unix:" + path, 0).value().descriptor) {}

    /// Takes the next viewer in.
    bool accept() {
        pollfd ready{listener_.get(), POLLIN, 0};
        if (::poll(&ready, 1, patience_ms) <= 0)
            return false;
        viewer_ = std::make_unique<net::Descriptor>(::accept(listener_.get(), nullptr, nullptr));
        return viewer_->get() >= 0;
    }

    [[nodiscard]] bool send(std::string_view bytes) const {
        return ::send(viewer_->get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
               static_cast<ssize_t>(bytes.size());
    }

    /// So many bytes, or what came before the end.
    [[nodiscard]] std::string receive(std::size_t bytes) const {
        std::string text(bytes, '\0');
        std::size_t have = 0;
        while (have < bytes) {
            pollfd ready{viewer_->get(), POLLIN, 0};
            if (::poll(&ready, 1, patience_ms) <= 0)
                break;
            const ssize_t got = ::recv(viewer_->get(), text.data() + have, bytes - have, 0);
            if (got <= 0)
                break;
            have += static_cast<std::size_t>(got);
        }
        text.resize(have);
        return text;
    }

    [[nodiscard]] int viewer() const { return viewer_->get(); }

    void hang_up() { viewer_.reset(); }

  private:
    net::Descriptor listener_;
    std::unique_ptr<net::Descriptor> viewer_;
};

/// What is logged while it lives.
class Log {
  public:
    Log() {
        auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(text_, true);
        spdlog::set_default_logger(std::make_shared<spdlog::logger>("test", sink));
    }

    ~Log() { spdlog::set_default_logger(former_); }

    Log(const Log&) = delete;
    Log& operator=(const Log&) = delete;

    /// To be called when nobody writes any more.
    [[nodiscard]] std::string text() const { return text_.str(); }

  private:
    std::shared_ptr<spdlog::logger> former_ = spdlog::default_logger();
    std::ostringstream text_;
};

class RelayTest : public ::testing::Test {
  protected:
    RelayTest() {
        settings_.address = "127.0.0.1";
        settings_.tls = site_.issue("host1");
        settings_.tickets = folder_.file("screens");
        EXPECT_TRUE(tickets_.write(desktop_, {folder_.file("screen"), word}));
    }

    void start() {
        auto made = Relay::start(settings_);
        ASSERT_TRUE(made) << made.error().message();
        relay_ = std::move(*made);
    }

    Result<GatewayEnd> connect(const net::TlsFiles& files) {
        return GatewayEnd::connect({"127.0.0.1", relay_->port()}, files);
    }

    /// A gateway that says this first.
    GatewayEnd gateway(const std::string& line) {
        auto end = connect(gateway_).value();
        EXPECT_TRUE(end.send(line));
        return end;
    }

    GatewayEnd viewer(Screen& screen) {
        GatewayEnd end = gateway(to_line({desktop_, word}));
        EXPECT_EQ(end.receive_line(), "ok\n");
        EXPECT_TRUE(screen.accept());
        return end;
    }

    /// The whole answer to somebody's line, to the end of the connection.
    std::string answer(const std::string& line) { return gateway(line).receive_to_end(); }

    bool comes_to(std::size_t open) {
        const auto end = std::chrono::steady_clock::now() + 30s;
        while (relay_->load().open != open && std::chrono::steady_clock::now() < end)
            std::this_thread::sleep_for(5ms);
        return relay_->load().open == open;
    }

    TemporaryDirectory folder_;
    TestSite site_;
    net::TlsFiles gateway_ = site_.issue("gateway/gw1");
    const DesktopId desktop_{"d-1"};
    RelaySettings settings_;
    Tickets tickets_{folder_.file("screens")};
    std::unique_ptr<Relay> relay_;
};

std::string noise(std::size_t bytes) {
    std::string text(bytes, '\0');
    std::uint32_t state = 1;
    for (char& c : text)
        c = static_cast<char>((state = state * 1'664'525 + 1'013'904'223) >> 24);
    return text;
}

TEST_F(RelayTest, CarriesEveryByteBothWays) {
    Screen screen(folder_.file("screen"));
    start();
    GatewayEnd end = viewer(screen);
    ASSERT_TRUE(screen.send("RFB 003.008\n"));
    EXPECT_EQ(end.receive(12), "RFB 003.008\n");
    ASSERT_TRUE(end.send("RFB 003.008\n"));
    EXPECT_EQ(screen.receive(12), "RFB 003.008\n");
    const std::string much = noise(3'000'001);
    std::thread sender([&] { EXPECT_TRUE(screen.send(much)); });
    EXPECT_TRUE(end.receive(much.size()) == much);
    sender.join();
    std::string heard;
    std::thread listener([&] { heard = screen.receive(much.size()); });
    EXPECT_TRUE(end.send(much));
    listener.join();
    EXPECT_TRUE(heard == much);
    for (const std::size_t size : {1U, 1023U, 1024U, 1025U, 65'536U, 65'537U}) {
        ASSERT_TRUE(screen.send(much.substr(0, size)));
        EXPECT_TRUE(end.receive(size) == much.substr(0, size)) << size;
    }
}

TEST_F(RelayTest, WhatComesBehindTheLineIsTheScreens) {
    Screen screen(folder_.file("screen"));
    start();
    GatewayEnd end = gateway(to_line({desktop_, word}) + "early");
    EXPECT_EQ(end.receive_line(), "ok\n");
    ASSERT_TRUE(screen.accept());
    ASSERT_TRUE(end.send(" and late"));
    EXPECT_EQ(screen.receive(14), "early and late");
}

TEST_F(RelayTest, OnlyGatewaysOfTheSiteAreHeard) {
    Log log;
    const Screen screen(folder_.file("screen"));
    start();
    const std::string line = to_line({desktop_, word});
    for (const char* name : {"host1", "gateway/", "xgateway/gw1"}) {
        auto end = connect(site_.issue(name)).value();
        EXPECT_TRUE(end.send(line));
        EXPECT_EQ(end.receive_to_end(), "no only gateways may look at screens\n") << name;
    }
    TestSite elsewhere;
    net::TlsFiles foreign = elsewhere.issue("gateway/gw1");
    foreign.authority = gateway_.authority;
    net::TlsFiles nobody;
    nobody.authority = gateway_.authority;
    for (const auto& files : {foreign, nobody}) {
        // a TLS 1.3 server judges when the client thinks that it is through
        auto end = connect(files);
        if (!end)
            continue;
        (void)end->send(line);
        EXPECT_EQ(end->receive_to_end(), "");
        EXPECT_EQ(end->error().category(), boost::asio::error::get_ssl_category());
    }
    EXPECT_TRUE(comes_to(0));
    relay_.reset();
    EXPECT_THAT(log.text(), HasSubstr("host1 at 127.0.0.1 is refused: its certificate is no gat"));
    EXPECT_THAT(log.text(), HasSubstr("127.0.0.1 failed: the certificate of 127.0.0.1 is not"));
    EXPECT_THAT(log.text(), Not(HasSubstr(word)));
}

TEST_F(RelayTest, UnknownDesktopsAndWrongTicketsAreAnsweredAlike) {
    Log log;
    const Screen screen(folder_.file("screen"));
    start();
    const std::string wrong(ticket_digits, '0');
    EXPECT_EQ(answer(to_line({desktop_, wrong})), "no unknown desktop or ticket\n");
    EXPECT_EQ(answer(to_line({DesktopId("d-2"), word})), "no unknown desktop or ticket\n");
    ASSERT_TRUE(tickets_.write(desktop_, {folder_.file("screen"), wrong}));
    EXPECT_EQ(answer(to_line({desktop_, word})), "no unknown desktop or ticket\n") << "replaced";
    ASSERT_TRUE(tickets_.remove(desktop_));
    EXPECT_EQ(answer(to_line({desktop_, wrong})), "no unknown desktop or ticket\n");
    relay_.reset();
    EXPECT_THAT(log.text(), HasSubstr("gateway/gw1 at 127.0.0.1 is refused: a wrong ticket"));
    EXPECT_THAT(log.text(), Not(HasSubstr(word)));
    EXPECT_THAT(log.text(), Not(HasSubstr(wrong)));
}

TEST_F(RelayTest, AScreenThatIsGoneIsSaid) {
    start();
    const std::string line = to_line({desktop_, word});
    const std::string gone = "no the screen cannot be reached\n";
    EXPECT_EQ(answer(line), gone) << "no socket";
    {
        const Screen dead(folder_.file("screen"));
    }
    EXPECT_TRUE(std::filesystem::exists(folder_.file("screen")));
    EXPECT_EQ(answer(line), gone) << "nobody listens";
    std::filesystem::remove(folder_.file("screen"));
    const Screen other(folder_.file("other"));
    std::filesystem::create_symlink(folder_.file("other"), folder_.file("screen"));
    EXPECT_EQ(answer(line), gone) << "a link leads nowhere";
}

TEST_F(RelayTest, AQemuThatTakesNobodyInIsGivenUp) {
    settings_.connect_timeout = 100ms;
    // a listening socket without place: its queue is full
    const std::string path = folder_.file("screen");
    const net::Descriptor full(net::listen_at("unix:" + path, 0).value().descriptor);
    ASSERT_EQ(::listen(full.get(), 0), 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    const net::Descriptor first(::socket(AF_UNIX, SOCK_STREAM, 0));
    ASSERT_EQ(::connect(first.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    start();
    EXPECT_EQ(answer(to_line({desktop_, word})), "no the screen cannot be reached\n");
    // and it is waited for when it is busy for a moment alone
    relay_.reset();
    settings_.connect_timeout = 30s;
    start();
    GatewayEnd end = gateway(to_line({desktop_, word}));
    std::thread later([&] {
        std::this_thread::sleep_for(50ms);
        ::close(::accept(full.get(), nullptr, nullptr));
    });
    EXPECT_EQ(end.receive_line(), "ok\n");
    later.join();
}

TEST_F(RelayTest, LinesThatAreNoneAreRefused) {
    start();
    EXPECT_EQ(answer("GET / HTTP/1.1\r\n"), "no the line is none of baton-screen/1\n");
    EXPECT_EQ(answer(std::string(256, 'a')), "no the line is too long\n");
    EXPECT_EQ(answer(std::string(60'000, 'a')), "no the line is too long\n")
        << "it is heard although more is said";
    EXPECT_EQ(answer("baton-screen/1 d-1\n"), "no the line names no desktop and ticket\n");
    EXPECT_TRUE(comes_to(0));
}

TEST_F(RelayTest, WhoIsSilentIsClosed) {
    settings_.handshake_timeout = 50ms;
    settings_.line_timeout = 50ms;
    settings_.answer_timeout = 50ms;
    start();
    const net::Descriptor mute(::socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(relay_->port());
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(::connect(mute.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    pollfd ended{mute.get(), POLLIN, 0};
    EXPECT_EQ(::poll(&ended, 1, patience_ms), 1) << "no handshake";
    auto half = connect(gateway_);
    if (half) { // a machine may be so busy that the handshake itself was late
        (void)half->send("baton-screen/1 d-");
        EXPECT_EQ(half->receive_to_end(), "");
        EXPECT_NE(half->error(), boost::beast::error::timeout)
            << "the relay ended it, not the test";
    }
    // refused, and does not go by itself
    auto stays = connect(site_.issue("host1"));
    EXPECT_TRUE(comes_to(0));
}

TEST_F(RelayTest, AnEndIsPassedOnAndTheOtherWayGoesOn) {
    Screen screen(folder_.file("screen"));
    start();
    GatewayEnd end = viewer(screen);
    ASSERT_TRUE(end.send("last"));
    end.finish_writing();
    EXPECT_EQ(screen.receive(100), "last") << "and then the end";
    ASSERT_TRUE(screen.send("still here"));
    EXPECT_EQ(end.receive(10), "still here");
    screen.hang_up();
    EXPECT_EQ(end.receive_to_end(), "");
    EXPECT_TRUE(comes_to(0));

    GatewayEnd second = viewer(screen);
    ASSERT_TRUE(screen.send("bye"));
    screen.hang_up();
    EXPECT_EQ(second.receive_to_end(), "bye");
    second.close();
    EXPECT_TRUE(comes_to(0));

    GatewayEnd third = viewer(screen);
    third.close();
    EXPECT_EQ(screen.receive(1), "");
    screen.hang_up();
    EXPECT_TRUE(comes_to(0));
}

TEST_F(RelayTest, WhoseOtherSideHasEndedDoesNotStayForEver) {
    settings_.half_open_timeout = 50ms;
    Screen screen(folder_.file("screen"));
    start();
    GatewayEnd end = viewer(screen);
    screen.hang_up();
    EXPECT_TRUE(comes_to(0)) << "although the gateway does not close";
}

TEST_F(RelayTest, ASlowGatewayHoldsTheScreenBack) {
    Screen screen(folder_.file("screen"));
    start();
    GatewayEnd end = viewer(screen);
    const std::string piece = noise(65'536);
    constexpr std::size_t far_too_much = 256UL << 20;
    std::string sent;
    pollfd writable{screen.viewer(), POLLOUT, 0};
    while (sent.size() < far_too_much && ::poll(&writable, 1, 500) == 1) {
        const ssize_t n = ::send(screen.viewer(), piece.data(), piece.size(), MSG_DONTWAIT);
        if (n > 0)
            sent += piece.substr(0, static_cast<std::size_t>(n));
    }
    EXPECT_LT(sent.size(), far_too_much) << "only what the sockets hold";
    EXPECT_TRUE(end.receive(sent.size()) == sent);
}

TEST_F(RelayTest, ConnectionsAreCounted) {
    settings_.connection_limit = 2;
    settings_.unproved_limit = 1;
    settings_.half_open_timeout = 50ms;
    Screen screen(folder_.file("screen"));
    start();
    auto first = connect(gateway_).value();
    EXPECT_TRUE(comes_to(1));
    EXPECT_FALSE(connect(gateway_)) << "one without a ticket is there";
    EXPECT_TRUE(first.send(to_line({desktop_, word})));
    EXPECT_EQ(first.receive_line(), "ok\n");
    EXPECT_EQ(relay_->load().unproved, 0U);
    GatewayEnd second = gateway(to_line({desktop_, word}));
    EXPECT_EQ(second.receive_line(), "ok\n");
    EXPECT_FALSE(connect(gateway_)) << "two are there";
    second.close();
    EXPECT_TRUE(comes_to(1));
    EXPECT_TRUE(connect(gateway_));
}

TEST_F(RelayTest, RenewedCertificatesAreUsedByNewConnections) {
    Screen screen(folder_.file("screen"));
    start();
    GatewayEnd before = viewer(screen);
    EXPECT_EQ(before.peer().certificate_name, "host1");
    site_.issue("host1-renewed", settings_.tls);
    EXPECT_EQ(connect(gateway_).value().peer().certificate_name, "host1-renewed");
    ASSERT_TRUE(screen.send("on"));
    EXPECT_EQ(before.receive(2), "on");
}

TEST_F(RelayTest, ItsEndEndsEveryConnection) {
    Screen screen(folder_.file("screen"));
    start();
    GatewayEnd looks = viewer(screen);
    auto waits = connect(gateway_).value();
    relay_.reset();
    EXPECT_EQ(looks.receive_to_end(), "");
    EXPECT_EQ(waits.receive_to_end(), "");
    EXPECT_EQ(screen.receive(1), "");
}

TEST_F(RelayTest, ATakenPortAndMissingFilesAreSaid) {
    start();
    settings_.port = relay_->port();
    const auto taken = Relay::start(settings_);
    ASSERT_FALSE(taken);
    EXPECT_EQ(taken.error().code, Errc::busy) << taken.error().message();
    settings_.tls.key += ".no";
    EXPECT_EQ(Relay::start(settings_).error().code, Errc::not_found);
}

} // namespace
} // namespace baton::screenrelay
