#include "allocation/simulator.h"
#include "allocation/trace.h"
#include "unit/allocation_test/sessions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace baton::allocation {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::unique_ptr<Allocator> two_hosts() {
    return make_allocator("paper", {},
                          {{HostId("host1"), 4_GiB, true}, {HostId("host2"), 4_GiB, true}})
        .value();
}

TEST(Simulator, CountsTheHandoffsOfTable3) {
    std::vector<TraceEvent> trace;
    for (int n = 1; n <= 17; ++n)
        trace.push_back({true, session(n)});
    const auto desks = two_hosts();
    const auto outcome = simulate(*desks, trace, {});
    ASSERT_TRUE(outcome);
    EXPECT_EQ(outcome->joins, 16U);
    EXPECT_EQ(outcome->refused, 1U);
    EXPECT_EQ(outcome->handoffs_at_joins, 11U); // S (2^(M-1) - 1) - (M-1)
    EXPECT_EQ(outcome->leaves, 0U);
    EXPECT_DOUBLE_EQ(outcome->worst_max_over_min, 2.0);
    // 1 - 1 / (2^m S) while a slot of level m is free; the last two rows are full
    EXPECT_NEAR(outcome->mean_utilisation, (0.5 + 2 * 0.75 + 4 * 0.875 + 8 * 0.9375 + 2 * 1.0) / 17,
                1e-9);
}

TEST(Simulator, TheSameSeedGivesTheSameTrace) {
    const auto trace = random_trace(7, 16, 60, 1000);
    EXPECT_EQ(trace.size(), 1000U);
    EXPECT_EQ(trace, random_trace(7, 16, 60, 1000));
    EXPECT_NE(trace, random_trace(8, 16, 60, 1000));
    int present = 0;
    for (const auto& event : trace) {
        present += event.join ? 1 : -1;
        ASSERT_GE(present, 0);
        ASSERT_LE(present, 17);
    }
}

TEST(Simulator, GrowingBackIsCountedAtTheLeaves) {
    const auto trace = random_trace(1, 16, 60, 2000);
    const auto grown = simulate(*two_hosts(), trace, {.warm_up = 100, .grow = true});
    const auto not_grown = simulate(*two_hosts(), trace, {.warm_up = 100, .grow = false});
    ASSERT_TRUE(grown && not_grown);
    EXPECT_GT(grown->handoffs_at_leaves, 0U);
    EXPECT_EQ(not_grown->handoffs_at_leaves, 0U);
    EXPECT_EQ(grown->joins, not_grown->joins);
    EXPECT_GT(grown->mean_utilisation, not_grown->mean_utilisation);
}

TEST(Trace, IsReadLineByLine) {
    const auto trace = parse_trace("+ kim\n\n # lunch\n- kim # gone\r\n+ kim");
    ASSERT_TRUE(trace);
    EXPECT_THAT(*trace,
                ElementsAre(TraceEvent{true, SessionId("kim")}, TraceEvent{false, SessionId("kim")},
                            TraceEvent{true, SessionId("kim")}));
    EXPECT_TRUE(parse_trace("")->empty());
    EXPECT_THAT(parse_trace("+ kim\n+ kim").error().message(),
                HasSubstr("line 2: 'kim' has joined already"));
    EXPECT_THAT(parse_trace("- kim").error().message(), HasSubstr("line 1: 'kim' has not joined"));
    for (const auto* text : {"kim", "+", "- ", "+ kim lee", "* kim"})
        EXPECT_EQ(parse_trace(text).error().code, Errc::invalid_argument) << text;
}

// What a plan looks at is in the trace: who joins, who leaves, and how loaded hosts are.
TEST(Trace, LoadsArePlayedAgain) {
    const auto trace = parse_trace("+ kim\n@ host1 swamped\n- kim\n + lee\n@ host1 idle\n");
    ASSERT_TRUE(trace) << trace.error().message();
    ASSERT_EQ(trace->size(), 5U);
    EXPECT_EQ(trace->at(1).load, (LoadChange{HostId("host1"), Load::swamped}));
    const auto desks = two_hosts();
    ASSERT_TRUE(simulate(*desks, *trace, {}));
    EXPECT_EQ(desks->find(SessionId("lee"))->block.host, HostId("host2"));
    const auto unloaded = two_hosts();
    ASSERT_TRUE(simulate(*unloaded, parse_trace("+ kim\n- kim\n+ lee\n").value(), {}));
    EXPECT_EQ(unloaded->find(SessionId("lee"))->block.host, HostId("host1"));
    for (const auto* text : {"@", "@ host1", "@ host1 lazy", "@ host1 busy today"})
        EXPECT_EQ(parse_trace(text).error().code, Errc::invalid_argument) << text;
    EXPECT_EQ(simulate(*unloaded, parse_trace("@ host9 busy").value(), {}).error().code,
              Errc::not_found);
}

} // namespace
} // namespace baton::allocation
