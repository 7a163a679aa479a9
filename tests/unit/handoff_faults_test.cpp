#include "support/handoff_scenes.h"

#include <algorithm>

// One thing goes wrong at a time, and what becomes of it is what docs/handoff.md says.
namespace baton::handoff {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using store::CommitFault;
using store::MovePhase;
using store::SessionPhase;
using testing::expect_sound;
using testing::Fault;
using testing::HandoffWorld;
using testing::is_in;
using testing::join;
using testing::quick;
using testing::run_until;
using testing::two_hosts;

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

/// user1 has 4 GiB and user2 2 GiB: the next to join costs a handoff of user1.
void two_served(HandoffWorld& world) {
    two_hosts(world, 6);
    join(world, "user1", "10.9.0.1");
    join(world, "user2", "10.9.0.2");
}

EngineSettings with_grace() {
    EngineSettings settings;
    settings.grace = milliseconds(10'000);
    settings.not_now_delay = milliseconds(60'000);
    return settings;
}

// ---- the new desktop
// -----------------------------------------------------------------------------

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

// ---- releasing: the old desktop
// --------------------------------------------------------------------

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

// ---- after the lease has moved: only forward
// -------------------------------------------------------

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

// ---- "not now"
// -----------------------------------------------------------------------------------

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

// ---- hosts
// ---------------------------------------------------------------------------------------

TEST(HandoffFaults, AHostThatComesBackInTimeKeepsItsSessions) {
    HandoffWorld world(quick());
    two_served(world);
    const auto serving = world.session_of("user1")->desktop;
    const auto host = world.desktop_of("user1")->host.value;
    world.cut(host);
    world.run_for(seconds(20));
    EXPECT_TRUE(world.write(*world.find(serving))) << "a broken link stops nobody's work";
    world.reconnect(host);
    world.settle();
    EXPECT_EQ(world.session_of("user1")->desktop, serving);
    EXPECT_TRUE(world.events_of("host.lost").empty());
    expect_sound(world);
}

TEST(HandoffFaults, ALostHostsSessionsArePlacedAnewAndItsDesktopsCannotWrite) {
    HandoffWorld world(quick());
    world.add_host("host3", 4_GiB);
    two_hosts(world, 4);
    for (const auto* user : {"user1", "user2", "user3", "user4"})
        join(world, user, "10.9.0.1");
    const auto lost = world.desktop_of("user1")->host;
    std::vector<DesktopId> stale;
    for (const auto& [id, desktop] : world.hosts.at(lost).desktops)
        stale.push_back(id);
    world.cut(lost.value); // its desktops run on and reach the desk server
    world.settle();
    EXPECT_EQ(world.events_of("host.lost").size(), 1U);
    for (const auto& id : stale)
        EXPECT_FALSE(world.write(*world.find(id))) << "fenced off";
    for (const auto* user : {"user1", "user2", "user3", "user4"}) {
        ASSERT_NE(world.desktop_of(user), nullptr) << user;
        EXPECT_NE(world.desktop_of(user)->host, lost);
        EXPECT_TRUE(world.write(*world.desktop_of(user)));
    }
    world.reconnect(lost.value);
    world.settle();
    EXPECT_TRUE(world.hosts.at(lost).desktops.empty()) << "stopped when it came back";
    expect_sound(world);
}

TEST(HandoffFaults, WhoHasNoRoomAfterALossWaitsForTheHostToComeBack) {
    HandoffWorld world(quick());
    two_hosts(world, 17);
    for (int i = 1; i <= 16; ++i)
        join(world, "user" + std::to_string(i));
    world.crash_host("host1");
    world.run_for(seconds(60));
    EXPECT_EQ(world.events_of("session.waiting").size(), 8U + 11) << "11 handoffs, 8 lost";
    const auto newcomer = world.open("user17");
    world.run_for(seconds(1));
    ASSERT_TRUE(newcomer->result && !*newcomer->result);
    EXPECT_EQ(newcomer->result->error().code, Errc::refused) << "a newcomer is told at once";
    world.reconnect("host1");
    world.settle();
    EXPECT_EQ(world.store.sessions(false).value().size(), 16U);
    expect_sound(world);
}

TEST(HandoffFaults, WhoCannotBePlacedAfterALossIsTold) {
    HandoffWorld world(quick());
    two_hosts(world, 16);
    for (int i = 1; i <= 16; ++i)
        join(world, "user" + std::to_string(i));
    world.crash_host("host1");
    world.settle();
    EXPECT_EQ(world.store.sessions(false).value().size(), 8U);
    EXPECT_EQ(world.events_of("session.failed").size(), 8U);
    const auto all = world.store.sessions(true).value();
    for (const auto& session : all) {
        if (session.phase == SessionPhase::closed) {
            EXPECT_NE(session.ended_because.find("no memory"), std::string::npos)
                << session.ended_because;
        }
    }
    EXPECT_TRUE(world.engine->remove_host(HostId("host1"))) << "lost for good";
    expect_sound(world);
}

TEST(HandoffFaults, ADesktopThatNobodyKnowsIsStopped) {
    HandoffWorld world(quick());
    two_served(world);
    world.cut("host1");
    world.cut("host2");
    world.plant_stray("host2");
    ASSERT_EQ(world.desktops(), 3U);
    world.reconnect("host1");
    world.reconnect("host2");
    world.settle();
    EXPECT_EQ(world.desktops(), 2U);
    EXPECT_EQ(world.events_of("desktop.unknown").size(), 1U);
    expect_sound(world);
}

TEST(HandoffFaults, ADesktopThatDiesIsReplacedWithTheDeskAndAtLastNotAnyMore) {
    HandoffWorld world(quick());
    two_hosts(world, 1);
    join(world, "user1", "10.9.0.1");
    for (int i = 0; i < 3; ++i) {
        world.everybody_writes();
        const auto written = world.desks.at(DeskName("user1")).flushed;
        world.lose_desktop(world.session_of("user1")->desktop);
        world.settle();
        ASSERT_NE(world.desktop_of("user1"), nullptr);
        EXPECT_EQ(world.desktop_of("user1")->view, written);
    }
    world.lose_desktop(world.session_of("user1")->desktop);
    world.settle();
    EXPECT_FALSE(world.session_of("user1")) << "a desktop that dies again and again is no service";
    EXPECT_FALSE(world.store.sessions(true).value().back().ended_because.empty());
    expect_sound(world);
}

TEST(HandoffFaults, AHostThatIsAddedOrChangesItsMemoryWhileAHandoffIsUnderWayIsUsed) {
    for (const bool added : {true, false}) {
        HandoffWorld world(with_grace());
        two_served(world);
        const auto third = world.open("user3");
        run_until(world, "announcing",
                  [&] { return is_in(world, "user1", MovePhase::announcing); });
        if (added) {
            world.add_host("host3", 4_GiB);
            ASSERT_TRUE(world.engine->add_host(world.hosts.at(HostId("host3")).row));
            world.hosts.at(HostId("host3")).connected = false;
            world.reconnect("host3");
        } else {
            world.hosts.at(HostId("host2")).row.memory = 8_GiB;
            world.cut("host2");
            world.reconnect("host2");
        }
        world.settle();
        ASSERT_TRUE(third->result);
        EXPECT_TRUE(*third->result) << third->result->error().message();
        join(world, "user4");
        join(world, "user5");
        EXPECT_EQ(world.engine->hosts().size(), added ? 3U : 2U);
        Mebibytes used;
        for (const auto& host : world.engine->hosts())
            used += host.used;
        EXPECT_EQ(world.engine->free_memory() + used, 12_GiB);
        expect_sound(world);
    }
}

// ---- waiting, and the store
// ------------------------------------------------------------------------

TEST(HandoffFaults, NoMemoryIsGivenBeforeTheHypervisorHasConfirmedThatItIsFree) {
    HandoffWorld world(quick());
    two_hosts(world, 17);
    for (int i = 1; i <= 16; ++i)
        join(world, "user" + std::to_string(i));
    bool stuck = true;
    world.refuses = [&](const std::string& call, const DesktopId&) -> std::optional<Error> {
        if (call != "stop" || !stuck)
            return std::nullopt;
        return Error{Errc::io, "the hypervisor does not answer", {}, 0};
    };
    world.close(world.session_of("user16")->id);
    world.run_for(seconds(10));
    const auto next = world.open("user17");
    world.run_for(seconds(60));
    EXPECT_FALSE(next->result) << "its place is planned, its memory still in use";
    EXPECT_TRUE(is_in(world, "user17", MovePhase::planned));
    stuck = false;
    world.settle();
    ASSERT_TRUE(next->result && *next->result);
    expect_sound(world);
}

TEST(HandoffFaults, WhoWaitsTooLongIsTold) {
    auto settings = quick();
    settings.waiting_deadline = milliseconds(60'000);
    HandoffWorld world(settings);
    two_served(world);
    // The old desktop of the handoff cannot be stopped: its memory never comes free.
    world.refuses = [](const std::string& call, const DesktopId&) -> std::optional<Error> {
        if (call != "stop")
            return std::nullopt;
        return Error{Errc::io, "the hypervisor does not answer", {}, 0};
    };
    const auto third = world.open("user3");
    run_until(world, "told", [&] { return third->result.has_value(); });
    ASSERT_FALSE(*third->result);
    EXPECT_EQ(third->result->error().code, Errc::timeout);
    world.refuses = {};
    world.settle();
    expect_sound(world);
}

TEST(HandoffFaults, AFullDiskRefusesNewcomersAndHoldsUpMoves) {
    HandoffWorld world(quick());
    two_served(world);
    bool full = true;
    world.store.set_faults(
        [&](std::uint64_t) { return full ? CommitFault::full : CommitFault::none; });
    const auto refused = world.open("user3");
    world.settle();
    ASSERT_TRUE(refused->result && !*refused->result);
    EXPECT_EQ(refused->result->error().code, Errc::full);
    EXPECT_FALSE(world.session_of("user3"));

    full = false;
    const auto third = world.open("user3");
    run_until(world, "preparing", [&] { return is_in(world, "user1", MovePhase::preparing); });
    full = true;
    world.run_for(seconds(90));
    EXPECT_TRUE(is_in(world, "user1", MovePhase::preparing));
    EXPECT_TRUE(world.write(*world.desktop_of("user1"))) << "who is served goes on working";
    full = false;
    world.settle();
    ASSERT_TRUE(third->result && *third->result);
    expect_sound(world);
}

} // namespace
} // namespace baton::handoff
