/// baton-view before QEMU and TigerVNC's server themselves, without a gateway.
#include "viewer_live_test/shown.h"

#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <optional>

namespace baton::viewer {
namespace {

class ViewerDraws : public ::testing::TestWithParam<const char*> {};

TEST_P(ViewerDraws, WhatQemuShowsToTheLastPixel) {
    const rfb::QemuScreen patterns(rfb::Show::patterns);
    const rfb::ViewersScreen screen;
    Shown viewer(screen,
                 {"--gateway", patterns.address(), "--window", "640x400", "--draw", GetParam()});
    EXPECT_TRUE(eventually([&] { return screen.shows(patterns.screendump()); })) << viewer.said();
    keep_shot(screen, std::string("patterns-") + GetParam());
}

INSTANTIATE_TEST_SUITE_P(Ways, ViewerDraws, ::testing::Values("surface", "texture"),
                         [](const auto& one) { return std::string(one.param); });

TEST(ViewerLive, ShowsADesktopThatIsLargerThanItsWindowPixelByPixel) {
    const rfb::QemuScreen text(rfb::Show::text); // 720x400
    const rfb::ViewersScreen screen;
    const Shown viewer(screen,
                       {"--gateway", text.address(), "--window", "800x500", "--scale", "1:1"});
    EXPECT_TRUE(eventually([&] { return screen.shows(text.screendump()); }));
    const Shown scaled(screen, {"--gateway", text.address(), "--window", "400x300"});
    keep_shot(screen, "one-to-one");
}

TEST(ViewerLive, TypesKeysWithTheirPlaces) {
    const testing::TemporaryDirectory folder;
    const RunningQemu qemu(folder.file("vnc"));
    ASSERT_TRUE(eventually([&] { return std::filesystem::exists(folder.file("vnc")); }));
    const rfb::ViewersScreen screen;
    const Shown viewer(screen, {"--gateway", folder.file("vnc"), "--window", "720x400"});
    const auto heard = [&](const std::string& what) {
        return qemu.key_log().find(what) != std::string::npos;
    };
    // until the desktop is there a key is the viewer's own
    ASSERT_TRUE(eventually([&] {
        viewer.xdo({"key", "a"});
        return heard("down 1, sym 0x61, keycode 0x1e");
    })) << qemu.key_log();
    EXPECT_TRUE(eventually([&] { return heard("down 0, sym 0x61, keycode 0x1e"); }));
    viewer.xdo({"key", "shift+b"});
    EXPECT_TRUE(eventually([&] { return heard("down 1, sym 0x42, keycode 0x30"); }));
    viewer.xdo({"key", "Right"});
    EXPECT_TRUE(eventually([&] { return heard("sym 0xff53, keycode 0xcd"); }));
    // X's keycodes of the Hangul and the Hanja key (evdev's number and 8)
    viewer.xdo({"key", "130", "131"});
    EXPECT_TRUE(eventually([&] { return heard("sym 0xff31, keycode 0x72"); })) << qemu.key_log();
    EXPECT_TRUE(eventually([&] { return heard("sym 0xff34, keycode 0x71"); })) << qemu.key_log();
}

TEST(ViewerLive, KeepsThePictureAndComesBackWhenTheScreenDoes) {
    const rfb::ViewersScreen screen;
    const testing::TemporaryDirectory folder;
    const std::string place = folder.file("vnc");
    std::optional<rfb::QemuScreen> desktop(rfb::Show::text);
    std::filesystem::create_symlink(desktop->address(), place);
    const Shown viewer(screen, {"--gateway", place, "--window", "720x400"});
    ASSERT_TRUE(eventually([&] { return screen.shows(desktop->screendump()); }));
    const auto before = screen.shot();
    desktop.reset();
    ASSERT_TRUE(eventually([&] { return screen.shot() != before; })) << "it does not say so";
    keep_shot(screen, "reconnecting");
    // below the line that says it the picture is as it was
    const std::size_t below = std::size_t{1000} * 3 * 250;
    EXPECT_TRUE(screen.shot().substr(below) == before.substr(below));
    const rfb::QemuScreen another(rfb::Show::patterns);
    std::filesystem::remove(place);
    std::filesystem::create_symlink(another.address(), place);
    viewer.xdo({"key", "ctrl+alt+shift+f"}); // pixel by pixel
    EXPECT_TRUE(eventually([&] { return screen.shows(another.screendump()); }));
}

TEST(ViewerLive, SaysWhyItCannotGoOn) {
    const rfb::ViewersScreen screen;
    Shown nobody(screen, {"--gateway", "127.0.0.1:1", "--window", "400x300", "--once"});
    EXPECT_EQ(nobody.wait_for_end(), 7);
    EXPECT_NE(nobody.said().find("nothing listens at 127.0.0.1:1"), std::string::npos);
    Shown no_ca(screen, {"--gateway", "127.0.0.1", "--ca", "/nowhere.pem", "--once"});
    EXPECT_EQ(no_ca.wait_for_end(), 3);
    Shown no_window(screen, {"--gateway", "127.0.0.1", "--window", "12", "--once"});
    EXPECT_EQ(no_window.wait_for_end(), 2);
}

TEST(ViewerLive, LeavesAtSigterm) {
    const rfb::QemuScreen text(rfb::Show::text);
    const rfb::ViewersScreen screen;
    Shown viewer(screen, {"--gateway", text.address(), "--window", "720x400"});
    ASSERT_TRUE(eventually([&] { return screen.shows(text.screendump()); }));
    ::kill(viewer.pid(), SIGTERM);
    EXPECT_EQ(viewer.wait_for_end(), 0);
}

} // namespace
} // namespace baton::viewer
