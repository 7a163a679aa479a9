#include "support/handoff_scenes.h"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

// What people and operators see of the engine when all goes well.
namespace baton::handoff {
namespace {

using std::chrono::milliseconds;
using store::MovePhase;
using store::SessionPhase;
using testing::expect_sound;
using testing::HandoffWorld;
using testing::is_in;
using testing::join;
using testing::quick;
using testing::run_until;
using testing::two_hosts;

boost::json::object data_of(const store::EventRow& event) {
    return boost::json::parse(event.data_json).as_object();
}

EngineSettings patient() {
    EngineSettings settings;
    settings.grace = milliseconds(30'000);
    return settings;
}

/// Up to where user1 has been told of the handoff that user3 costs.
void announce_to_user1(HandoffWorld& world) {
    two_hosts(world, 3);
    join(world, "user1");
    join(world, "user2");
    world.open("user3");
    run_until(world, "announcing", [&] { return is_in(world, "user1", MovePhase::announcing); });
}

TEST(Handoff, CarriesDeskRouteAndPasswordAndForgetsTheOs) {
    HandoffWorld world(quick());
    two_hosts(world, 3);
    const auto before = join(world, "user1", "10.9.0.1");
    join(world, "user2", "10.9.0.2");
    world.everybody_writes();
    const auto old_desktop = world.desktop_of("user1")->order.desktop;
    ASSERT_GT(world.desktop_of("user1")->os_writes, 0U);
    const auto written = world.desks.at(DeskName("user1")).flushed;
    const auto fence = world.desks.at(DeskName("user1")).fence;

    const auto third = world.open("user3", "10.9.0.3");
    world.settle();
    ASSERT_TRUE(third->result && *third->result);
    const auto after = world.session_of("user1").value();
    const auto* desktop = world.desktop_of("user1");
    ASSERT_NE(desktop, nullptr);
    EXPECT_NE(desktop->order.desktop, old_desktop);
    EXPECT_EQ(desktop->order.memory, 2_GiB);
    EXPECT_EQ(desktop->view, written) << "what was flushed is there";
    EXPECT_EQ(desktop->os_writes, 0U) << "what was written to the OS is gone";
    EXPECT_EQ(desktop->order.screen_password, before.row.screen_password);
    EXPECT_EQ(after.listen_port, before.row.listen_port);
    EXPECT_EQ(after.id, before.row.id);
    EXPECT_GT(world.desks.at(DeskName("user1")).fence, fence);
    EXPECT_EQ(world.find(old_desktop), nullptr);
    expect_sound(world);
}

TEST(Handoff, FiguresAreMeasuredByTheMonotonicClock) {
    HandoffWorld world(quick());
    two_hosts(world, 3);
    join(world, "user1", "10.9.0.1");
    join(world, "user2", "10.9.0.2");
    world.on_step = [&] { world.clock.jump_wall(std::chrono::hours(-3)); };
    join(world, "user3", "10.9.0.3");

    const auto done = world.events_of("handoff.done");
    ASSERT_EQ(done.size(), 1U);
    const auto handoff = data_of(done[0]);
    // The simulated world: boot 1 s, release 200 ms, lease 20, attach 100, route 10, stop 50.
    EXPECT_EQ(handoff.at("prepare_ms"), 1000.0);
    EXPECT_EQ(handoff.at("release_ms"), 200.0);
    EXPECT_EQ(handoff.at("lease_ms"), 20.0);
    EXPECT_EQ(handoff.at("attach_ms"), 100.0);
    EXPECT_EQ(handoff.at("route_ms"), 10.0);
    EXPECT_EQ(handoff.at("drain_ms"), 50.0);
    EXPECT_EQ(handoff.at("interruption_ms"), 330.0);

    const auto opened = world.events_of("session.opened");
    ASSERT_EQ(opened.size(), 3U);
    EXPECT_EQ(data_of(opened[0]).at("handoff"), false);
    EXPECT_EQ(data_of(opened[0]).at("total_ms"), 1000.0 + 20 + 100 + 10);
    EXPECT_EQ(data_of(opened[2]).at("handoff"), true);
    EXPECT_EQ(data_of(opened[2]).at("total_ms"), (1000.0 + 330 + 50) + 1130);
    world.on_step = {};
    expect_sound(world);
}

TEST(Handoff, TheOldDesktopServesUntilTheGracePeriodEnds) {
    HandoffWorld world(patient());
    announce_to_user1(world);
    const auto announced = world.clock.monotonic();
    while (is_in(world, "user1", MovePhase::announcing)) {
        ASSERT_NE(world.desktop_of("user1"), nullptr);
        EXPECT_EQ(world.desktop_of("user1")->order.memory, 4_GiB);
        EXPECT_TRUE(world.write(*world.desktop_of("user1"))) << "the person is still working";
        ASSERT_TRUE(world.step());
    }
    EXPECT_EQ(world.clock.monotonic() - announced, milliseconds(30'000));
    world.settle();
    ASSERT_EQ(world.notices.size(), 1U);
    EXPECT_NE(world.notices[0].find("2 GiB in 30 s"), std::string::npos) << world.notices[0];
    EXPECT_NE(world.notices[0].find("[now|not now]"), std::string::npos);
    expect_sound(world);
}

TEST(Handoff, WhoSaysNowIsHandedOffAtOnce) {
    HandoffWorld world(patient());
    announce_to_user1(world);
    const auto announced = world.clock.monotonic();
    world.say(world.session_of("user1")->desktop, true);
    EXPECT_TRUE(is_in(world, "user1", MovePhase::releasing));
    EXPECT_EQ(world.clock.monotonic(), announced);
    world.settle();
    expect_sound(world);
}

// ---- asking twice ---------------------------------------------------------------------

TEST(Handoff, WhoAsksTwiceGetsTheirOwnSession) {
    HandoffWorld world(quick());
    two_hosts(world, 2);
    const auto first = world.open("user1", "10.9.0.1");
    world.run_for(milliseconds(300));
    const auto second = world.open("user1", "10.9.0.1");
    EXPECT_FALSE(first->result);
    world.settle();
    ASSERT_TRUE(first->result && *first->result && second->result && *second->result);
    EXPECT_EQ(first->result->value().row.id, second->result->value().row.id);
    const auto third = join(world, "user1", "10.9.0.1");
    EXPECT_EQ(third.row.id, first->result->value().row.id);
    EXPECT_EQ(world.desktops(), 1U);
    expect_sound(world);
}

TEST(Handoff, WhoComesFromAnotherClientIsRoutedThere) {
    HandoffWorld world(quick());
    two_hosts(world, 2);
    join(world, "user1", "10.9.0.1");
    join(world, "user2", "10.9.0.2");
    const auto moved = join(world, "user1", "10.9.0.2");
    EXPECT_EQ(moved.row.client, "10.9.0.2");
    EXPECT_NE(moved.row.listen_port, world.session_of("user2")->listen_port);
    expect_sound(world);
}

TEST(Handoff, APasswordThatHasExpiredIsReplacedOnAsking) {
    HandoffWorld world(quick());
    two_hosts(world, 1);
    const auto first = join(world, "user1", "10.9.0.1");
    EXPECT_EQ(first.row.screen_password.size(), 8U);
    world.clock.jump_wall(std::chrono::hours(13));
    const auto second = join(world, "user1", "10.9.0.1");
    EXPECT_NE(second.row.screen_password, first.row.screen_password);
    EXPECT_GT(second.row.screen_password_until, world.clock.wall());
    EXPECT_EQ(world.desktop_of("user1")->order.screen_password, second.row.screen_password);
    EXPECT_EQ(world.desktop_of("user1")->order.screen_password_until,
              second.row.screen_password_until);
    expect_sound(world);
}

TEST(Handoff, WhoAsksWhileTheirSessionClosesGetsANewOne) {
    HandoffWorld world(quick());
    two_hosts(world, 1);
    const auto first = join(world, "user1");
    const auto closed = world.close(first.row.id);
    const auto again = world.open("user1");
    world.settle();
    ASSERT_TRUE(closed->has_value() && **closed);
    ASSERT_TRUE(again->result && *again->result);
    EXPECT_NE(again->result->value().row.id, first.row.id);
    expect_sound(world);
}

// ---- leaving and growing --------------------------------------------------------------

TEST(Handoff, ClosingLeavesNothingBehind) {
    HandoffWorld world(quick());
    two_hosts(world, 1);
    const auto session = join(world, "user1", "10.9.0.1");
    const auto closed = world.close(session.row.id);
    world.settle();
    ASSERT_TRUE(closed->has_value() && **closed);
    EXPECT_EQ(world.desktops(), 0U);
    EXPECT_TRUE(world.routes.empty());
    EXPECT_FALSE(world.desks.at(DeskName("user1")).open);
    EXPECT_EQ(world.store.desk(DeskName("user1")).value()->holder, SessionId());
    EXPECT_EQ(world.engine->free_memory(), 8_GiB);
    const auto ended = world.engine->session(session.row.id);
    ASSERT_TRUE(ended);
    EXPECT_EQ(ended->row.phase, SessionPhase::closed);
    EXPECT_EQ(ended->row.ended_because, "closed by request");
    EXPECT_TRUE(ended->row.screen_password.empty());
    expect_sound(world);
}

TEST(Handoff, LoggingOutClosesTheSession) {
    HandoffWorld world(quick());
    two_hosts(world, 1);
    const auto session = join(world, "user1");
    world.engine->on_logged_out(session.row.desktop);
    world.settle();
    EXPECT_FALSE(world.session_of("user1"));
    EXPECT_EQ(world.engine->session(session.row.id)->row.ended_because,
              "the person has logged out");
    expect_sound(world);
}

TEST(Handoff, WhoLeavesMakesOthersGrowBackOnlyWhenThatIsWanted) {
    for (const bool grow_back : {false, true}) {
        auto settings = quick();
        settings.grow_when_leaving = grow_back;
        HandoffWorld world(settings);
        two_hosts(world, 8);
        for (int i = 1; i <= 8; ++i)
            join(world, "user" + std::to_string(i));
        for (int i = 8; i >= 2; --i) {
            world.close(world.session_of("user" + std::to_string(i))->id);
            world.settle();
            world.everybody_writes();
        }
        EXPECT_EQ(world.desktop_of("user1")->order.memory, grow_back ? 4_GiB : 1_GiB);
        expect_sound(world);
    }
}

TEST(Handoff, GrowsOnRequestWithoutAGracePeriod) {
    HandoffWorld world(patient());
    two_hosts(world, 3);
    for (const auto* user : {"user1", "user2", "user3"})
        join(world, user);
    world.close(world.session_of("user2")->id);
    world.close(world.session_of("user3")->id);
    world.settle();
    const auto notices = world.notices.size();
    const auto grown = world.grow(world.session_of("user1")->id);
    world.settle();
    ASSERT_TRUE(grown->result);
    ASSERT_TRUE(*grown->result) << grown->result->error().message();
    EXPECT_GT(world.desktop_of("user1")->order.memory, 2_GiB);
    EXPECT_EQ(world.notices.size(), notices) << "who asked need not be warned";
    expect_sound(world);
}

TEST(Handoff, AWishToGrowIsNotedAndComesTrueWhenMemoryIsFree) {
    HandoffWorld world(quick());
    two_hosts(world, 16);
    for (int i = 1; i <= 16; ++i)
        join(world, "user" + std::to_string(i));
    const auto wish = world.grow(world.session_of("user1")->id);
    world.settle();
    ASSERT_TRUE(wish->result && !*wish->result);
    EXPECT_EQ(wish->result->error().code, Errc::refused);
    EXPECT_EQ(world.desktop_of("user1")->order.memory, 512_MiB);
    for (int i = 2; i <= 16; ++i) {
        world.close(world.session_of("user" + std::to_string(i))->id);
        world.settle();
    }
    EXPECT_GT(world.desktop_of("user1")->order.memory, 512_MiB);
    expect_sound(world);
}

// ---- emptying a host ------------------------------------------------------------------

TEST(Handoff, DrainingEmptiesAHostAndNothingGoesThere) {
    HandoffWorld world(quick());
    two_hosts(world, 4);
    for (const auto* user : {"user1", "user2", "user3"})
        join(world, user);
    const auto drained = world.drain("host1");
    world.settle();
    ASSERT_TRUE(drained->has_value());
    ASSERT_TRUE(**drained) << (**drained).error().message();
    EXPECT_TRUE(world.hosts.at(HostId("host1")).desktops.empty());
    join(world, "user4");
    EXPECT_TRUE(world.hosts.at(HostId("host1")).desktops.empty());
    EXPECT_TRUE(world.engine->remove_host(HostId("host1")));
    expect_sound(world);
}

TEST(Handoff, DrainingSaysWhenThereIsNoRoomAndCanBeTakenBack) {
    HandoffWorld world(quick());
    two_hosts(world, 17);
    for (int i = 1; i <= 16; ++i)
        join(world, "user" + std::to_string(i));
    const auto drained = world.drain("host1");
    world.settle();
    ASSERT_TRUE(drained->has_value());
    ASSERT_FALSE(**drained);
    EXPECT_EQ((**drained).error().code, Errc::refused);
    EXPECT_EQ(world.engine->remove_host(HostId("host1")).error().code, Errc::busy);
    world.undrain("host1");
    world.close(world.session_of("user16")->id);
    world.settle();
    join(world, "user17");
    expect_sound(world);
}

// ---- bad input ----------------------------------------------------------------------

TEST(Handoff, BadInputIsNamedAndChangesNothing) {
    HandoffWorld world(quick());
    two_hosts(world, 5);
    store::Change change;
    auto rows = world.store.desks().value();
    rows[0].state = store::DeskState::damaged;
    rows[1].state = store::DeskState::checked_out;
    rows[1].away_to = "stick";
    rows[1].away_by = UserName("user9");
    rows[1].away_since = WallTime(std::chrono::hours(1));
    std::string last;
    change.desks = {rows[0], rows[1]};
    change.users = {{UserName("user3"), Role::user, "", true, {}}};
    ASSERT_TRUE(world.store.commit(change));
    const auto commits = world.store.commits();

    const auto code_of = [&](const std::string& user, const std::string& client,
                             const std::string& desk) {
        std::optional<Result<SessionView>> result;
        world.engine->open({UserName(user), OsImageId("tiny-1"), client, DeskName(desk)},
                           [&](auto answer) { result = answer; });
        world.settle();
        EXPECT_TRUE(result && !*result) << user;
        EXPECT_FALSE(result->error().what.empty());
        last = result->error().what;
        return result->error().code;
    };
    EXPECT_EQ(code_of("nobody", "", ""), Errc::not_found);
    EXPECT_EQ(code_of("user3", "", ""), Errc::forbidden);
    EXPECT_EQ(code_of("user4", "not an address", ""), Errc::invalid_argument);
    EXPECT_EQ(code_of("user4", "", "none"), Errc::not_found);
    EXPECT_EQ(code_of("user4", "", "user5"), Errc::forbidden);
    EXPECT_EQ(code_of("user1", "", ""), Errc::corrupt);
    EXPECT_EQ(code_of("user2", "", ""), Errc::busy);
    EXPECT_EQ(last, "the desk 'user2' was taken away to stick by user9 on 1970-01-01 at 01:00 UTC");
    EXPECT_EQ(world.store.commits(), commits);

    const auto closed = world.close(SessionId("s-none"));
    const auto grown = world.grow(SessionId("s-none"));
    const auto drained = world.drain("nowhere");
    world.settle();
    EXPECT_EQ((*closed)->error().code, Errc::not_found);
    EXPECT_EQ(grown->result->error().code, Errc::not_found);
    EXPECT_EQ((*drained)->error().code, Errc::not_found);
    EXPECT_EQ(world.engine->undrain(HostId("nowhere")).error().code, Errc::not_found);
    EXPECT_EQ(world.engine->session(SessionId("s-none")).error().code, Errc::not_found);
    store::HostRow tiny;
    tiny.id = HostId("tiny");
    tiny.memory = 1_GiB;
    tiny.reserve = 1_GiB;
    EXPECT_EQ(world.engine->add_host(tiny).error().code, Errc::invalid_argument);
    EXPECT_EQ(world.store.commits(), commits);
    expect_sound(world);
}

TEST(Handoff, PortsAreKeyedWithTheClientAndRunOut) {
    auto settings = quick();
    settings.first_listen_port = 6000;
    settings.last_listen_port = 6001;
    HandoffWorld world(settings);
    two_hosts(world, 4);
    EXPECT_EQ(join(world, "user1", "10.9.0.1").row.listen_port, 6000);
    EXPECT_EQ(join(world, "user2", "10.9.0.1").row.listen_port, 6001);
    EXPECT_EQ(join(world, "user3", "10.9.0.2").row.listen_port, 6000);
    const auto refused = world.open("user4", "10.9.0.1");
    world.settle();
    ASSERT_TRUE(refused->result && !*refused->result);
    EXPECT_EQ(refused->result->error().code, Errc::full);
    expect_sound(world);
}

TEST(Handoff, AGuestWithoutADeskSkipsTheLease) {
    HandoffWorld world(quick());
    world.add_host("host1", 4_GiB);
    world.add_host("host2", 4_GiB);
    for (const auto* user : {"a", "b", "c"})
        world.add_user(user, false);
    world.boot();
    for (const auto* user : {"a", "b", "c"})
        join(world, user, "10.9.0.1");
    EXPECT_EQ(world.events_of("handoff.done").size(), 1U);
    EXPECT_EQ(data_of(world.events_of("handoff.done")[0]).at("interruption_ms"), 10.0);
    expect_sound(world);
}

TEST(Handoff, ASessionWithoutAnyHostIsRefused) {
    HandoffWorld world(quick());
    world.add_user("kim");
    world.boot();
    const auto answer = world.open("kim");
    world.settle();
    ASSERT_TRUE(answer->result && !*answer->result);
    EXPECT_EQ(answer->result->error().code, Errc::refused);
    expect_sound(world);
}

} // namespace
} // namespace baton::handoff
