/// baton-view through the real gateway: its login page, and what becomes of it.
#include "viewer_live_test/shown.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>

namespace baton::viewer {
namespace {

using gateway::grant_for;
using gateway::screen_at;
using gateway::Site;

std::vector<std::string> words_for(Site& site, const std::string& authority,
                                   const std::vector<std::string>& more = {}) {
    std::vector<std::string> words{
        "--gateway", fmt::format("127.0.0.1:{}", site.gateway().vnc_port()),
        "--ca",      authority,
        "--window",  "720x400"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
}

std::string authority_of(const Site& site) {
    return site.certificates().folder.file("ca-cert.pem");
}

TEST(ViewerLogin, IsTypedAndSeesTheDesktopAndTheNextOne) {
    const rfb::QemuScreen patterns(rfb::Show::patterns);
    const rfb::QemuScreen text(rfb::Show::text);
    const rfb::ViewersScreen screen;
    Site site;
    const auto first = screen_at("d-text", text.address());
    site.director().add_user("kim", "s3cret-7", grant_for("s-1", first));
    const std::string black(screen.shot().size(), '\0');
    const Shown viewer(screen, words_for(site, authority_of(site), {"--language", "ko"}));
    ASSERT_TRUE(eventually([&] { return screen.shot() != black; }));
    keep_shot(screen, "login-empty");
    viewer.type_line("kim");
    viewer.type_line("wrong");
    ASSERT_TRUE(site.director().wait_until_asked(1));
    const auto asking = screen.shot();
    keep_shot(screen, "login-asking");
    ASSERT_TRUE(eventually([&] { return screen.shot() != asking; })) << "it does not say so";
    keep_shot(screen, "wrong-password");
    // Esc ends what may still be under way, and empties the field
    const auto let_in = [&] {
        viewer.xdo({"key", "Escape", "Escape"});
        viewer.type_line("s3cret-7");
        for (int i = 0; i < 20; ++i)
            if (screen.shows(text.screendump()))
                return true;
        return false;
    };
    ASSERT_TRUE(eventually(let_in));
    // a handoff: another screen behind the same connection
    const auto switched = site.point("s-1", screen_at("d-patterns", patterns.address()));
    ASSERT_TRUE(switched) << switched.error().message();
    EXPECT_EQ(switched->lost, 0U);
    viewer.xdo({"key", "ctrl+alt+shift+f"}); // pixel by pixel
    EXPECT_TRUE(eventually([&] { return screen.shows(patterns.screendump()); }));
    // the session ends: the login page is there again, and nobody logs in by itself
    const auto at_desktop = screen.shot();
    site.gateway().close(SessionId("s-1"), "logged out");
    EXPECT_TRUE(site.director().wait_for_news<gateway::ViewerWent>(1));
    EXPECT_TRUE(eventually([&] { return screen.shot() != at_desktop; }));
    keep_shot(screen, "logged-out");
    const auto asked = site.director().asked();
    viewer.type_line("s3cret-7");
    EXPECT_TRUE(eventually([&] { return site.director().asked() == asked + 1; }));
    EXPECT_TRUE(eventually([&] { return screen.shows(text.screendump()); }));
}

TEST(ViewerLogin, KeepsTryingWhenThereIsNoRoom) {
    const rfb::QemuScreen text(rfb::Show::text);
    const rfb::ViewersScreen screen;
    const testing::TemporaryDirectory folder;
    std::ofstream(folder.file("password")) << "s3cret-7\n";
    Site site;
    site.director().add_user("kim", "s3cret-7",
                             grant_for("s-1", screen_at("d-text", text.address())));
    site.director().answer_all(Error{Errc::refused, "all places are taken: 16 of 16 in use",
                                     "wait until somebody leaves", 0});
    const Shown viewer(screen,
                       words_for(site, authority_of(site),
                                 {"--user", "kim", "--password-file", folder.file("password")}));
    ASSERT_TRUE(site.director().wait_until_asked(2)) << "it does not try again";
    keep_shot(screen, "no-room");
    site.director().answer_all(std::nullopt);
    EXPECT_TRUE(eventually([&] { return screen.shows(text.screendump()); }));
}

TEST(ViewerLogin, SaysNothingToAServerOfAnotherCa) {
    const rfb::QemuScreen text(rfb::Show::text);
    const rfb::ViewersScreen screen;
    const testing::TemporaryDirectory folder;
    std::ofstream(folder.file("password")) << "s3cret-7\n";
    Site site;
    const gateway::Certificates others;
    site.director().add_user("kim", "s3cret-7",
                             grant_for("s-1", screen_at("d-text", text.address())));
    Shown viewer(
        screen, words_for(site, others.folder.file("ca-cert.pem"),
                          {"--user", "kim", "--password-file", folder.file("password"), "--once"}));
    EXPECT_EQ(viewer.wait_for_end(), 6);
    EXPECT_NE(viewer.said().find("is not trusted here"), std::string::npos) << viewer.said();
    EXPECT_EQ(site.director().asked(), 0U) << "name and password have left the machine";
    // nor to one that offers no certificate at all
    Shown plain(screen,
                {"--gateway", text.address(), "--ca", authority_of(site), "--user", "kim",
                 "--password-file", folder.file("password"), "--once", "--window", "400x300"});
    EXPECT_EQ(plain.wait_for_end(), 10) << plain.said();
}

TEST(ViewerLogin, KeepsThePictureOfAGatewayThatStops) {
    const rfb::QemuScreen text(rfb::Show::text);
    const rfb::ViewersScreen screen;
    const testing::TemporaryDirectory folder;
    std::ofstream(folder.file("password")) << "s3cret-7\n";
    Site site;
    site.director().add_user("kim", "s3cret-7",
                             grant_for("s-1", screen_at("d-text", text.address())));
    const Shown viewer(screen,
                       words_for(site, authority_of(site),
                                 {"--user", "kim", "--password-file", folder.file("password")}));
    ASSERT_TRUE(eventually([&] { return screen.shows(text.screendump()); }));
    const auto shown = screen.shot();
    site.stop();
    EXPECT_TRUE(eventually([&] { return screen.shot() != shown; })) << "it does not say so";
    keep_shot(screen, "gateway-gone");
    // the last picture stays below the line
    const std::size_t below = std::size_t{1000} * 3 * 250;
    EXPECT_TRUE(screen.shot().substr(below) == shown.substr(below));
}

} // namespace
} // namespace baton::viewer
