#include "programs/batond/retention.h"
#include "store/memory.h"
#include "support/simulated_clock.h"

#include <gtest/gtest.h>

#include <vector>

// When history is pruned, in simulated time. What may go is the store's contract.
namespace baton::controller {
namespace {

using namespace std::chrono_literals;

struct RetentionTest : ::testing::Test {
    store::MemoryStore store;
    testing::SimulatedClock clock;
    std::vector<std::string> complaints;
    int grew = 0;

    Historian historian(Retention retention) {
        return Historian({store, clock, [this] { ++grew; },
                          [this](const Error& error) { complaints.push_back(error.message()); }},
                         retention);
    }

    void run(std::chrono::nanoseconds time) {
        const auto until = clock.monotonic() + time;
        while (clock.run_one(until)) {
        }
        clock.advance_to(until);
    }

    void tell(int count) {
        store::Change change;
        for (int i = 0; i < count; ++i)
            change.events.push_back({0, clock.wall(), "test", "x", "Something.", "{}"});
        ASSERT_TRUE(store.commit(change));
    }

    std::vector<store::EventRow> events() { return store.events(0, 100'000).value(); }
};

TEST_F(RetentionTest, TakesAwayInSmallStepsAndTellsOnce) {
    tell(1000);
    const auto keeper = historian({.events = 24h, .most_events = 0, .sessions = 0h});
    run(20s);
    EXPECT_EQ(events().size(), 1000U);
    run(23h);
    EXPECT_EQ(events().size(), 1000U) << "not old enough";
    const auto before = store.commits();
    tell(1);
    run(2h);
    EXPECT_GE(store.commits() - before, 1000U / 200) << "no step takes more than 200";
    ASSERT_EQ(events().size(), 2U);
    EXPECT_EQ(events()[1].kind, "history.pruned");
    EXPECT_EQ(events()[1].data_json, R"({"events":1000,"moves":0,"sessions":0})");
    EXPECT_EQ(grew, 1);
    run(5h);
    EXPECT_EQ(events().size(), 2U) << "nothing to tell when nothing went";
    EXPECT_TRUE(complaints.empty());
}

TEST_F(RetentionTest, OthersComeBetweenTwoSteps) {
    tell(1000);
    const auto keeper = historian({.events = 0h, .most_events = 100, .sessions = 0h});
    std::vector<std::size_t> seen;
    for (auto at = 9s + 975ms; at < 11s; at += 50ms)
        clock.after(at, [&] { seen.push_back(events().size()); });
    run(11s);
    ASSERT_GE(seen.size(), 6U);
    EXPECT_EQ((std::vector(seen.begin(), seen.begin() + 6)),
              (std::vector<std::size_t>{1000, 800, 600, 400, 200, 101}));
}

TEST_F(RetentionTest, AStoreThatFailsIsAskedAgainAnHourLater) {
    tell(1000);
    const auto keeper = historian({.events = 0h, .most_events = 100, .sessions = 0h});
    const auto third = store.commits() + 3;
    store.set_faults([&](std::uint64_t commit) {
        return commit == third ? store::CommitFault::full : store::CommitFault::none;
    });
    run(1min);
    ASSERT_EQ(complaints.size(), 1U);
    EXPECT_NE(complaints[0].find("history"), std::string::npos) << complaints[0];
    ASSERT_EQ(events().size(), 601U) << "what was done is told all the same";
    EXPECT_EQ(events().back().data_json, R"({"events":400,"moves":0,"sessions":0})");
    run(1h);
    EXPECT_EQ(events().size(), 101U);
    EXPECT_EQ(complaints.size(), 1U);
}

TEST_F(RetentionTest, EndsWithItsOwner) {
    tell(1000);
    {
        const auto keeper = historian({.events = 0h, .most_events = 100, .sessions = 0h});
    }
    run(3h);
    EXPECT_EQ(events().size(), 1000U);
}

} // namespace
} // namespace baton::controller
