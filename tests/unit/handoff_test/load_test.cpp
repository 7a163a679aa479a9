#include "allocation/trace.h"
#include "support/handoff_scenes.h"

// Loads of hosts through the engine: who gets which host, and that it is written down before.
namespace baton::handoff {
namespace {

using std::chrono::seconds;
using testing::expect_sound;
using testing::HandoffWorld;
using testing::join;
using testing::quick;
using testing::two_hosts;

std::string host_of(HandoffWorld& world, const std::string& user) {
    const auto* desktop = world.desktop_of(user);
    return desktop == nullptr ? "nowhere" : desktop->host.value;
}

/// As batond: every few seconds, for as long as the test lasts.
void hear(HandoffWorld& world, const std::string& host, Load load, int valid_s = 3600) {
    world.engine->host_load(HostId(host), load, seconds(valid_s));
}

TEST(HandoffLoad, ABusyHostIsPassedOver) {
    HandoffWorld world(quick());
    two_hosts(world, 3);
    hear(world, "host1", Load::busy);
    hear(world, "host2", Load::idle);
    EXPECT_EQ(world.engine->hosts().at(0).load, Load::busy);
    join(world, "user1");
    EXPECT_EQ(host_of(world, "user1"), "host2");
    const auto told = world.events_of("host.load");
    ASSERT_EQ(told.size(), 2U);
    EXPECT_EQ(told[0].text, "host1 is busy, by its monitor, and was usual: less loaded hosts with "
                            "room get new desktops first.");
    EXPECT_EQ(told[1].data_json, R"({"load":"idle","was":"usual","known":true})");
    expect_sound(world);
}

TEST(HandoffLoad, ItIsAnEventOnlyWhenAPlanGoesByIt) {
    HandoffWorld world(quick());
    two_hosts(world, 3);
    for (const Load load : {Load::busy, Load::swamped, Load::idle, Load::usual, Load::busy})
        hear(world, "host1", load);
    world.run_for(seconds(5));
    EXPECT_TRUE(world.events_of("host.load").empty());
    join(world, "user1");
    EXPECT_EQ(world.events_of("host.load").size(), 1U);
    hear(world, "host1", Load::busy);
    join(world, "user2");
    EXPECT_EQ(world.events_of("host.load").size(), 1U);
}

TEST(HandoffLoad, StaleReadingsCountAsNone) {
    HandoffWorld world(quick());
    two_hosts(world, 3);
    hear(world, "host1", Load::swamped, 10);
    world.run_for(seconds(6));
    hear(world, "host1", Load::swamped, 10); // believed until 16 s
    world.run_for(seconds(6));
    EXPECT_EQ(world.engine->hosts().at(0).load, Load::swamped);
    join(world, "user1");
    EXPECT_EQ(host_of(world, "user1"), "host2");
    ASSERT_TRUE(world.close(world.session_of("user1")->id));
    world.run_for(seconds(10));
    EXPECT_EQ(world.engine->hosts().at(0).load, std::nullopt);
    join(world, "user2");
    EXPECT_EQ(host_of(world, "user2"), "host1");
    EXPECT_EQ(world.events_of("host.load").back().text,
              "Nothing is heard of host1's load any more, which was swamped: it counts as usual.");
}

TEST(HandoffLoad, CanBeSwitchedOff) {
    auto settings = quick();
    settings.place_by_load = false;
    HandoffWorld world(settings);
    two_hosts(world, 2);
    hear(world, "host1", Load::swamped);
    join(world, "user1");
    EXPECT_EQ(host_of(world, "user1"), "host1");
    EXPECT_TRUE(world.events_of("host.load").empty());
}

// Loads are an input of the plans and written down before one goes by them: the events, played
// into another allocator, give the same plans.
TEST(HandoffLoad, TheEventsGiveTheSamePlansAgain) {
    HandoffWorld world(quick());
    for (const auto* name : {"host3", "host4"})
        world.add_host(name, 4_GiB);
    two_hosts(world, 12);
    const Load loads[] = {Load::busy, Load::idle, Load::usual, Load::swamped};
    for (unsigned n = 1; n <= 12; ++n) {
        hear(world, "host" + std::to_string(n * 7 % 4 + 1), loads[n * 5 % 4]);
        join(world, "user" + std::to_string(n));
    }
    std::vector<allocation::HostCapacity> hosts;
    for (const auto& [id, host] : world.hosts)
        hosts.push_back({id, host.row.memory, true});
    const auto again = allocation::make_allocator("paper", {}, hosts).value();
    std::size_t load_changes = 0;
    for (const auto& event : world.events) {
        if (event.kind == "host.load") {
            constexpr std::string_view before = R"({"load":")";
            const auto word = event.data_json.substr(before.size());
            const auto load = load_from(word.substr(0, word.find('"')));
            ASSERT_TRUE(load) << event.data_json;
            ASSERT_TRUE(again->set_load(HostId(event.subject), *load));
            ++load_changes;
        } else if (event.kind == "session.opened") {
            const auto plan = again->join(SessionId(event.subject));
            ASSERT_TRUE(plan);
            if (plan->handoff) {
                ASSERT_TRUE(again->finish_handoff(plan->handoff->session));
            }
        }
    }
    EXPECT_GT(load_changes, 4U);
    for (unsigned n = 1; n <= 12; ++n) {
        const auto user = "user" + std::to_string(n);
        const auto place = again->find(world.session_of(user)->id);
        ASSERT_TRUE(place) << user;
        EXPECT_EQ(place->block.host.value, host_of(world, user)) << user;
        EXPECT_EQ(place->block.size, world.desktop_of(user)->order.memory) << user;
    }
    expect_sound(world);
}

TEST(HandoffLoad, APlanMadeAnewKnowsTheLoadsStill) {
    HandoffWorld world(quick());
    world.add_host("host3", 4_GiB);
    two_hosts(world, 3);
    hear(world, "host1", Load::busy);
    join(world, "user1");
    EXPECT_EQ(host_of(world, "user1"), "host2");
    world.boot(); // a new life: nothing is known until readings come again
    world.settle();
    EXPECT_EQ(world.engine->hosts().at(0).load, std::nullopt);
    hear(world, "host1", Load::busy);
    join(world, "user2");
    EXPECT_EQ(host_of(world, "user2"), "host3");
    world.crash_host("host1");
    world.run_for(seconds(60));
    world.reconnect("host1");
    world.settle();
    join(world, "user3");
    expect_sound(world);
}

} // namespace
} // namespace baton::handoff
