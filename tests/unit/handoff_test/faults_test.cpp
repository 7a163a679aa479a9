#include "support/handoff_scenes.h"

#include <algorithm>

// One thing goes wrong at a time, and what becomes of it is what docs/handoff.md says.
namespace baton::handoff {
namespace {

using std::chrono::milliseconds;
using store::MovePhase;
using testing::expect_sound;
using testing::Fault;
using testing::HandoffWorld;
using testing::is_in;
using testing::join;
using testing::quick;
using testing::run_until;
using testing::two_hosts;
using testing::two_served;
using testing::with_grace;

/// The n-th call of this name from now on has this fault.
void on_call(HandoffWorld& world, const std::string& name, int n, Fault fault) {
    auto seen = std::make_shared<int>(0);
    world.faults = [=](const std::string& call, std::uint64_t) {
        return call == name && ++*seen == n ? fault : Fault::none;
    };
}

void on_every(HandoffWorld& world, const std::string& name, Fault fault) {
    world.faults = [=](const std::string& call, std::uint64_t) {
        return call == name ? fault : Fault::none;
    };
}

// ---- the new desktop ------------------------------------------------------------------

TEST(HandoffFaults, ANewcomersDesktopThatFailsIsTriedAgain) {
    HandoffWorld world(quick());
    two_hosts(world, 1);
    on_call(world, "start", 1, Fault::timeout_before);
    join(world, "user1");
    EXPECT_EQ(world.events_of("desktop.failed").size(), 1U);
    expect_sound(world);
}

TEST(HandoffFaults, ANewcomerWhoseDesktopsAllFailIsToldAndNothingIsLeft) {
    HandoffWorld world(quick());
    two_hosts(world, 1);
    on_every(world, "start", Fault::fail);
    const auto answer = world.open("user1", "10.9.0.1");
    world.settle();
    ASSERT_TRUE(answer->result && !*answer->result);
    EXPECT_EQ(answer->result->error().code, Errc::io);
    EXPECT_FALSE(world.session_of("user1"));
    EXPECT_EQ(world.desktops(), 0U);
    EXPECT_EQ(world.engine->free_memory(), 8_GiB);
    expect_sound(world);
}

TEST(HandoffFaults, AnImageThatIsNotThereIsNotTriedThreeTimes) {
    HandoffWorld world(quick());
    two_hosts(world, 1);
    int starts = 0;
    world.refuses = [&](const std::string& call, const DesktopId&) -> std::optional<Error> {
        if (call != "start")
            return std::nullopt;
        ++starts;
        return Error{Errc::not_found, "no OS image is called 'tiny-1'", {}, 0};
    };
    const auto answer = world.open("user1");
    world.settle();
    ASSERT_TRUE(answer->result && !*answer->result);
    EXPECT_EQ(answer->result->error().code, Errc::not_found);
    EXPECT_EQ(starts, 1);
    expect_sound(world);
}

TEST(HandoffFaults, AHandoffWhoseNewDesktopFailsIsNotNoticed) {
    HandoffWorld world(quick());
    two_served(world);
    const auto serving = world.session_of("user1")->desktop;
    const auto fence = world.desks.at(DeskName("user1")).fence;
    on_call(world, "start", 1, Fault::timeout_after);
    world.on_step = [&] {
        if (!world.events_of("handoff.failed").empty())
            return;
        ASSERT_EQ(world.session_of("user1")->desktop, serving);
        EXPECT_TRUE(world.write(*world.find(serving)));
    };
    const auto third = world.open("user3");
    world.settle();
    EXPECT_EQ(world.events_of("handoff.failed").size(), 1U);
    ASSERT_TRUE(third->result && *third->result) << "the newcomer was planned anew";
    EXPECT_EQ(world.desks.at(DeskName("user1")).fence, fence.next())
        << "only the handoff that went through took a number";
    world.on_step = {};
    expect_sound(world);
}

TEST(HandoffFaults, ANewcomerForWhomNoHandoffSucceedsIsTold) {
    HandoffWorld world(quick());
    two_served(world);
    const auto serving = world.session_of("user1")->desktop;
    on_every(world, "start", Fault::fail);
    const auto third = world.open("user3");
    world.settle();
    ASSERT_TRUE(third->result && !*third->result);
    EXPECT_EQ(world.session_of("user1")->desktop, serving);
    EXPECT_FALSE(world.session_of("user3"));
    world.faults = {};
    join(world, "user3");
    expect_sound(world);
}

// ---- releasing: the old desktop -------------------------------------------------------

TEST(HandoffFaults, ADeskThatIsNotLetGoInTimeIsTaken) {
    HandoffWorld world(quick());
    two_served(world);
    on_call(world, "release", 1, Fault::timeout_before);
    const auto third = world.open("user3");
    world.settle();
    ASSERT_TRUE(third->result && *third->result);
    EXPECT_EQ(world.events_of("desk.taken").size(), 1U);
    EXPECT_EQ(world.events_of("handoff.done").size(), 1U);
    EXPECT_EQ(world.desktop_of("user1")->order.memory, 2_GiB);
    expect_sound(world);
}

TEST(HandoffFaults, AGuestThatRefusesToLetGoKeepsItsDesk) {
    HandoffWorld world(quick());
    two_served(world);
    const auto serving = world.session_of("user1")->desktop;
    bool refused = false;
    world.refuses = [&](const std::string& call, const DesktopId&) -> std::optional<Error> {
        if (call != "release" || std::exchange(refused, true))
            return std::nullopt;
        return Error{Errc::busy, "a program holds the desk", {}, 0};
    };
    world.open("user3");
    run_until(world, "refusal", [&] { return !world.events_of("handoff.failed").empty(); });
    EXPECT_EQ(world.session_of("user1")->desktop, serving);
    EXPECT_TRUE(world.write(*world.find(serving)));
    world.settle();
    expect_sound(world);
}

TEST(HandoffFaults, ANewDesktopLostWhileTheOldLetsGoGivesTheDeskBack) {
    HandoffWorld world(quick());
    two_served(world);
    const auto serving = world.session_of("user1")->desktop;
    const auto fence = world.desks.at(DeskName("user1")).fence;
    world.open("user3");
    run_until(world, "releasing", [&] { return is_in(world, "user1", MovePhase::releasing); });
    const auto moves = world.store.moves(false).value();
    for (const auto& move : moves)
        if (!move.from.empty())
            world.lose_desktop(move.to);
    run_until(world, "returning", [&] { return is_in(world, "user1", MovePhase::returning); });
    run_until(world, "given back", [&] { return !world.events_of("handoff.failed").empty(); });
    EXPECT_EQ(world.session_of("user1")->desktop, serving);
    EXPECT_EQ(world.desks.at(DeskName("user1")).fence, fence.next()) << "a new number";
    EXPECT_TRUE(world.write(*world.find(serving))) << "the old desktop has the desk again";
    world.settle();
    expect_sound(world);
}

TEST(HandoffFaults, AnOldDesktopThatDiesBeforeItLetsGoIsHandedOffAllTheSame) {
    for (const auto phase : {MovePhase::preparing, MovePhase::announcing, MovePhase::releasing}) {
        HandoffWorld world(with_grace());
        two_served(world);
        const auto third = world.open("user3");
        run_until(world, "the phase", [&] { return is_in(world, "user1", phase); });
        world.lose_desktop(world.session_of("user1")->desktop);
        world.settle();
        ASSERT_TRUE(third->result && *third->result);
        EXPECT_EQ(world.desktop_of("user1")->order.memory, 2_GiB);
        EXPECT_EQ(world.events_of("handoff.done").size(), 1U);
        expect_sound(world);
    }
}

// ---- after the lease has moved: only forward ------------------------------------------

TEST(HandoffFaults, AttachingIsRetriedForward) {
    HandoffWorld world(quick());
    two_served(world);
    on_call(world, "attach", 1, Fault::timeout_after);
    const auto third = world.open("user3");
    world.settle();
    ASSERT_TRUE(third->result && *third->result);
    EXPECT_EQ(world.events_of("handoff.done").size(), 1U);
    EXPECT_TRUE(world.events_of("desktop.lost").empty());
    expect_sound(world);
}

TEST(HandoffFaults, ANewDesktopThatDiesWithTheDeskIsReplacedByAnother) {
    for (const auto phase : {MovePhase::attaching, MovePhase::routing, MovePhase::draining}) {
        HandoffWorld world(quick());
        two_served(world);
        const auto third = world.open("user3");
        run_until(world, "the phase", [&] { return is_in(world, "user1", phase); });
        const auto moves = world.store.moves(false).value();
        for (const auto& move : moves)
            if (move.phase == phase)
                world.lose_desktop(move.to);
        world.settle();
        ASSERT_TRUE(third->result && *third->result);
        EXPECT_EQ(world.events_of("desktop.lost").size(), 1U);
        EXPECT_TRUE(world.session_of("user1"));
        expect_sound(world);
    }
}

TEST(HandoffFaults, AStoreFromABackupCatchesUpWithTheDeskServersNumbers) {
    HandoffWorld world(quick());
    two_hosts(world, 1);
    world.desks.at(DeskName("user1")).fence = FencingNumber{1'000};
    join(world, "user1");
    EXPECT_GT(world.store.desk(DeskName("user1")).value()->fence, FencingNumber{1'000});
    expect_sound(world);
}

TEST(HandoffFaults, ADamagedDeskIsNeverAttachedAndThePersonIsTold) {
    HandoffWorld world(quick());
    two_hosts(world, 1);
    world.desks.at(DeskName("user1")).damaged = true;
    const auto answer = world.open("user1");
    world.settle();
    ASSERT_TRUE(answer->result && !*answer->result);
    EXPECT_EQ(answer->result->error().code, Errc::corrupt);
    EXPECT_EQ(world.desktops(), 0U);
    expect_sound(world);
}

TEST(HandoffFaults, ADeskServerThatIsAwayForAWhileIsWaitedFor) {
    HandoffWorld world(quick());
    two_hosts(world, 1);
    int asked = 0;
    world.refuses = [&](const std::string& call, const DesktopId&) -> std::optional<Error> {
        if (call != "lease" || ++asked > 4)
            return std::nullopt;
        return Error{Errc::unavailable, "the desk server cannot be reached", {}, 0};
    };
    join(world, "user1");
    EXPECT_EQ(asked, 5);
    expect_sound(world);
}

TEST(HandoffFaults, ARouteThatCannotBePointedEndsAnOpenButNotAHandoff) {
    HandoffWorld world(quick());
    two_served(world);
    on_every(world, "point", Fault::fail);
    const auto third = world.open("user3", "10.9.0.3");
    run_until(world, "told", [&] { return !world.events_of("route.failed").empty(); });
    EXPECT_EQ(world.desktop_of("user1")->order.memory, 2_GiB);
    run_until(world, "refused", [&] { return third->result.has_value(); });
    EXPECT_FALSE(*third->result);
    world.faults = {};
    world.settle();
    expect_sound(world); // the route of user1 included: it was not given up
}

// ---- "not now" ----------------------------------------------------------------------

TEST(HandoffFaults, NotNowTakesTheNextCandidateAndTellsTheNewcomer) {
    HandoffWorld world(with_grace());
    two_hosts(world, 6);
    for (const auto* user : {"user1", "user2", "user3", "user4"})
        join(world, user);
    // Sizes 2 2 2 1: the fifth costs a handoff of user3, the latest of the larger ones.
    const auto fifth = world.open("user5");
    run_until(world, "announcing", [&] { return is_in(world, "user3", MovePhase::announcing); });
    const auto asked = world.session_of("user3")->desktop;
    world.say(asked, false);
    world.settle();
    ASSERT_TRUE(fifth->result && *fifth->result);
    EXPECT_EQ(world.session_of("user3")->desktop, asked) << "who said no keeps the desktop";
    EXPECT_EQ(world.desktop_of("user3")->order.memory, 2_GiB);
    EXPECT_EQ(world.desktop_of("user2")->order.memory, 1_GiB) << "the next candidate";
    const auto told = world.events_of("session.waiting");
    EXPECT_TRUE(std::ranges::any_of(told, [&](const auto& event) {
        return event.subject == world.session_of("user5")->id.value &&
               event.text.find("more time") != std::string::npos;
    }));
    expect_sound(world);
}

TEST(HandoffFaults, NotNowHoldsOnce) {
    HandoffWorld world(with_grace());
    two_served(world);
    const auto third = world.open("user3");
    run_until(world, "announcing", [&] { return is_in(world, "user1", MovePhase::announcing); });
    world.say(world.session_of("user1")->desktop, false);
    world.settle();
    ASSERT_TRUE(third->result && *third->result);
    EXPECT_TRUE(world.session_of("user1")->deferred);
    // After the delay it is user1's turn again, and "not now" is not offered any more.
    world.notices.clear();
    const auto fourth = world.open("user4");
    const auto fifth = world.open("user5");
    run_until(world, "asked again", [&] { return is_in(world, "user1", MovePhase::announcing); });
    const auto desktop = world.session_of("user1")->desktop;
    world.say(desktop, false);
    EXPECT_TRUE(is_in(world, "user1", MovePhase::announcing)) << "the second no does not count";
    for (const auto& notice : world.notices) {
        if (notice.starts_with(desktop.value)) {
            EXPECT_EQ(notice.find("not now"), std::string::npos) << notice;
        }
    }
    world.settle();
    EXPECT_LT(world.desktop_of("user1")->order.memory, 4_GiB);
    EXPECT_FALSE(world.session_of("user1")->deferred) << "handed off: may say it again";
    expect_sound(world);
}

} // namespace
} // namespace baton::handoff
