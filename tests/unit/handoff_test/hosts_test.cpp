#include "support/handoff_scenes.h"

// Hosts that come and go, memory that is slow to come free, a store that is full.
namespace baton::handoff {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using store::CommitFault;
using store::MovePhase;
using store::SessionPhase;
using testing::expect_sound;
using testing::HandoffWorld;
using testing::is_in;
using testing::join;
using testing::quick;
using testing::run_until;
using testing::two_hosts;
using testing::two_served;
using testing::with_grace;

// ---- hosts ----------------------------------------------------------------------

TEST(HandoffHosts, AHostThatComesBackInTimeKeepsItsSessions) {
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

TEST(HandoffHosts, ALostHostsSessionsArePlacedAnewAndItsDesktopsCannotWrite) {
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

TEST(HandoffHosts, WhoHasNoRoomAfterALossWaitsForTheHostToComeBack) {
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

TEST(HandoffHosts, WhoCannotBePlacedAfterALossIsTold) {
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

TEST(HandoffHosts, ADesktopThatNobodyKnowsIsStopped) {
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

TEST(HandoffHosts, ADesktopThatDiesIsReplacedWithTheDeskAndAtLastNotAnyMore) {
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

TEST(HandoffHosts, AHostThatIsAddedOrChangesItsMemoryWhileAHandoffIsUnderWayIsUsed) {
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

// ---- waiting, and the store -----------------------------------------------------------

TEST(HandoffHosts, NoMemoryIsGivenBeforeTheHypervisorHasConfirmedThatItIsFree) {
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

TEST(HandoffHosts, WhoWaitsTooLongIsTold) {
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

TEST(HandoffHosts, AFullDiskRefusesNewcomersAndHoldsUpMoves) {
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
