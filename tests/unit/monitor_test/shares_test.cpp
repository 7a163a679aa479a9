/// CPU shares out of simulated readings.
#include "monitor/shares.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <numeric>

namespace baton::monitor {
namespace {

struct Demand {
    unsigned vcpus;
    double busy_percent;
    double wait_percent = 0;
};

class Host {
  public:
    explicit Host(unsigned processors) { reading_.rates.processors = processors; }

    /// One reading `seconds` after the last.
    const Reading& read(const std::vector<Demand>& demands, double seconds = 1) {
        reading_.at.nanoseconds += static_cast<std::int64_t>(seconds * 1e9);
        reading_.desktops.clear();
        for (std::size_t i = 0; i < demands.size(); ++i) {
            DesktopReading desktop;
            desktop.who.desktop = DesktopId(fmt::format("d-{}", i));
            desktop.who.vcpus = demands[i].vcpus;
            desktop.who.state = DomainState::running;
            desktop.rates.cpu_percent_of_vcpus = demands[i].busy_percent;
            desktop.rates.vcpu_wait_percent = demands[i].wait_percent;
            reading_.desktops.push_back(desktop);
        }
        return reading_;
    }

    Reading& last() { return reading_; }

  private:
    Reading reading_;
};

/// Readings until the rule has nothing to change for ten of them.
int settle(ShareRule& rule, Host& host, const std::vector<Demand>& demands) {
    int changes = 0;
    for (int quiet = 0; quiet < 10; ++quiet)
        if (rule.take(host.read(demands))) {
            ++changes;
            quiet = 0;
        }
    return changes;
}

unsigned weight(const ShareRule& rule, int desktop) {
    return rule.weight(DesktopId(fmt::format("d-{}", desktop)));
}

TEST(Shares, ABusyDesktopGetsWhatIdleOnesLeave) {
    ShareRule rule;
    Host host(4);
    const auto plan = rule.take(host.read({{4, 90, 10}, {4, 1}, {4, 1}, {4, 1}}));
    ASSERT_TRUE(plan);
    EXPECT_EQ(weight(rule, 0), 250U); // half of one equal share, and all that the floors leave
    EXPECT_EQ(weight(rule, 1), 50U);  // idle; half an equal share whenever it wants it
    EXPECT_EQ(plan->changes.size(), 4U);
    EXPECT_EQ(plan->reason,
              "the desktops want 4.1 of 4 CPUs: d-0 (wants 4.0) 100 -> 250, d-1 (wants 0.0) 100 "
              "-> 50, d-2 (wants 0.0) 100 -> 50, d-3 (wants 0.0) 100 -> 50");
}

TEST(Shares, WhoWaitsWantsToo) {
    ShareRule rule;
    Host host(2);
    settle(rule, host, {{2, 50, 50}, {2, 50, 0}});
    EXPECT_GT(weight(rule, 0), weight(rule, 1));
}

TEST(Shares, WhileThereIsEnoughForAllTheyAreEqual) {
    ShareRule rule;
    Host host(8);
    EXPECT_EQ(settle(rule, host, {{2, 100}, {2, 5}, {2, 0}}), 0);
    EXPECT_EQ(weight(rule, 0), 100U);
}

TEST(Shares, EquallyBusyOnesAreEqual) {
    ShareRule rule;
    Host host(2);
    EXPECT_EQ(settle(rule, host, {{2, 50, 50}, {2, 52, 48}, {2, 50, 50}}), 0);
}

TEST(Shares, WhenTheNeedIsOverAllAreEqualAgain) {
    ShareRule rule;
    Host host(2);
    EXPECT_GE(settle(rule, host, {{2, 100}, {2, 5}}), 1);
    EXPECT_NE(weight(rule, 0), 100U);
    for (int i = 0; i < 60; ++i)
        rule.take(host.read({{2, 2}, {2, 5}}));
    EXPECT_EQ(weight(rule, 0), 100U);
    EXPECT_EQ(weight(rule, 1), 100U);
}

TEST(Shares, SmallAndShortChangesChangeNothing) {
    ShareRule rule;
    Host host(2);
    settle(rule, host, {{2, 100}, {2, 40}});
    const unsigned before = weight(rule, 0);
    for (int i = 0; i < 100; ++i)
        EXPECT_FALSE(rule.take(host.read({{2, i % 2 == 0 ? 90.0 : 100.0}, {2, 40}})));
    EXPECT_EQ(weight(rule, 0), before);
}

TEST(Shares, AreNotChangedMoreOftenThanEveryFiveSeconds) {
    ShareRule rule;
    Host host(2);
    Moment last;
    int changes = 0;
    for (int i = 0; i < 300; ++i) {
        const bool first = i / 15 % 2 == 0; // the two take turns
        if (!rule.take(host.read({{2, first ? 100.0 : 0.0}, {2, first ? 0.0 : 100.0}})))
            continue;
        if (last.known()) {
            EXPECT_GE(host.last().at.nanoseconds - last.nanoseconds, 5'000'000'000);
        }
        last = host.last().at;
        ++changes;
    }
    EXPECT_GT(changes, 3);
}

TEST(Shares, OthersMachinesAndGapsAreNoDemand) {
    ShareRule rule;
    Host host(2);
    host.read({{2, 100}, {2, 100}});
    host.last().desktops[0].who.desktop = {};
    EXPECT_FALSE(rule.take(host.last()));
    EXPECT_GE(settle(rule, host, {{2, 100}, {2, 5}}), 1);
    const unsigned before = weight(rule, 0);
    for (int i = 0; i < 20; ++i) { // nothing can be told of it for a while
        host.read({{2, 0}, {2, 5}});
        host.last().desktops[0].rates.cpu_percent_of_vcpus.reset();
        EXPECT_FALSE(rule.take(host.last()));
    }
    EXPECT_EQ(weight(rule, 0), before);
    Host unknown(0);
    EXPECT_FALSE(ShareRule().take(unknown.read({{2, 100}})));
}

TEST(Shares, WhatCouldNotBeDoneIsTriedAgain) {
    ShareRule rule;
    Host host(2);
    const auto plan = rule.take(host.read({{2, 100}, {2, 5}}));
    ASSERT_TRUE(plan);
    for (const ShareChange& change : plan->changes)
        rule.undo(change);
    EXPECT_EQ(weight(rule, 0), 100U);
    EXPECT_FALSE(rule.take(host.read({{2, 100}, {2, 5}})));
    EXPECT_TRUE(rule.take(host.read({{2, 100}, {2, 5}}, 5)));
}

TEST(Shares, NobodyIsStarvedWhateverIsMeasured) {
    EXPECT_TRUE(rc::check("floors hold and shares add up", [] {
        const auto processors = *rc::gen::inRange(1U, 65U);
        ShareRule rule;
        Host host(processors);
        const auto count = *rc::gen::inRange<std::size_t>(1, 40);
        for (int round = 0; round < 10; ++round) {
            std::vector<Demand> demands;
            for (std::size_t i = 0; i < count; ++i)
                demands.push_back({*rc::gen::inRange(1U, 17U),
                                   static_cast<double>(*rc::gen::inRange(0, 1000)),
                                   static_cast<double>(*rc::gen::inRange(-50, 200))});
            rule.take(host.read(demands, 10));
            double sum = 0;
            for (std::size_t i = 0; i < count; ++i) {
                const unsigned one = weight(rule, static_cast<int>(i));
                RC_ASSERT(one >= 50U);
                RC_ASSERT(one <= 50U + 50U * count + 1);
                sum += one;
            }
            RC_ASSERT(std::abs(sum - 100.0 * static_cast<double>(count)) <=
                      static_cast<double>(count));
        }
    }));
}

} // namespace
} // namespace baton::monitor
