/// TigerVNC's viewer stays on one connection while the relay changes the real QEMU behind it: what
/// it shows is each desktop's own screendump, to the last pixel.
#include "gateway/relay.h"
#include "rfb/handshake_server.h"
#include "rfb_servers_test/viewers_screen.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <array>
#include <chrono>
#include <netinet/in.h>
#include <poll.h>
#include <stdexcept>
#include <string>
#include <sys/socket.h>

namespace baton::gateway {
namespace {

using process::Child;
using process::Descriptor;
using rfb::HandshakeClient;
using rfb::HandshakeServer;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

/// A socket of the loopback, and its port.
std::pair<Descriptor, int> listen_somewhere() {
    Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0 ||
        ::listen(socket.get(), 1) != 0 ||
        ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0)
        throw std::runtime_error("cannot listen on the loopback");
    return {std::move(socket), ntohs(address.sin_port)};
}

/// The relay with sockets around it.
class Site {
  public:
    Site(Descriptor viewer, const std::string& desktop) : viewer_(std::move(viewer)) {
        const auto init = connect(desktop, desktop_);
        welcome(init);
        relay_.emplace(init);
    }

    void change_to(const std::string& address) {
        Descriptor next;
        const auto init = connect(address, next);
        rfb::send_all(next, relay_->prepare(init));
        const auto end = Clock::now() + std::chrono::seconds(20);
        while (!relay_->may_cut()) {
            if (Clock::now() > end)
                throw std::runtime_error("the old desktop's message does not end");
            pump(milliseconds(100));
        }
        if (const auto cut = relay_->cut(); !cut)
            throw std::runtime_error(cut.error().message());
        rfb::send_all(desktop_, relay_->take_for_old());
        desktop_ = std::move(next);
    }

    /// Its connection breaks at whatever byte.
    void lose() {
        desktop_.reset();
        if (const auto lost = relay_->desktop_lost(); !lost)
            throw std::runtime_error(lost.error().message());
    }

    /// Carries bytes until nothing comes for so long.
    void pump(milliseconds quiet) {
        for (;;) {
            rfb::send_all(viewer_, relay_->take_for_viewer());
            if (relay_->has_desktop())
                rfb::send_all(desktop_, relay_->take_for_desktop());
            std::array<pollfd, 2> waits{pollfd{viewer_.get(), POLLIN, 0},
                                        pollfd{desktop_.get(), POLLIN, 0}};
            if (::poll(waits.data(), relay_->has_desktop() ? 2 : 1,
                       static_cast<int>(quiet.count())) == 0)
                return;
            carry(waits[0], viewer_, &Relay::from_viewer);
            if (relay_->has_desktop())
                carry(waits[1], desktop_, &Relay::from_desktop);
        }
    }

  private:
    void carry(const pollfd& wait, const Descriptor& socket,
               Result<void> (Relay::*to)(std::string_view)) {
        if (wait.revents == 0)
            return;
        std::string bytes;
        rfb::receive_some(socket, bytes, 65536);
        if (const auto outcome = ((*relay_).*to)(bytes); !outcome)
            throw std::runtime_error(outcome.error().message());
    }

    static rfb::ServerInit connect(const std::string& address, Descriptor& socket) {
        socket = rfb::connect_to(address);
        HandshakeClient handshake({rfb::Login::none});
        std::string buffer;
        for (;;) {
            const auto progress = handshake.next(buffer);
            if (!progress)
                throw std::runtime_error(progress.error().message());
            buffer.erase(0, progress->used);
            rfb::send_all(socket, handshake.take_output());
            if (progress->step == HandshakeClient::Step::done)
                return handshake.server_init();
            if (progress->step == HandshakeClient::Step::need_more)
                rfb::receive_some(socket, buffer, 4096);
        }
    }

    void welcome(const rfb::ServerInit& init) {
        HandshakeServer handshake({rfb::Login::plain}, rfb::Challenge{});
        std::string buffer;
        using Step = HandshakeServer::Step;
        for (Step step = Step::again; step != Step::client_init;) {
            rfb::send_all(viewer_, handshake.take_output());
            if (step == Step::need_more)
                rfb::receive_some(viewer_, buffer, 4096);
            const auto progress = handshake.next(buffer);
            if (!progress)
                throw std::runtime_error(progress.error().message());
            buffer.erase(0, progress->used);
            step = progress->step;
            if (step == Step::check_credentials) {
                EXPECT_EQ(handshake.credentials().user, "kim");
                EXPECT_EQ(handshake.credentials().password, "s3cret-7");
                handshake.accept();
            }
        }
        handshake.send_server_init(init);
        rfb::send_all(viewer_, handshake.take_output());
    }

    Descriptor viewer_;
    Descriptor desktop_;
    std::optional<Relay> relay_;
};

class GatewayViewer : public ::testing::TestWithParam<const char*> {};

TEST_P(GatewayViewer, StaysOnOneConnectionAndShowsEachDesktop) {
    const rfb::QemuScreen patterns(rfb::Show::patterns);
    const rfb::QemuScreen text(rfb::Show::text);
    const rfb::ViewersScreen screen;
    const testing::TemporaryDirectory home;
    auto [listener, port] = listen_somewhere();
    const Child viewer = rfb::start_program(
        {"/usr/bin/xtigervncviewer", "-display", screen.display(), "-SecurityTypes=Plain",
         "-ReconnectOnError=0", "-AlertOnFatalError=0", "-RemoteResize=0",
         "-MenuKey=", "-AutoSelect=0", "-NoJPEG=1", std::string("-PreferredEncoding=") + GetParam(),
         fmt::format("127.0.0.1::{}", port)},
        {"HOME=" + home.path().string(), "VNC_USERNAME=kim", "VNC_PASSWORD=s3cret-7"});
    pollfd wait{listener.get(), POLLIN, 0};
    ASSERT_EQ(::poll(&wait, 1, 20'000), 1) << "the viewer does not come";
    Site site(Descriptor(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)),
              patterns.address());

    const auto shows = [&](const rfb::QemuScreen& desktop) {
        for (const auto end = Clock::now() + std::chrono::seconds(20); Clock::now() < end;) {
            site.pump(milliseconds(50));
            if (screen.shows(desktop.screendump()))
                return true;
        }
        return false;
    };
    ASSERT_TRUE(shows(patterns));
    for (int turn = 1; turn <= 6; ++turn) {
        const rfb::QemuScreen& desktop = turn % 2 == 1 ? text : patterns;
        site.change_to(desktop.address());
        ASSERT_TRUE(shows(desktop)) << GetParam() << ", switch " << turn;
    }
    site.lose(); // without a word, and then another one takes over
    site.change_to(text.address());
    EXPECT_TRUE(shows(text)) << "after a desktop was lost";
}

INSTANTIATE_TEST_SUITE_P(TigerVnc, GatewayViewer, ::testing::Values("Tight", "ZRLE", "Hextile"),
                         [](const auto& one) { return std::string(one.param); });

} // namespace
} // namespace baton::gateway
