#include "unit/hostlink_test/world.h"

#include <gmock/gmock.h>

/// CPU shares from the reading on the host to what the controller is told.
namespace baton::hostlink::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

const DesktopId d2{"d-2"};

class SharesTest : public World {
  protected:
    SharesTest() {
        fleet->on_cpu_shares([this](const HostId& host, const CpuSharesTold& said) {
            EXPECT_EQ(host, host1);
            told.push_back(said);
        });
    }

    void two_run() {
        connect();
        start_desktop();
        auto other = order();
        other.desktop = d2;
        other.session = SessionId("s-2");
        std::optional<Result<handoff::Started>> started;
        fleet->start(host1, other, into(started));
        settle();
        ASSERT_TRUE(started && *started);
    }

    /// d-1 wants all of both CPUs, d-2 as much of them as it is told.
    void read(double other_percent, int times = 1) {
        for (int i = 0; i < times; ++i) {
            monitor::Reading reading;
            reading.host = host1;
            reading.at = {(seconds_ += 5) * 1'000'000'000};
            reading.rates.processors = 2;
            for (const auto& [desktop, percent] : {std::pair(d1, 100.0), {d2, other_percent}}) {
                monitor::DesktopReading one;
                one.who.desktop = desktop;
                one.who.vcpus = 2;
                one.who.state = monitor::DomainState::running;
                one.rates.cpu_percent_of_vcpus = percent;
                reading.desktops.push_back(one);
            }
            agent->report(std::move(reading));
            settle();
        }
    }

    std::vector<CpuSharesTold> told;
    std::int64_t seconds_ = 0;
};

TEST_F(SharesTest, FollowDemandAndAreTold) {
    two_run();
    ASSERT_EQ(told.size(), 1U);
    EXPECT_EQ(told[0].state, CpuSharesState::untried);
    EXPECT_FALSE(told[0].news);
    read(5);
    EXPECT_THAT(hypervisor.weights, ElementsAre(Pair(d1, 150), Pair(d2, 50)));
    ASSERT_EQ(told.size(), 3U);
    EXPECT_EQ(told[1].state, CpuSharesState::on);
    EXPECT_FALSE(told[1].news);
    EXPECT_TRUE(told[2].news);
    EXPECT_THAT(told[2].changes, ElementsAre(CpuSharesTold::Change{d1, 100, 150},
                                             CpuSharesTold::Change{d2, 100, 50}));
    EXPECT_THAT(told[2].why, HasSubstr("d-1 (wants 2.0) 100 -> 150"));
    const int before = hypervisor.weighings;
    read(5, 20);
    EXPECT_EQ(hypervisor.weighings, before) << "nothing has changed";
    read(100, 20);
    EXPECT_LE(hypervisor.weights[d1], 115U);
    EXPECT_GE(hypervisor.weights[d2], 85U);
}

TEST_F(SharesTest, AHostThatCannotSaysSoOnceWithTheReason) {
    hypervisor.no_weights = "cgroup CPU controller is not mounted";
    two_run();
    told.clear();
    read(5, 10);
    ASSERT_EQ(told.size(), 1U);
    EXPECT_EQ(told[0].state, CpuSharesState::unsupported);
    EXPECT_TRUE(told[0].news);
    EXPECT_THAT(told[0].why, HasSubstr("cgroup CPU controller is not mounted"));
    EXPECT_LE(hypervisor.weighings, 4); // one round
    // the next controller hears it too, and not as news
    dial();
    settle();
    ASSERT_EQ(told.size(), 2U);
    EXPECT_EQ(told[1].state, CpuSharesState::unsupported);
    EXPECT_FALSE(told[1].news);
    // another libvirtd may be able to
    hypervisor.no_weights.clear();
    hypervisor.emit(hypervisor::ConnectionChanged{true});
    settle();
    read(5);
    EXPECT_EQ(told.back().state, CpuSharesState::on);
}

TEST_F(SharesTest, CanBeSwitchedOff) {
    AgentSettings settings;
    settings.facts = {host1, "10.0.0.2", 4_GiB, 2, {false, "no /dev/kvm"}, "0.1.0"};
    settings.cpu_shares = false;
    make_agent(settings);
    two_run();
    read(5, 10);
    EXPECT_EQ(hypervisor.weighings, 0);
    ASSERT_EQ(told.size(), 1U);
    EXPECT_EQ(told[0].state, CpuSharesState::off);
}

TEST_F(SharesTest, ADesktopThatEndsMeanwhileIsNoRefusal) {
    two_run();
    hypervisor.machines.erase(d2);
    told.clear();
    read(5);
    EXPECT_THAT(hypervisor.weights, ElementsAre(Pair(d1, 150)));
    ASSERT_EQ(told.size(), 2U);
    EXPECT_THAT(told[1].changes, ElementsAre(CpuSharesTold::Change{d1, 100, 150}));
}

TEST_F(SharesTest, AHostSpeaksForItsOwnDesktopsAlone) {
    two_run();
    std::optional<Result<void>> stopped;
    fleet->stop(host1, d2, into(stopped)); // the controller knows of one only
    settle();
    told.clear();
    hypervisor.machines[d2] = hypervisor.machines[d1]; // the agent of another
    read(5);
    for (const auto& said : told)
        for (const auto& change : said.changes)
            EXPECT_EQ(change.desktop, d1);
    EXPECT_FALSE(told.empty());
}

} // namespace
} // namespace baton::hostlink::testing
