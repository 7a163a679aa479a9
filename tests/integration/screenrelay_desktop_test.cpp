// `baton-hostd screens` as it is installed, before a real desktop's screen, and gateways of every
// kind before it.
#include "hypervisor_contract/libvirt_world.h"
#include "rfb/handshake_client.h"
#include "screenrelay/request.h"
#include "screenrelay/tickets.h"
#include "support/hostd_program.h"
#include "support/screen_gateway.h"

#include <boost/beast/core/error.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace baton::screenrelay {
namespace {

using baton::testing::GatewayEnd;
using baton::testing::HostdProgram;
using baton::testing::TemporaryDirectory;
using baton::testing::TestSite;
using hypervisor::contract::LibvirtWorld;
using ::testing::HasSubstr;
using ::testing::Not;
using namespace std::chrono_literals;

constexpr std::uint16_t port = 5899;
const std::string word = "0123456789abcdef0123456789abcdef";

class DesktopScreens : public ::testing::Test {
  protected:
    DesktopScreens() {
        write_config(port);
        world_.settings().state_directory = folder_.file("host/vm");
        world_.connect();
        spec_ = world_.spec("screen");
        spec_.local_screen = true;
        spec_.screen_password.clear();
    }

    void write_config(unsigned relay_port) const {
        std::ofstream(folder_.file("hostd.toml"))
            << "[controller]\nurl = \"https://127.0.0.1:1\"\n[host]\nstate_dir = \""
            << folder_.file("host")
            << "\"\nscreen_address = \"127.0.0.1\"\nmemory = \"1GiB\"\n[screens]\nport = "
            << relay_port << "\n";
    }

    void join() {
        std::filesystem::create_directories(folder_.file("host/pki"));
        site_.issue("host1", {folder_.file("host/pki/client-cert.pem"),
                              folder_.file("host/pki/client-key.pem"),
                              folder_.file("host/pki/ca-cert.pem")});
    }

    void start_desktop() {
        const auto started = world_.hypervisor().start(spec_);
        ASSERT_TRUE(started) << started.error().message();
        const auto written = tickets_.write(
            spec_.id,
            {hypervisor::screen_socket(world_.settings().state_directory, spec_.id), word});
        ASSERT_TRUE(written) << written.error().message();
    }

    std::unique_ptr<HostdProgram> run(const std::string& log) {
        return std::make_unique<HostdProgram>(
            std::vector<std::string>{"screens", "--config", folder_.file("hostd.toml")},
            folder_.file(log));
    }

    Result<GatewayEnd> connect(const net::TlsFiles& files) {
        return GatewayEnd::connect({"127.0.0.1", port}, files);
    }

    std::string answer(const net::TlsFiles& files, const std::string& line) {
        auto end = connect(files);
        return end && end->send(line) ? end->receive_to_end() : "";
    }

    TemporaryDirectory folder_;
    TestSite site_;
    net::TlsFiles gateway_ = site_.issue("gateway/gw1");
    LibvirtWorld world_;
    hypervisor::DesktopSpec spec_;
    Tickets tickets_{folder_.file("host/screens")};
};

/// What the screen tells of itself, after a whole handshake.
Result<rfb::ServerInit> shake_hands(GatewayEnd& end) {
    rfb::HandshakeClient handshake({rfb::Login::none});
    std::string input;
    while (true) {
        const auto progress = handshake.next(input);
        if (!progress)
            return tl::unexpected(progress.error());
        input.erase(0, progress->used);
        if (const std::string out = handshake.take_output(); !out.empty() && !end.send(out))
            return fail(Errc::unavailable, "the screen has gone");
        if (progress->step == rfb::HandshakeClient::Step::done)
            return handshake.server_init();
        if (progress->step == rfb::HandshakeClient::Step::again)
            continue;
        const std::string more = end.receive_some();
        if (more.empty())
            return fail(Errc::unavailable, "the screen has gone");
        input += more;
    }
}

TEST_F(DesktopScreens, AGatewayShakesHandsWithTheDesktopItself) {
    join();
    start_desktop();
    const auto screens = run("screens.log");
    ASSERT_TRUE(screens->says("listening on 127.0.0.1:5899\n")) << screens->said();
    auto end = connect(gateway_).value();
    ASSERT_TRUE(end.send(to_line({spec_.id, word})));
    EXPECT_EQ(end.receive_line(), "ok\n");
    EXPECT_EQ(end.receive(12), "RFB 003.008\n");
    auto viewer = connect(gateway_).value();
    ASSERT_TRUE(viewer.send(to_line({spec_.id, word})));
    EXPECT_EQ(viewer.receive_line(), "ok\n");
    const auto init = shake_hands(viewer);
    ASSERT_TRUE(init) << init.error().message();
    EXPECT_GE(init->width, 640);
    EXPECT_THAT(init->name, HasSubstr("baton-" + spec_.id.value));

    // the desktop ends: the viewer hears it, and the next one too
    ASSERT_TRUE(world_.hypervisor().stop(spec_.id));
    (void)viewer.receive_to_end();
    EXPECT_FALSE(viewer.error() == boost::beast::error::timeout);
    EXPECT_EQ(answer(gateway_, to_line({spec_.id, word})), "no the screen cannot be reached\n");
    ASSERT_TRUE(tickets_.remove(spec_.id));
    EXPECT_EQ(answer(gateway_, to_line({spec_.id, word})), "no unknown desktop or ticket\n");
    EXPECT_EQ(screens->end(SIGTERM), 0);
    EXPECT_THAT(screens->said(), HasSubstr("gateway/gw1 at 127.0.0.1 looks at " + spec_.id.value));
    EXPECT_THAT(screens->said(), Not(HasSubstr(word)));
}

TEST_F(DesktopScreens, StrangersSeeNothing) {
    join();
    start_desktop();
    const auto screens = run("screens.log");
    ASSERT_TRUE(screens->says("listening on")) << screens->said();
    const std::string line = to_line({spec_.id, word});
    EXPECT_EQ(answer(site_.issue("host1"), line), "no only gateways may look at screens\n");
    TestSite elsewhere;
    net::TlsFiles foreign = elsewhere.issue("gateway/gw1");
    foreign.authority = gateway_.authority;
    EXPECT_EQ(answer(foreign, line), "");
    EXPECT_EQ(answer(gateway_, to_line({spec_.id, std::string(32, '0')})),
              "no unknown desktop or ticket\n");
    EXPECT_EQ(answer(gateway_, std::string(300, 'a')), "no the line is too long\n");
    auto silent = connect(gateway_).value();
    EXPECT_EQ(silent.receive_to_end(), "");
    EXPECT_NE(silent.error(), boost::beast::error::timeout) << "the relay ended it, not the test";
}

TEST_F(DesktopScreens, SaysWhatKeepsItFromStarting) {
    const auto early = run("early.log");
    EXPECT_EQ(early->wait(), 3);
    EXPECT_THAT(early->said(), HasSubstr("has not joined"));
    join();
    const auto first = run("first.log");
    ASSERT_TRUE(first->says("listening on")) << first->said();
    const auto second = run("second.log");
    EXPECT_EQ(second->wait(), 5);
    EXPECT_THAT(second->said(), HasSubstr("127.0.0.1:5899 is in use by baton-hostd"));
    EXPECT_THAT(second->said(), HasSubstr("[screens] port in " + folder_.file("hostd.toml")));
    write_config(5'901);
    const auto among = run("among.log");
    EXPECT_EQ(among->wait(), 2);
    EXPECT_THAT(among->said(),
                HasSubstr("line 8: 'screens.port' may not be one of the ports 5900"));
}

} // namespace
} // namespace baton::screenrelay
