#include "programs/batond/needs.h"
#include "support/handoff_scenes.h"

// From what a person used to the size that they get: readings, the sizing rule, policy "advised".
namespace baton::controller {
namespace {

using handoff::AdvisedFloor;
using testing::HandoffWorld;
using testing::join;

const OsImageId image{"tiny-1"};

monitor::Reading reading(const std::string& session, double hour, double used_mib) {
    monitor::Reading one;
    one.host = HostId("host1");
    one.wall = WallTime(std::chrono::milliseconds(static_cast<std::int64_t>(hour * 3'600'000)));
    monitor::DesktopReading desktop;
    desktop.who.session = SessionId(session);
    desktop.rates.memory_used_bytes = used_mib * 1024 * 1024;
    one.desktops.push_back(desktop);
    return one;
}

TEST(Needs, SizesAreThoseOfAllocation) {
    EXPECT_EQ(sizes_of({}), (std::vector{512_MiB, 1_GiB, 2_GiB, 4_GiB}));
}

TEST(Needs, NothingIsAdvisedBeforeAnHourHasBeenMeasured) {
    Needs needs(sizes_of({}));
    EXPECT_FALSE(needs.find(UserName("kim"), image));
    needs.observe(UserName("kim"), image, {.hour = 10, .need_mebibytes = 1500});
    needs.observe(UserName("kim"), image, {.hour = 10.9, .need_mebibytes = 1500});
    EXPECT_FALSE(needs.find(UserName("kim"), image));
    needs.observe(UserName("kim"), image, {.hour = 11, .need_mebibytes = 1500});
    const auto floor = needs.find(UserName("kim"), image);
    ASSERT_TRUE(floor);
    EXPECT_EQ(floor->least, 2_GiB);
    EXPECT_FALSE(floor->why.empty());
    EXPECT_FALSE(needs.find(UserName("kim"), OsImageId("desktop-1")));
    EXPECT_FALSE(needs.find(UserName("lee"), image));
}

TEST(Needs, WhoNeedsMoreThanThereIsNeedsTheLargest) {
    Needs needs(sizes_of({}));
    for (int hour = 1; hour < 4; ++hour)
        needs.observe(UserName("kim"), image,
                      {.hour = static_cast<double>(hour), .need_mebibytes = 9000});
    EXPECT_EQ(needs.find(UserName("kim"), image)->least, 4_GiB);
}

// The whole way: what user7 used in one session decides what they are given in the next.
TEST(Needs, WhatSomebodyUsedIsTheirFloorAtTheNextLogin) {
    Needs needs(sizes_of({}));
    auto settings = testing::quick();
    settings.policy = "advised";
    settings.advice = [&needs](const UserName& user, const OsImageId& with) {
        return needs.find(user, with);
    };
    HandoffWorld world(settings);
    testing::two_hosts(world, 7);
    for (int i = 1; i <= 7; ++i)
        join(world, "user" + std::to_string(i));
    EXPECT_EQ(world.desktop_of("user7")->order.memory, 1_GiB);
    const std::string session = world.session_of("user7")->id.value;
    for (double hour = 1; hour < 4; hour += 0.25)
        needs.take(reading(session, hour, 1500), *world.engine);
    needs.take(reading("s-nobodys", 1, 3000), *world.engine);
    for (const auto* user : {"user4", "user5", "user6", "user7"})
        ASSERT_TRUE(world.close(world.session_of(user)->id));
    world.settle();
    join(world, "user7"); // 1 GiB is due to the fourth
    EXPECT_EQ(world.desktop_of("user7")->order.memory, 2_GiB);
    join(world, "user6");
    EXPECT_EQ(world.desktop_of("user6")->order.memory, 1_GiB);
    const auto told = world.events_of("session.advised");
    ASSERT_EQ(told.size(), 1U);
    EXPECT_EQ(told[0].text.substr(0, 50), "user7 is to have 2 GiB or more, if it can be had: ");
    testing::expect_sound(world);
}

} // namespace
} // namespace baton::controller
