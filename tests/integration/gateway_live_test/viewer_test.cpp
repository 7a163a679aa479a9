/// TigerVNC's viewer through the real gateway: logs in over X509Plain and stays on one connection
/// while the QEMU behind it is changed.
#include "rfb_servers_test/viewers_screen.h"
#include "site.h"

#include <fmt/format.h>

namespace baton::gateway {
namespace {

process::Child start_viewer(const Site& site, const rfb::ViewersScreen& screen,
                            const std::string& home, std::uint16_t port,
                            const std::string& encoding, const std::string& password) {
    return rfb::start_program(
        {"/usr/bin/xtigervncviewer", "-display", screen.display(), "-SecurityTypes=X509Plain",
         "-X509CA=" + site.trusted(), "-ReconnectOnError=0", "-AlertOnFatalError=0",
         "-RemoteResize=0", "-MenuKey=", "-AutoSelect=0", "-NoJPEG=1",
         "-PreferredEncoding=" + encoding, fmt::format("127.0.0.1::{}", port)},
        {"HOME=" + home, "VNC_USERNAME=kim", "VNC_PASSWORD=" + password});
}

class GatewayTigerVnc : public ::testing::TestWithParam<const char*> {};

TEST_P(GatewayTigerVnc, SeesEachDesktopOverTwentySwitches) {
    const rfb::QemuScreen patterns(rfb::Show::patterns);
    const rfb::QemuScreen text(rfb::Show::text);
    const rfb::ViewersScreen screen;
    const testing::TemporaryDirectory home;
    Site site;
    const Screen first = screen_at("d-patterns", patterns.address());
    const Screen second = screen_at("d-text", text.address());
    site.director().add_user("kim", "s3cret-7", grant_for("s-1", first));
    const auto viewer = start_viewer(site, screen, home.path().string(), site.gateway().vnc_port(),
                                     GetParam(), "s3cret-7");
    const auto shows = [&](const rfb::QemuScreen& desktop) {
        return eventually([&] { return screen.shows(desktop.screendump()); });
    };
    ASSERT_TRUE(shows(patterns));
    for (int turn = 1; turn <= 20; ++turn) {
        const bool to_text = turn % 2 == 1;
        if (turn % 3 == 0)
            site.gateway().prepare(SessionId("s-1"), to_text ? second : first);
        const auto switched = site.point("s-1", to_text ? second : first);
        ASSERT_TRUE(switched) << switched.error().message();
        EXPECT_EQ(switched->viewers, 1U);
        EXPECT_EQ(switched->lost, 0U);
        ASSERT_TRUE(shows(to_text ? text : patterns)) << GetParam() << ", switch " << turn;
        fmt::print("switch {}: cut to frame {} us\n", turn, switched->cut_to_frame.count());
    }
    const auto again = site.point("s-1", first);
    ASSERT_TRUE(again) << "already there";
    const auto news = site.director().news();
    ASSERT_EQ(news.size(), 1U) << "one viewer, who never left";
    EXPECT_EQ(std::get<ViewerCame>(news[0]).session, SessionId("s-1"));
    EXPECT_FALSE(std::get<ViewerCame>(news[0]).browser);
}

INSTANTIATE_TEST_SUITE_P(Encodings, GatewayTigerVnc, ::testing::Values("Tight", "ZRLE"),
                         [](const auto& one) { return std::string(one.param); });

} // namespace
} // namespace baton::gateway
