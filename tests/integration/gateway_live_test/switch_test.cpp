/// What may happen to desktops and to the switch between them.
#include "fake_screen.h"
#include "peer.h"

namespace baton::gateway {
namespace {

using namespace std::chrono_literals;
using Manner = FakeScreen::Manner;

Limits short_switches() {
    Limits limits;
    limits.screen_time = 700ms;
    limits.cut_time = 200ms;
    limits.silent_switch = 100ms;
    limits.shortest_retry = 50ms;
    limits.longest_retry = 200ms;
    return limits;
}

class GatewaySwitch : public ::testing::Test {
  protected:
    GatewaySwitch() : site(short_switches()) {
        site.director().add_user("kim", "s3cret-7", grant_for("s-1", first));
    }

    [[nodiscard]] Screen place(const std::string& name) const {
        return screen_at("d-" + name, folder.file(name));
    }

    Onlooker come() { return {site.trusted(), site.gateway().vnc_port(), "kim", "s3cret-7"}; }

    static bool sees(Onlooker& onlooker, std::uint32_t colour) {
        return onlooker.look_until([&] {
            const auto& picture = onlooker.picture();
            return picture.at(0, 0) == colour && picture.at(picture.width - 1, 0) == colour;
        });
    }

    testing::TemporaryDirectory folder;
    Screen first = place("first");
    Site site;
};

TEST_F(GatewaySwitch, AllOfASessionsViewersAreSwitchedAndNobodyElses) {
    FakeScreen one(folder.file("first"), red);
    const FakeScreen two(folder.file("second"), blue);
    site.director().add_user("lee", "s3cret-8", grant_for("s-2", first));
    Onlooker kim = come();
    Onlooker kims_tablet = come();
    Onlooker lee(site.trusted(), site.gateway().vnc_port(), "lee", "s3cret-8");
    ASSERT_TRUE(sees(kim, red) && sees(kims_tablet, red) && sees(lee, red));
    const auto switched = site.point("s-1", place("second"));
    ASSERT_TRUE(switched) << switched.error().message();
    EXPECT_EQ(switched->viewers, 2U);
    EXPECT_EQ(switched->lost, 0U);
    EXPECT_GT(switched->cut_to_frame.count(), 0);
    EXPECT_GE(switched->frame_to_frame, switched->cut_to_frame);
    EXPECT_TRUE(sees(kim, blue) && sees(kims_tablet, blue));
    one.paint(green);
    EXPECT_TRUE(sees(lee, green));
    EXPECT_EQ(site.watching(DesktopId("d-second")), 2U);
    EXPECT_EQ(site.watching(DesktopId("d-first")), 1U);
}

TEST_F(GatewaySwitch, NobodyLooksOnAndThatIsFine) {
    const auto switched = site.point("s-9", first);
    ASSERT_TRUE(switched);
    EXPECT_EQ(switched->viewers, 0U);
}

TEST_F(GatewaySwitch, ADesktopThatCannotBeHadChangesNothing) {
    FakeScreen one(folder.file("first"), red);
    const FakeScreen silent(folder.file("silent"), blue, Manner::says_nothing);
    const FakeScreen brief(folder.file("brief"), blue, Manner::ends_after_init);
    Onlooker kim = come();
    ASSERT_TRUE(sees(kim, red));
    for (const auto& [name, code] : {std::pair{"nowhere", Errc::unavailable},
                                     {"silent", Errc::timeout},
                                     {"brief", Errc::unavailable}}) {
        const auto outcome = site.point("s-1", place(name));
        ASSERT_FALSE(outcome) << name;
        EXPECT_EQ(outcome.error().code, code) << name << ": " << outcome.error().message();
        EXPECT_EQ(site.watching(DesktopId("d-first")), 1U);
    }
    one.paint(green);
    EXPECT_TRUE(sees(kim, green)) << "is still there";
    const FakeScreen two(folder.file("second"), blue);
    EXPECT_TRUE(site.point("s-1", place("second")));
    EXPECT_TRUE(sees(kim, blue));
}

TEST_F(GatewaySwitch, AnOldDesktopThatStallsInAPictureIsCutOff) {
    const FakeScreen stalled(folder.file("first"), red, Manner::stalls_in_picture);
    const FakeScreen two(folder.file("second"), blue);
    Onlooker kim = come();
    ASSERT_TRUE(eventually([&] { return stalled.sent_on_first() > 30'000; }));
    const auto switched = site.point("s-1", place("second"));
    ASSERT_TRUE(switched) << switched.error().message();
    EXPECT_TRUE(sees(kim, blue));
}

TEST_F(GatewaySwitch, AnOldDesktopThatEndsWhileTheNewOneIsAskedIsNoHarm) {
    std::optional<FakeScreen> one(std::in_place, folder.file("first"), red);
    Onlooker kim = come();
    ASSERT_TRUE(sees(kim, red));
    one.reset();
    ASSERT_TRUE(site.director().wait_for_news<ScreenLost>(1));
    const FakeScreen two(folder.file("second"), blue);
    const auto switched = site.point("s-1", place("second"));
    ASSERT_TRUE(switched) << switched.error().message();
    EXPECT_EQ(switched->lost, 0U);
    EXPECT_TRUE(sees(kim, blue));
}

TEST_F(GatewaySwitch, ALostScreenIsTriedAgainUntilItIsBack) {
    std::optional<FakeScreen> one(std::in_place, folder.file("first"), red);
    Onlooker kim = come();
    Onlooker other = come();
    ASSERT_TRUE(sees(kim, red) && sees(other, red));
    one.reset();
    ASSERT_TRUE(site.director().wait_for_news<ScreenLost>(1));
    one.emplace(folder.file("first"), green);
    EXPECT_TRUE(sees(kim, green) && sees(other, green));
    std::size_t told = 0;
    for (const auto& news : site.director().news())
        told += std::holds_alternative<ScreenLost>(news) ? 1 : 0;
    EXPECT_EQ(told, 1U) << "once, however many look on";
}

TEST_F(GatewaySwitch, AKilledMachineIsReplacedByPointingElsewhere) {
    auto patterns = std::make_unique<rfb::QemuScreen>(rfb::Show::patterns);
    const rfb::QemuScreen text(rfb::Show::text);
    site.director().add_user("lee", "s3cret-8",
                             grant_for("s-2", screen_at("d-patterns", patterns->address())));
    Onlooker lee(site.trusted(), site.gateway().vnc_port(), "lee", "s3cret-8");
    ASSERT_TRUE(lee.look_until_it_shows(patterns->screendump()));
    patterns.reset();
    ASSERT_TRUE(site.director().wait_for_news<ScreenLost>(1));
    ASSERT_TRUE(site.point("s-2", screen_at("d-text", text.address())));
    EXPECT_TRUE(lee.look_until_it_shows(text.screendump()));
}

TEST_F(GatewaySwitch, APreparedDesktopNeedsNoConnectionAnyMore) {
    const FakeScreen one(folder.file("first"), red);
    const FakeScreen two(folder.file("second"), blue);
    Onlooker kim = come();
    ASSERT_TRUE(sees(kim, red));
    site.gateway().prepare(SessionId("s-1"), place("second"));
    ASSERT_TRUE(eventually([&] { return two.heard<rfb::UpdateRequest>() > 0; }));
    ASSERT_TRUE(site.point("s-1", place("second")));
    EXPECT_TRUE(sees(kim, blue));
    EXPECT_EQ(two.connections(), 1);
}

TEST_F(GatewaySwitch, APreparedDesktopThatHasEndedIsConnectedAgain) {
    const FakeScreen one(folder.file("first"), red);
    std::optional<FakeScreen> two(std::in_place, folder.file("second"), blue);
    Onlooker kim = come();
    ASSERT_TRUE(sees(kim, red));
    site.gateway().prepare(SessionId("s-1"), place("second"));
    ASSERT_TRUE(eventually([&] { return two->heard<rfb::UpdateRequest>() > 0; }));
    two.reset();
    two.emplace(folder.file("second"), green);
    ASSERT_TRUE(site.point("s-1", place("second")));
    EXPECT_TRUE(sees(kim, green));
}

TEST_F(GatewaySwitch, ColoursThatTheViewerChangesMeanwhileAreThoseOfTheNewPicture) {
    const FakeScreen one(folder.file("first"), red);
    const FakeScreen two(folder.file("second"), blue);
    Onlooker kim = come();
    ASSERT_TRUE(sees(kim, red));
    site.gateway().prepare(SessionId("s-1"), place("second"));
    ASSERT_TRUE(eventually([&] { return two.heard<rfb::UpdateRequest>() > 0; }));
    std::string encodings;
    rfb::write_encodings(encodings, {rfb::Encoding::raw, rfb::Encoding::last_rect});
    kim.send(encodings);
    ASSERT_TRUE(eventually([&] { return one.heard<rfb::SetEncodings>() > 1; }));
    ASSERT_TRUE(site.point("s-1", place("second")));
    EXPECT_TRUE(sees(kim, blue));
    EXPECT_EQ(two.connections(), 2) << "the first one had been asked for other encodings";
}

TEST_F(GatewaySwitch, ThePersonsLastWishCounts) {
    const FakeScreen one(folder.file("first"), red);
    const FakeScreen silent(folder.file("silent"), blue, Manner::says_nothing);
    const FakeScreen two(folder.file("second"), blue);
    Onlooker kim = come();
    ASSERT_TRUE(sees(kim, red));
    std::promise<Result<Switched>> overtaken;
    site.gateway().point(SessionId("s-1"), place("silent"), [&](Result<Switched> outcome) {
        overtaken.set_value(std::move(outcome));
    });
    ASSERT_TRUE(site.point("s-1", place("second")));
    EXPECT_EQ(overtaken.get_future().get().error().code, Errc::cancelled);
    EXPECT_TRUE(sees(kim, blue));
}

TEST_F(GatewaySwitch, WhoComesDuringASwitchEndsWhereItEnds) {
    const FakeScreen one(folder.file("first"), red);
    const FakeScreen two(folder.file("second"), blue);
    site.director().hold();
    auto coming = std::async(std::launch::async, [this] {
        return std::make_unique<Onlooker>(site.trusted(), site.gateway().vnc_port(), "kim",
                                          "s3cret-7");
    });
    ASSERT_TRUE(site.director().wait_until_asked(1));
    site.director().release();
    ASSERT_TRUE(site.point("s-1", place("second")));
    const auto kim = coming.get();
    EXPECT_TRUE(sees(*kim, blue));
}

TEST_F(GatewaySwitch, ASwitchEndsWithTheGateway) {
    const FakeScreen one(folder.file("first"), red);
    const FakeScreen silent(folder.file("silent"), blue, Manner::says_nothing);
    Onlooker kim = come();
    ASSERT_TRUE(sees(kim, red));
    std::promise<Result<Switched>> left;
    site.gateway().point(SessionId("s-1"), place("silent"),
                         [&](Result<Switched> outcome) { left.set_value(std::move(outcome)); });
    ASSERT_TRUE(eventually([&] { return silent.connections() > 0; }));
    site.stop();
    EXPECT_EQ(left.get_future().get().error().code, Errc::cancelled);
    EXPECT_FALSE(kim.look_until([] { return false; }));
}

TEST_F(GatewaySwitch, ASwitchThatTakesLongIsToldOverThePicture) {
    const FakeScreen one(folder.file("first"), red);
    const FakeScreen silent(folder.file("silent"), blue, Manner::says_nothing);
    Onlooker kim = come();
    ASSERT_TRUE(sees(kim, red));
    std::promise<Result<Switched>> failing;
    site.gateway().point(SessionId("s-1"), place("silent"),
                         [&](Result<Switched> outcome) { failing.set_value(std::move(outcome)); });
    const auto middle = [&] { return kim.picture().at(FakeScreen::width / 2, 2); };
    EXPECT_TRUE(kim.look_until([&] { return middle() != red; })) << "the text's ground";
    EXPECT_EQ(kim.picture().at(0, FakeScreen::height - 1), red);
    EXPECT_EQ(failing.get_future().get().error().code, Errc::timeout);
    EXPECT_TRUE(kim.look_until([&] { return middle() == red; })) << "and is gone with it";
}

TEST_F(GatewaySwitch, WhatTheControllerSaysIsShownForItsTime) {
    FakeScreen one(folder.file("first"), red);
    Onlooker kim = come();
    ASSERT_TRUE(sees(kim, red));
    const auto middle = [&] { return kim.picture().at(FakeScreen::width / 2, 2); };
    const auto corner = [&] { return kim.picture().at(0, FakeScreen::height - 1); };
    site.gateway().show(SessionId("s-1"), "soon", 30s);
    EXPECT_TRUE(kim.look_until([&] { return middle() != red; }));
    one.paint(green); // over it as well
    EXPECT_TRUE(kim.look_until([&] { return corner() == green && middle() != green; }));
    site.gateway().show(SessionId("s-1"), "soon", 200ms);
    EXPECT_TRUE(kim.look_until([&] { return middle() == green; }));
}

} // namespace
} // namespace baton::gateway
