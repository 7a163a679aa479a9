#include "hypervisor/simulated.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace baton::hypervisor {

namespace {

using namespace std::chrono_literals;

DesktopSpec spec(const std::string& id, Mebibytes memory = 512_MiB) {
    DesktopSpec spec;
    spec.id = DesktopId("d-" + id);
    spec.session = SessionId("s-" + id);
    spec.image.id = OsImageId("tiny-1");
    spec.memory = memory;
    spec.screen_password = "secret";
    return spec;
}

DeskDisk disk(std::uint64_t fence) {
    DeskDisk disk;
    disk.source.fence = FencingNumber{fence};
    return disk;
}

SimulatedSettings host_of(Mebibytes memory) {
    SimulatedSettings settings;
    settings.memory = memory;
    return settings;
}

class SimulatedTest : public ::testing::Test {
  protected:
    SimulatedTest() {
        hypervisor_->subscribe([this](const Event& event) { events_.push_back(event); });
    }

    template <class Kind>
    std::vector<Kind> all() const {
        std::vector<Kind> found;
        for (const Event& event : events_)
            if (const auto* kind = std::get_if<Kind>(&event))
                found.push_back(*kind);
        return found;
    }

    template <class Message>
    std::vector<Message> said() const {
        std::vector<Message> found;
        for (const GuestSaid& event : all<GuestSaid>())
            if (const auto* message = std::get_if<Message>(&event.message))
                found.push_back(*message);
        return found;
    }

    std::shared_ptr<ManualTime> time_ = std::make_shared<ManualTime>();
    std::vector<Event> events_;
    std::unique_ptr<Simulated> hypervisor_ = make_simulated(host_of(4096_MiB), time_);
};

} // namespace

TEST_F(SimulatedTest, TheGuestIsReadyAfterItsDelayAndNotBefore) {
    ASSERT_TRUE(hypervisor_->start(spec("a")));
    time_->advance(19ms);
    EXPECT_TRUE(said<guest::Ready>().empty());
    EXPECT_FALSE(hypervisor_->send(DesktopId("d-a"), guest::Ask{}));
    time_->advance(1ms);
    EXPECT_EQ(said<guest::Ready>().size(), 1U);
    EXPECT_EQ(time_->now(), WallTime(20ms));
}

TEST_F(SimulatedTest, ADeskIsMountedReleasedAndDetachedInItsTime) {
    hypervisor_->start(spec("a")).value();
    time_->advance(20ms);
    // asked for before it is there, as a real guest may be
    ASSERT_TRUE(hypervisor_->send(DesktopId("d-a"), guest::Mount{"desk-7", 7, false}));
    time_->advance(1s);
    EXPECT_TRUE(said<guest::Mounted>().empty());
    ASSERT_TRUE(hypervisor_->attach_disk(DesktopId("d-a"), disk(7)));
    time_->advance(5ms);
    ASSERT_EQ(said<guest::Mounted>().size(), 1U);
    EXPECT_TRUE(hypervisor_->view().front().mounted);
    ASSERT_TRUE(hypervisor_->send(DesktopId("d-a"), guest::Release{0}));
    ASSERT_TRUE(hypervisor_->detach_disk(DesktopId("d-a")));
    time_->advance(5ms);
    EXPECT_EQ(said<guest::Released>().front().fence, 7U);
    ASSERT_EQ(all<DiskDetached>().size(), 1U);
    EXPECT_EQ(all<DiskDetached>().front().fence.value, 7U);
    EXPECT_FALSE(hypervisor_->view().front().info.desk_attached);
}

TEST_F(SimulatedTest, GuestsMisbehaveAsTold) {
    SimulatedGuest guest;
    guest.never_ready = true;
    hypervisor_->set_guest(DesktopId("d-hangs"), guest);
    hypervisor_->start(spec("hangs")).value();
    time_->advance(1h);
    EXPECT_TRUE(said<guest::Ready>().empty());

    hypervisor_->start(spec("a")).value();
    time_->advance(1s);
    guest = {};
    guest.fails_mount = true;
    guest.never_releases = true;
    guest.refuses_detach = true;
    hypervisor_->set_guest(DesktopId("d-a"), guest);
    ASSERT_TRUE(hypervisor_->attach_disk(DesktopId("d-a"), disk(1)));
    ASSERT_TRUE(hypervisor_->send(DesktopId("d-a"), guest::Mount{"desk-1", 1, false}));
    ASSERT_TRUE(hypervisor_->send(DesktopId("d-a"), guest::Release{0}));
    ASSERT_TRUE(hypervisor_->detach_disk(DesktopId("d-a")));
    time_->advance(1h);
    EXPECT_EQ(said<guest::Failed>().size(), 1U);
    EXPECT_TRUE(said<guest::Mounted>().empty());
    EXPECT_TRUE(said<guest::Released>().empty());
    EXPECT_EQ(all<DetachRefused>().size(), 1U);
    guest = {};
    guest.never_detaches = true;
    hypervisor_->set_guest(DesktopId("d-a"), guest);
    ASSERT_TRUE(hypervisor_->detach_disk(DesktopId("d-a")));
    time_->advance(1h);
    EXPECT_TRUE(all<DiskDetached>().empty());
    ASSERT_TRUE(hypervisor_->stop(DesktopId("d-a")));
    time_->advance(0s);
    EXPECT_EQ(all<Stopped>().size(), 1U);
}

TEST_F(SimulatedTest, CallsFailBeforeOrAfterTheirWork) {
    const Error broken{Errc::io, "broken", {}, 0};
    hypervisor_->fail_next(Call::start, broken, 2);
    EXPECT_EQ(hypervisor_->start(spec("a")).error(), broken);
    EXPECT_EQ(hypervisor_->start(spec("a")).error(), broken);
    EXPECT_TRUE(hypervisor_->list()->empty());
    hypervisor_->fail_after_work(Call::start, broken);
    EXPECT_EQ(hypervisor_->start(spec("a")).error(), broken);
    EXPECT_EQ(hypervisor_->list()->size(), 1U) << "only the answer was lost";
    EXPECT_TRUE(hypervisor_->start(spec("a")));
    hypervisor_->fail_after_work(Call::stop, broken);
    EXPECT_FALSE(hypervisor_->stop(DesktopId("d-a")));
    EXPECT_TRUE(hypervisor_->stop(DesktopId("d-a")));
    time_->advance(0s);
    EXPECT_EQ(all<Stopped>().size(), 1U);
}

TEST_F(SimulatedTest, SlowCallsTakeTheirTimeInWhichTheWorldGoesOn) {
    hypervisor_->start(spec("a")).value();
    hypervisor_->slow_down(Call::list, 300ms);
    EXPECT_EQ(hypervisor_->list()->front().guest_ready, true) << "it became ready meanwhile";
    EXPECT_EQ(time_->now(), WallTime(300ms));
}

TEST_F(SimulatedTest, MachinesAreLostAndMemoryIsLiedAbout) {
    hypervisor_->start(spec("a", 1_GiB)).value();
    hypervisor_->lie_about_memory(DesktopId("d-a"), 3_GiB);
    EXPECT_EQ(hypervisor_->list()->front().memory, 3_GiB);
    EXPECT_EQ(hypervisor_->memory_in_use(), 1_GiB);
    hypervisor_->lose(DesktopId("d-a"), "the host's OOM killer took it");
    time_->advance(1h);
    ASSERT_EQ(all<Stopped>().size(), 1U);
    EXPECT_EQ(all<Stopped>().front().reason, "the host's OOM killer took it");
    EXPECT_EQ(hypervisor_->memory_in_use(), 0_MiB);
    EXPECT_EQ(hypervisor_->memory_high_water(), 1_GiB);
    EXPECT_TRUE(said<guest::Ready>().empty()) << "nothing is said by what is gone";
}

TEST_F(SimulatedTest, WhileItIsAwayNothingCanBeCalledAndNothingIsHeard) {
    hypervisor_->start(spec("a")).value();
    hypervisor_->set_connected(false);
    EXPECT_EQ(hypervisor_->list().error().code, Errc::unavailable);
    hypervisor_->lose(DesktopId("d-a"));
    time_->advance(1s);
    EXPECT_TRUE(all<Stopped>().empty());
    hypervisor_->set_connected(true);
    time_->advance(0s);
    ASSERT_EQ(all<Stopped>().size(), 1U);
    ASSERT_GE(events_.size(), 2U);
    EXPECT_TRUE(std::holds_alternative<ConnectionChanged>(events_.back()))
        << "what was missed is said before that it is back";
}

TEST_F(SimulatedTest, AStopBetweenDoesNotReachTheNextOneOfTheSameId) {
    hypervisor_->start(spec("a")).value();
    time_->advance(10ms);
    ASSERT_TRUE(hypervisor_->stop(DesktopId("d-a")));
    hypervisor_->start(spec("a")).value();
    time_->advance(10ms);
    EXPECT_TRUE(said<guest::Ready>().empty()) << "that was the first one's";
    time_->advance(10ms);
    EXPECT_EQ(said<guest::Ready>().size(), 1U);
}

TEST(SimulatedProperty, MemoryIsNeverPromisedTwice) {
    rc::check("in any order of starts and stops", [] {
        const auto time = std::make_shared<ManualTime>();
        const auto host = make_simulated(host_of(4096_MiB), time);
        host->subscribe([](const Event&) {});
        Mebibytes expected;
        std::map<int, Mebibytes> running;
        const auto steps = *rc::gen::container<std::vector<std::pair<int, int>>>(
            rc::gen::pair(rc::gen::inRange(0, 6), rc::gen::inRange(0, 4)));
        for (const auto& [id, level] : steps) {
            const std::string name = std::to_string(id);
            if (running.contains(id)) {
                RC_ASSERT(host->stop(DesktopId("d-" + name)).has_value());
                expected -= running[id];
                running.erase(id);
                continue;
            }
            const Mebibytes size = Mebibytes(4096).halved(static_cast<unsigned>(level));
            const bool fits = expected + size <= 4096_MiB;
            RC_ASSERT(host->start(spec(name, size)).has_value() == fits);
            if (fits) {
                running[id] = size;
                expected += size;
            }
        }
        RC_ASSERT(host->memory_in_use() == expected);
        RC_ASSERT(host->memory_high_water() <= 4096_MiB);
        RC_ASSERT(host->list()->size() == running.size());
    });
}

TEST(ManualTimeTest, RunsWhatIsDueInOrderOfTimeThenOfCall) {
    ManualTime time;
    std::string order;
    time.after(2ms, [&] { order += 'c'; });
    time.after(1ms, [&] { order += 'a'; });
    time.after(1ms, [&] {
        order += 'b';
        time.after(0ms, [&] { order += '!'; });
    });
    time.advance(1ms);
    EXPECT_EQ(order, "ab!");
    EXPECT_TRUE(time.step());
    EXPECT_EQ(order, "ab!c");
    EXPECT_FALSE(time.step());
    EXPECT_EQ(time.now(), WallTime(2ms));
}

} // namespace baton::hypervisor
