#include "allocation/allocator.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace baton::allocation {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Optional;

SessionId session(int number) {
    return SessionId(fmt::format("s-{:08}", number));
}

HostCapacity host(int number, Mebibytes capacity = 4_GiB, bool accepts = true) {
    return {HostId(fmt::format("host{}", number)), capacity, accepts};
}

std::unique_ptr<Allocator> allocator(std::vector<HostCapacity> hosts, Settings settings = {},
                                     std::string_view policy = "paper") {
    auto made = make_allocator(policy, settings, hosts);
    EXPECT_TRUE(made) << made.error().message();
    return std::move(made).value();
}

/// Joins and finishes the handoff that it costs.
Result<JoinPlan> settle_in(Allocator& desks, int number) {
    auto plan = desks.join(session(number));
    if (plan && plan->handoff) {
        EXPECT_TRUE(desks.finish_handoff(plan->handoff->session));
    }
    return plan;
}

void fill(Allocator& desks, int first, int last) {
    for (int n = first; n <= last; ++n)
        ASSERT_TRUE(settle_in(desks, n)) << n;
}

std::vector<std::int64_t> sizes(const Allocator& desks) {
    std::vector<std::int64_t> mebibytes;
    for (const auto& placement : desks.placements())
        mebibytes.push_back(placement.block.size.count);
    return mebibytes;
}

// ---------------------------------------------------------------- Table 3

struct Row {
    int users;
    int of_4_gib, of_2_gib, of_1_gib, of_half_gib; ///< in join order
    std::int64_t free_mib;
    int handoffs;
};

class Table3 : public testing::TestWithParam<Row> {};

TEST_P(Table3, RowIsThePapers) {
    const Row row = GetParam();
    const auto desks = allocator({host(1), host(2)});
    fill(*desks, 1, row.users - 1);
    const auto plan = settle_in(*desks, row.users);
    ASSERT_TRUE(plan) << plan.error().message();

    std::vector<std::int64_t> expected(row.of_4_gib, 4096);
    expected.insert(expected.end(), row.of_2_gib, 2048);
    expected.insert(expected.end(), row.of_1_gib, 1024);
    expected.insert(expected.end(), row.of_half_gib, 512);
    EXPECT_EQ(sizes(*desks), expected);
    EXPECT_EQ(desks->free_total(), Mebibytes(row.free_mib));
    EXPECT_EQ(plan->handoff.has_value(), row.handoffs == 1);
    EXPECT_EQ(desks->used(HostId("host1")) + desks->used(HostId("host2")),
              8_GiB - Mebibytes(row.free_mib));
}

// Row 9 goes by the rule: as printed, 1x7 and 0.5x2 with 0.5 left add up to 8.5 of 8 GiB.
INSTANTIATE_TEST_SUITE_P(Paper, Table3,
                         testing::Values(Row{1, 1, 0, 0, 0, 4096, 0}, Row{2, 1, 1, 0, 0, 2048, 0},
                                         Row{3, 0, 3, 0, 0, 2048, 1}, Row{4, 0, 3, 1, 0, 1024, 0},
                                         Row{5, 0, 2, 3, 0, 1024, 1}, Row{6, 0, 1, 5, 0, 1024, 1},
                                         Row{7, 0, 0, 7, 0, 1024, 1}, Row{8, 0, 0, 7, 1, 512, 0},
                                         Row{9, 0, 0, 6, 3, 512, 1}, Row{10, 0, 0, 5, 5, 512, 1},
                                         Row{11, 0, 0, 4, 7, 512, 1}, Row{12, 0, 0, 3, 9, 512, 1},
                                         Row{13, 0, 0, 2, 11, 512, 1}, Row{14, 0, 0, 1, 13, 512, 1},
                                         Row{15, 0, 0, 0, 15, 512, 1}, Row{16, 0, 0, 0, 16, 0, 0}),
                         [](const auto& row) { return fmt::format("Users{}", row.param.users); });

TEST(Paper, Equation1) {
    EXPECT_EQ(users_at_level(0, 2), 1U);
    EXPECT_EQ(users_at_level(1, 2), 3U);
    EXPECT_EQ(users_at_level(2, 2), 7U);
    EXPECT_EQ(users_at_level(3, 2), 15U);
}

TEST(Paper, TheHandoffTakesTheFreeSlotAndTheNewcomerWhatItFrees) {
    const auto desks = allocator({host(1), host(2)});
    fill(*desks, 1, 2);
    const auto plan = desks->join(session(3));
    ASSERT_TRUE(plan);
    ASSERT_TRUE(plan->handoff);
    EXPECT_EQ(plan->handoff->session, session(1));
    EXPECT_EQ(plan->handoff->from, (Block{HostId("host1"), 0, 4_GiB, 0_MiB}));
    EXPECT_EQ(plan->handoff->to, (Block{HostId("host2"), 1, 2_GiB, 2_GiB}));
    EXPECT_EQ(plan->block, (Block{HostId("host1"), 1, 2_GiB, 0_MiB}));
    EXPECT_THAT(desks->promised_to(session(1)), Optional(session(3)));
    // both blocks are taken until the old desktop is gone
    EXPECT_EQ(desks->used(HostId("host1")), 4_GiB);
    EXPECT_EQ(desks->used(HostId("host2")), 4_GiB);
    EXPECT_EQ(desks->free_total(), 0_MiB);
    ASSERT_TRUE(desks->finish_handoff(session(1)));
    EXPECT_EQ(desks->used(HostId("host1")), 2_GiB);
    EXPECT_EQ(desks->free_total(), 2_GiB);
}

TEST(Paper, TheSeventeenthIsRefusedAndNothingChanges) {
    const auto desks = allocator({host(1), host(2)});
    fill(*desks, 1, 16);
    const auto before = sizes(*desks);
    const auto plan = desks->join(session(17));
    ASSERT_FALSE(plan);
    EXPECT_EQ(plan.error().code, Errc::refused);
    EXPECT_THAT(plan.error().message(), HasSubstr("16 of 16"));
    EXPECT_THAT(plan.error().hint, HasSubstr("until somebody leaves"));
    EXPECT_THAT(plan.error().hint, HasSubstr("add a host (one of 4 GiB has room for 8 more)"));
    EXPECT_THAT(plan.error().hint, HasSubstr("desktops of 256 MiB"));
    EXPECT_EQ(sizes(*desks), before);
    EXPECT_EQ(desks->capacity(), 16U);
    EXPECT_FALSE(desks->find(session(17)));
    ASSERT_TRUE(desks->leave(session(4)));
    EXPECT_TRUE(desks->join(session(17)));
}

} // namespace
} // namespace baton::allocation
