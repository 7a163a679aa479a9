#pragma once

#include "gateway_live_test/site.h"
#include "real_viewer.h"
#include "support/drawing_screen.h"

#include <cstdlib>

namespace baton::gateway {

/// A gateway between two desktops of different sizes that draw all the time.
struct TwoDesktops {
    TwoDesktops() {
        site.director().add_user("kim", "s3cret-7", grant_for("s-1", places[0]));
        site.director().add_ticket("t-1", grant_for("s-1", places[0]));
    }

    /// The desktop's picture while it stands still is the viewer's.
    ::testing::AssertionResult is_seen(RealViewer& viewer, std::size_t which) {
        const std::string picture = desktops[which].stop_and_dump();
        const bool seen = eventually([&] { return viewer.shows(picture); });
        desktops[which].go_on();
        return seen ? ::testing::AssertionSuccess()
                    : ::testing::AssertionFailure()
                          << "desktop " << which << " is not what the viewer shows";
    }

    /// What every viewer has to bear: switches, each seen and typed behind.
    void put_through(RealViewer& viewer, const std::string& name, int switches) {
        std::array<std::string, 2> expected;
        ASSERT_TRUE(is_seen(viewer, 0)) << name;
        for (int turn = 1; turn <= switches; ++turn) {
            const std::size_t to = turn % 2;
            if (turn % 3 == 0)
                site.gateway().prepare(SessionId("s-1"), places[to]);
            const auto switched = site.point("s-1", places[to]);
            ASSERT_TRUE(switched) << name << ", switch " << turn << ": "
                                  << switched.error().message();
            EXPECT_EQ(switched->viewers, 1U);
            EXPECT_EQ(switched->lost, 0U);
            ASSERT_TRUE(is_seen(viewer, to)) << name << ", switch " << turn;
            const std::string word = "turn" + std::to_string(turn);
            viewer.type(word);
            expected[to] += word;
        }
        for (std::size_t which = 0; which < 2; ++which) {
            EXPECT_TRUE(eventually([&] {
                return testing::typed(desktops[which].scan_codes()) == expected[which];
            })) << testing::typed(desktops[which].scan_codes());
            EXPECT_TRUE(
                eventually([&] { return testing::keys_held(desktops[which].scan_codes()) == 0; }));
        }
        tell_over(viewer, name, static_cast<std::size_t>(switches % 2));
        EXPECT_EQ(site.director().news().size(), 1U) << "one viewer, who never left";
    }

    /// A text over the picture, which is whole again when the text is gone.
    void tell_over(RealViewer& viewer, const std::string& name, std::size_t which) {
        const std::string picture = desktops[which].stop_and_dump();
        const SessionId session("s-1");
        ASSERT_TRUE(eventually([&] { return viewer.shows(picture); }));
        site.gateway().show(session, "Your desk is moving ... 데스크를 옮기고 있습니다",
                            std::chrono::seconds(20));
        ASSERT_TRUE(eventually([&] { return !viewer.shows(picture); }));
        if (const char* folder = std::getenv("BATON_SCREENSHOTS")) // NOLINT(concurrency-mt-unsafe)
            viewer.photograph(std::string(folder) + "/" + name + ".png");
        site.gateway().show(session, {}, std::chrono::milliseconds(0));
        EXPECT_TRUE(eventually([&] { return viewer.shows(picture); }));
        desktops[which].go_on();
    }

    std::array<testing::DrawingScreen, 2> desktops{testing::DrawingScreen({}),
                                                   testing::DrawingScreen({true, {}, {}})};
    std::array<Screen, 2> places{screen_at("d-graphics", desktops[0].address()),
                                 screen_at("d-text", desktops[1].address())};
    Site site;
};

} // namespace baton::gateway
