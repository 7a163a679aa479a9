#include "allocation/allocator.h"
#include "unit/allocation_test/sessions.h"

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

// The loads of hosts move desktops elsewhere; what everybody gets, and which handoffs it costs, is
// the table's all the same.
TEST(Paper, Table3IsTheSameAtAnyLoad) {
    const auto calm = allocator({host(1), host(2)});
    const auto busy = allocator({host(1), host(2)});
    ASSERT_TRUE(busy->set_load(HostId("host1"), Load::swamped));
    ASSERT_TRUE(busy->set_load(HostId("host2"), Load::idle));
    for (int n = 1; n <= 16; ++n) {
        const auto expected = settle_in(*calm, n);
        const auto plan = settle_in(*busy, n);
        ASSERT_TRUE(plan && expected) << n;
        if (n == 1) {
            EXPECT_EQ(plan->block.host, HostId("host2"));
        }
        EXPECT_EQ(sizes(*busy), sizes(*calm)) << n;
        EXPECT_EQ(plan->handoff.has_value(), expected->handoff.has_value()) << n;
        if (plan->handoff) {
            EXPECT_EQ(plan->handoff->session, expected->handoff->session) << n;
        }
    }
    EXPECT_EQ(busy->join(session(17)).error().code, Errc::refused);
}

// ---------------------------------------------------------------- loads

std::string where(const Allocator& desks, int number) {
    const auto found = desks.find(session(number));
    return found ? found->block.host.value : "nowhere";
}

TEST(Loads, TheLeastLoadedOfTheHostsWithAFreeSlotIsTaken) {
    const auto desks = allocator({host(1), host(2), host(3), host(4)});
    ASSERT_TRUE(desks->set_load(HostId("host1"), Load::busy));
    ASSERT_TRUE(desks->set_load(HostId("host3"), Load::idle));
    ASSERT_TRUE(desks->set_load(HostId("host4"), Load::swamped));
    fill(*desks, 1, 3);
    EXPECT_EQ(where(*desks, 1), "host3");
    EXPECT_EQ(where(*desks, 2), "host2"); // nothing known of it: before one known to be busy
    EXPECT_EQ(where(*desks, 3), "host1");
    fill(*desks, 4, 4);
    EXPECT_EQ(where(*desks, 4), "host4"); // the load refuses nobody
}

TEST(Loads, OfEquallyLoadedHostsItIsAsWithoutLoads) {
    for (const Load load : {Load::idle, Load::usual, Load::busy, Load::swamped}) {
        const auto desks = allocator({host(1), host(2), host(3)});
        const auto without = allocator({host(1), host(2), host(3)});
        for (int n = 1; n <= 3; ++n)
            ASSERT_TRUE(desks->set_load(host(n).id, load));
        for (int n = 1; n <= 24; ++n) {
            ASSERT_EQ(settle_in(*desks, n).value(), settle_in(*without, n).value()) << n;
        }
    }
}

// After leaves: the smallest block that fits counts on one host, not against a busier one.
TEST(Loads, ALargerBlockIsCutOnAHostThatIsLessLoaded) {
    const auto scene = [](Load first, Load second) {
        const auto desks = allocator({host(1), host(2)});
        EXPECT_TRUE(desks->adopt(session(1), HostId("host1"), 2_GiB, 1));
        EXPECT_TRUE(desks->set_load(HostId("host1"), first));
        EXPECT_TRUE(desks->set_load(HostId("host2"), second));
        EXPECT_TRUE(settle_in(*desks, 2));
        return where(*desks, 2);
    };
    EXPECT_EQ(scene(Load::usual, Load::usual), "host1");
    EXPECT_EQ(scene(Load::busy, Load::usual), "host2");
    EXPECT_EQ(scene(Load::usual, Load::swamped), "host1");
}

TEST(Loads, AreRememberedWhileAHostDoesNotAccept) {
    const auto desks = allocator({host(1), host(2, 4_GiB, false), host(3)});
    ASSERT_TRUE(desks->set_load(HostId("host2"), Load::idle));
    fill(*desks, 1, 1);
    EXPECT_EQ(where(*desks, 1), "host1");
    ASSERT_TRUE(desks->set_accepts(HostId("host2"), true));
    fill(*desks, 2, 2);
    EXPECT_EQ(where(*desks, 2), "host2");
    EXPECT_EQ(desks->set_load(HostId("host9"), Load::idle).error().code, Errc::not_found);
}

TEST(Loads, AHostThatComesAnewIsNotTakenForWhatTheFormerOneWas) {
    const auto desks = allocator({host(1), host(2)});
    ASSERT_TRUE(desks->set_load(HostId("host1"), Load::swamped));
    ASSERT_TRUE(desks->lose_host(HostId("host1")));
    ASSERT_TRUE(desks->add_host(host(1)));
    fill(*desks, 1, 1);
    EXPECT_EQ(where(*desks, 1), "host1");
}

TEST(Loads, GrowingAndDrainingGoToTheLeastLoadedHostToo) {
    const auto desks = allocator({host(1), host(2), host(3)});
    ASSERT_TRUE(desks->adopt(session(1), HostId("host1"), 1_GiB, 1));
    ASSERT_TRUE(desks->set_load(HostId("host1"), Load::busy));
    ASSERT_TRUE(desks->set_load(HostId("host2"), Load::busy));
    const auto growth = desks->plan_grow(std::nullopt);
    ASSERT_TRUE(growth);
    EXPECT_EQ(growth->to.host, HostId("host3"));
    ASSERT_TRUE(desks->begin_handoff(*growth));
    ASSERT_TRUE(desks->finish_handoff(session(1)));
    ASSERT_TRUE(desks->set_load(HostId("host1"), Load::idle));
    ASSERT_TRUE(desks->set_accepts(HostId("host3"), false));
    const auto away = desks->plan_evacuate(session(1));
    ASSERT_TRUE(away);
    EXPECT_EQ(away->to.host, HostId("host1"));
}

TEST(Loads, HaveNames) {
    for (const Load load : {Load::idle, Load::usual, Load::busy, Load::swamped})
        EXPECT_EQ(load_from(to_string(load)), load);
    EXPECT_FALSE(load_from("lazy"));
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

// ---------------------------------------------------------------- while a handoff is under way

/// Three users; the third waits for what the first one's handoff frees.
std::unique_ptr<Allocator> third_waits() {
    auto desks = allocator({host(1), host(2)});
    fill(*desks, 1, 2);
    EXPECT_TRUE(desks->join(session(3))->handoff);
    return desks;
}

TEST(Handoffs, WhoComesMeanwhileIsToldToWaitAndFindsRoomAfter) {
    const auto desks = third_waits();
    const auto early = desks->join(session(4));
    ASSERT_FALSE(early);
    EXPECT_EQ(early.error().code, Errc::busy);
    EXPECT_THAT(early.error().message(), HasSubstr("handoff under way"));
    ASSERT_TRUE(desks->finish_handoff(session(1)));
    const auto plan = desks->join(session(4));
    ASSERT_TRUE(plan);
    EXPECT_EQ(plan->block.size, 1_GiB);
    EXPECT_FALSE(plan->handoff);
}

TEST(Handoffs, AreNotCancelledUnderTheNewcomerTheyMakeRoomFor) {
    const auto desks = third_waits();
    const auto cancelled = desks->cancel_handoff(session(1));
    ASSERT_FALSE(cancelled);
    EXPECT_EQ(cancelled.error().code, Errc::conflict);
    EXPECT_THAT(cancelled.error().what, HasSubstr(session(3).value));
    // taken back: all is as it was before the join
    ASSERT_TRUE(desks->leave(session(3)));
    ASSERT_TRUE(desks->cancel_handoff(session(1)));
    EXPECT_THAT(sizes(*desks), ElementsAre(4096, 2048));
    EXPECT_EQ(desks->free_total(), 2_GiB);
    EXPECT_EQ(desks->join(session(3))->handoff->session, session(1));
}

TEST(Handoffs, EndWhenTheirSessionLeavesAndTheNewcomerHasItsPlace) {
    const auto desks = third_waits();
    ASSERT_TRUE(desks->leave(session(1)));
    EXPECT_EQ(desks->finish_handoff(session(1)).error().code, Errc::not_found);
    EXPECT_THAT(sizes(*desks), ElementsAre(2048, 2048));
    EXPECT_EQ(desks->free_total(), 4_GiB);
    EXPECT_EQ(desks->used(HostId("host1")), 2_GiB);
}

TEST(Handoffs, MustBePlannedAgainWhenTheirMemoryIsGone) {
    const auto desks = allocator({host(1), host(2)});
    fill(*desks, 1, 9);
    for (const int n : {8, 9})
        ASSERT_TRUE(desks->leave(session(n)));
    const auto plan = desks->plan_grow(session(7));
    ASSERT_TRUE(plan);
    EXPECT_EQ(plan->to.size, 1_GiB);
    for (int n = 10; desks->free_total() > 512_MiB; ++n)
        ASSERT_TRUE(settle_in(*desks, n));
    const auto stale = desks->begin_handoff(*plan);
    ASSERT_FALSE(stale);
    EXPECT_EQ(stale.error().code, Errc::conflict);
    Handoff elsewhere = *plan;
    elsewhere.from.host = HostId("host9");
    EXPECT_EQ(desks->begin_handoff(elsewhere).error().code, Errc::conflict);
    EXPECT_EQ(desks->begin_handoff({session(99), {}, {}}).error().code, Errc::not_found);
}

// ---------------------------------------------------------------- "not now"

TEST(NotNow, TheNextCandidateIsTaken) {
    const auto desks = allocator({host(1), host(2)});
    fill(*desks, 1, 4); // 2 2 2 1
    desks->set_movable(session(3), false);
    EXPECT_EQ(desks->join(session(5))->handoff->session, session(2));
}

TEST(NotNow, WithoutACandidateTheNewcomerGetsASmallerSize) {
    const auto desks = allocator({host(1), host(2)});
    fill(*desks, 1, 4);
    for (int n = 1; n <= 4; ++n)
        desks->set_movable(session(n), false);
    const auto plan = desks->join(session(5));
    ASSERT_TRUE(plan);
    EXPECT_EQ(plan->block.size, 512_MiB);
    EXPECT_FALSE(plan->handoff);
    // the last slot is kept for handing off those who may be moved later
    const auto next = desks->join(session(6));
    ASSERT_FALSE(next);
    EXPECT_EQ(next.error().code, Errc::busy);
    EXPECT_THAT(next.error().message(), HasSubstr("do not want to be moved now"));
    desks->set_movable(session(2), true);
    EXPECT_EQ(desks->join(session(6))->handoff->session, session(2));
}

// ---------------------------------------------------------------- growing back

TEST(Growing, GoesBackUpTheTableAndNeverByItself) {
    const auto desks = allocator({host(1), host(2)});
    fill(*desks, 1, 3);
    ASSERT_TRUE(desks->leave(session(2)));
    ASSERT_TRUE(desks->leave(session(3)));
    EXPECT_THAT(sizes(*desks), ElementsAre(2048)); // nobody has been asked
    const auto plan = desks->plan_grow(std::nullopt);
    ASSERT_TRUE(plan);
    EXPECT_EQ(plan->session, session(1));
    EXPECT_EQ(plan->to.size, 4_GiB);
    EXPECT_THAT(sizes(*desks), ElementsAre(2048)); // a plan is only a plan
    ASSERT_TRUE(desks->begin_handoff(*plan));
    EXPECT_EQ(desks->used(HostId("host1")) + desks->used(HostId("host2")), 6_GiB);
    ASSERT_TRUE(desks->finish_handoff(session(1)));
    EXPECT_THAT(sizes(*desks), ElementsAre(4096));
    EXPECT_FALSE(desks->plan_grow(std::nullopt));
}

TEST(Growing, IsForTheSmallestAndOfThoseTheLongestConnected) {
    const auto desks = allocator({host(1), host(2)});
    fill(*desks, 1, 16);
    for (int n = 1; n <= 14; n += 2)
        ASSERT_TRUE(desks->leave(session(n)));
    for (int n = 16; !desks->plan_grow(std::nullopt); --n)
        ASSERT_TRUE(desks->leave(session(n)));
    EXPECT_EQ(desks->plan_grow(std::nullopt)->session, session(2));
    EXPECT_EQ(desks->plan_grow(session(6))->session, session(6)); // who asked
    desks->set_movable(session(2), false);
    EXPECT_EQ(desks->plan_grow(std::nullopt)->session, session(4));
    EXPECT_EQ(desks->plan_grow(session(2))->session, session(2)); // asking overrules "not now"
    EXPECT_FALSE(desks->plan_grow(session(1)));                   // has left
}

TEST(Growing, OneWhoComesAndGoesAtABoundaryMovesNobody) {
    const auto desks = allocator({host(1), host(2)});
    fill(*desks, 1, 8);
    ASSERT_TRUE(settle_in(*desks, 9)->handoff); // the boundary: 1x6 0.5x3
    for (int n = 10; n < 20; ++n) {
        ASSERT_TRUE(desks->leave(session(n - 1)));
        EXPECT_FALSE(desks->plan_grow(std::nullopt)) << n;
        const auto plan = settle_in(*desks, n);
        ASSERT_TRUE(plan);
        EXPECT_FALSE(plan->handoff) << n;
    }
}

TEST(Growing, WithoutAMarginTheSamePersonCostsTwoHandoffsEachTime) {
    const auto desks = allocator({host(1), host(2)}, {.margin = 0});
    fill(*desks, 1, 8);
    for (int n = 9; n < 12; ++n) {
        EXPECT_TRUE(settle_in(*desks, n)->handoff) << n;
        ASSERT_TRUE(desks->leave(session(n)));
        const auto plan = desks->plan_grow(std::nullopt);
        ASSERT_TRUE(plan) << n;
        ASSERT_TRUE(desks->begin_handoff(*plan));
        ASSERT_TRUE(desks->finish_handoff(plan->session));
    }
}

// ---------------------------------------------------------------- hosts

TEST(Hosts, OfUnequalSizeAreUsedToTheLastWholeSlot) {
    // 6.3 GiB: 4 + 2 and 0.3 that no desktop fits into; 1 GiB: two of the smallest
    const auto desks = allocator({host(1, Mebibytes(6451)), host(2, 1_GiB)});
    EXPECT_EQ(desks->capacity(), 14U);
    EXPECT_EQ(desks->free_total(), 7_GiB);
    fill(*desks, 1, 14);
    EXPECT_EQ(desks->free_total(), 0_MiB);
    EXPECT_EQ(desks->used(HostId("host1")), 6_GiB);
    EXPECT_EQ(desks->used(HostId("host2")), 1_GiB);
    EXPECT_THAT(desks->join(session(15)).error().what, HasSubstr("14 of 14"));
}

TEST(Hosts, ALargerOneThanTheLargestDesktopHoldsSeveral) {
    const auto desks = allocator({host(1, 16_GiB)});
    fill(*desks, 1, 3);
    EXPECT_THAT(sizes(*desks), ElementsAre(4096, 4096, 4096));
    EXPECT_EQ(desks->free_total(), 4_GiB);
}

TEST(Hosts, ALostOneReturnsItsSessionsInJoinOrderAndTheRestStays) {
    const auto desks = allocator({host(1), host(2), host(3)});
    fill(*desks, 1, 4);
    std::vector<SessionId> on_first;
    for (const auto& placement : desks->placements())
        if (placement.block.host == HostId("host1"))
            on_first.push_back(placement.session);
    ASSERT_FALSE(on_first.empty());
    const auto lost = desks->lose_host(HostId("host1"));
    ASSERT_TRUE(lost);
    EXPECT_EQ(*lost, on_first);
    EXPECT_EQ(desks->placements().size(), 4 - on_first.size());
    EXPECT_EQ(desks->capacity(), 16U);
    EXPECT_EQ(desks->lose_host(HostId("host1")).error().code, Errc::not_found);
    for (const auto& placement : desks->placements())
        EXPECT_NE(placement.block.host, HostId("host1"));
    ASSERT_TRUE(desks->add_host(host(1)));
    EXPECT_EQ(desks->capacity(), 24U);
}

TEST(Hosts, ALostOneEndsTheHandoffsOverIt) {
    // the handoff goes from host1 to host2, the newcomer waits on host1
    auto desks = third_waits();
    EXPECT_THAT(desks->lose_host(HostId("host1")).value(), ElementsAre(session(3)));
    EXPECT_EQ(desks->find(session(1))->block.host, HostId("host2")); // finished
    EXPECT_EQ(desks->finish_handoff(session(1)).error().code, Errc::not_found);

    desks = third_waits();
    EXPECT_THAT(desks->lose_host(HostId("host2")).value(), ElementsAre(session(2), session(3)));
    EXPECT_EQ(desks->find(session(1))->block.size, 4_GiB); // cancelled
    EXPECT_EQ(desks->used(HostId("host1")), 4_GiB);
}

TEST(Hosts, ThatDrainGetNothingNewAndCanBeEmptied) {
    const auto desks = allocator({host(1), host(2)});
    fill(*desks, 1, 3); // two on host2 fill it, one on host1 beside the free slot
    ASSERT_TRUE(desks->set_accepts(HostId("host1"), false));
    EXPECT_EQ(desks->capacity(), 8U);
    EXPECT_EQ(desks->free_total(), 0_MiB);
    // host2 has no slot to shrink anybody through: one goes aside on host1, and back
    int moves = 0;
    while (desks->used(HostId("host1")) > 0_MiB) {
        ASSERT_LT(++moves, 10);
        std::optional<Handoff> plan;
        for (const auto& placement : desks->placements())
            if (!plan && placement.block.host == HostId("host1"))
                plan = desks->plan_evacuate(placement.session);
        ASSERT_TRUE(plan);
        ASSERT_TRUE(desks->begin_handoff(*plan));
        ASSERT_TRUE(desks->finish_handoff(plan->session));
    }
    EXPECT_EQ(desks->placements().size(), 3U);
    EXPECT_FALSE(desks->plan_evacuate(session(1))); // not on a host that drains
    ASSERT_TRUE(desks->set_accepts(HostId("host2"), false));
    EXPECT_THAT(desks->join(session(4)).error().message(), HasSubstr("no host accepts desktops"));
}

TEST(Hosts, ThatDrainAreNamedInTheRefusal) {
    const auto desks = allocator({host(1), host(2, 4_GiB, false)});
    fill(*desks, 1, 8);
    const auto refused = desks->join(session(9));
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().what, HasSubstr("8 of 8 in use on 1 host"));
    EXPECT_THAT(refused.error().hint, HasSubstr("let 1 host accept desktops again"));
}

// ---------------------------------------------------------------- start-up

TEST(StartUp, FindsPlacesAndHandoffsAgain) {
    const auto desks = allocator({host(1), host(2)});
    ASSERT_TRUE(desks->adopt(session(7), HostId("host2"), 2_GiB, 7));
    ASSERT_TRUE(desks->adopt(session(3), HostId("host1"), 4_GiB, 3));
    ASSERT_TRUE(desks->adopt_handoff(session(3), HostId("host2"), 1_GiB));
    EXPECT_THAT(sizes(*desks), ElementsAre(1024, 2048)); // in join order
    EXPECT_EQ(desks->used(HostId("host2")), 3_GiB);
    const auto full = desks->adopt(session(8), HostId("host1"), 512_MiB, 8);
    EXPECT_EQ(full.error().code, Errc::conflict);
    EXPECT_THAT(full.error().what, HasSubstr("do not fit on host 'host1'"));
    EXPECT_EQ(desks->adopt_handoff(session(7), HostId("host1"), 1_GiB).error().code,
              Errc::conflict);
    EXPECT_EQ(desks->adopt(session(3), HostId("host2"), 1_GiB, 9).error().code,
              Errc::already_exists);
    EXPECT_EQ(desks->adopt(session(8), HostId("host3"), 1_GiB, 9).error().code, Errc::not_found);
    EXPECT_EQ(desks->adopt(session(8), HostId("host2"), 8_GiB, 9).error().code, Errc::conflict);
    EXPECT_EQ(desks->adopt(session(8), HostId("host2"), 0_MiB, 9).error().code,
              Errc::invalid_argument);
    ASSERT_TRUE(desks->adopt(session(9), HostId("host2"), 600_MiB, 9)); // between two sizes
    EXPECT_EQ(desks->find(session(9))->block.size, 1_GiB);
    ASSERT_TRUE(desks->finish_handoff(session(3)));
    EXPECT_EQ(desks->free_total(), 4_GiB);
    ASSERT_TRUE(desks->join(session(10)));
    EXPECT_EQ(desks->find(session(10))->joined, 10U);
}

TEST(StartUp, LongNamesAreKeptApart) {
    const auto desks = allocator({host(1)});
    const SessionId one(std::string(40, 'a') + "1");
    const SessionId two(std::string(40, 'a') + "2");
    ASSERT_TRUE(desks->join(one));
    ASSERT_TRUE(desks->join(two));
    EXPECT_EQ(desks->join(one).error().code, Errc::already_exists);
    ASSERT_TRUE(desks->leave(one));
    EXPECT_FALSE(desks->find(one));
    EXPECT_EQ(desks->find(two)->session, two);
    EXPECT_EQ(desks->join(SessionId()).error().code, Errc::invalid_argument);
}

// ---------------------------------------------------------------- impossible settings

TEST(Settings, ThatAreImpossibleAreRefusedInASentence) {
    const auto refusal = [](std::string_view policy, Settings settings, HostCapacity one) {
        const auto made = make_allocator(policy, settings, {one});
        EXPECT_FALSE(made);
        EXPECT_EQ(made.error().code, Errc::invalid_argument);
        return made.error().message();
    };
    EXPECT_THAT(refusal("best", {}, host(1)), HasSubstr("choose from: paper, lazy"));
    EXPECT_THAT(refusal("paper", {.levels = 0}, host(1)), HasSubstr("0 levels"));
    EXPECT_THAT(refusal("paper", {.levels = 17}, host(1)), HasSubstr("17 levels"));
    EXPECT_THAT(refusal("paper", {.largest = 0_MiB}, host(1)), HasSubstr("at least 1 MiB"));
    EXPECT_THAT(refusal("paper", {.largest = 6_MiB, .levels = 3}, host(1)),
                HasSubstr("cannot be halved 2 times"));
    EXPECT_THAT(refusal("paper", {}, host(1, 511_MiB)), HasSubstr("does not hold one desktop"));
    EXPECT_THAT(refusal("paper", {.largest = 1_MiB, .levels = 1}, host(1, 2048_GiB)),
                HasSubstr("2097152 desktops"));
    EXPECT_THAT(refusal("lazy", {.grow_below_percent = 101}, host(1)), HasSubstr("101 percent"));
    const auto desks = allocator({host(1)});
    EXPECT_EQ(desks->add_host(host(1)).error().code, Errc::already_exists);
    EXPECT_EQ(desks->set_accepts(HostId("host2"), false).error().code, Errc::not_found);
    EXPECT_EQ(desks->leave(session(1)).error().code, Errc::not_found);
    EXPECT_THAT(allocator({})->join(session(1)).error().message(), HasSubstr("add a host"));
}

// ---------------------------------------------------------------- policies

TEST(Advised, WithoutAdviceItIsThePapers) {
    const auto desks = allocator({host(1), host(2)}, {}, "advised");
    const auto paper = allocator({host(1), host(2)});
    for (int n = 1; n <= 16; ++n)
        ASSERT_EQ(settle_in(*desks, n).value(), settle_in(*paper, n).value()) << n;
}

TEST(Advised, WhoNeedsMoreGetsItWhileASlotStaysFree) {
    const auto desks = allocator({host(1), host(2), host(3)}, {}, "advised");
    fill(*desks, 1, 2);
    desks->set_floor(session(3), 3_GiB); // 2 GiB is due to the third
    fill(*desks, 3, 3);
    EXPECT_THAT(sizes(*desks), ElementsAre(4096, 4096, 2048)); // nothing would be left free
    ASSERT_TRUE(desks->leave(session(2)));
    ASSERT_TRUE(desks->leave(session(3)));
    fill(*desks, 4, 4);
    desks->set_floor(session(5), 100_MiB);
    fill(*desks, 5, 5);
    EXPECT_THAT(sizes(*desks), ElementsAre(4096, 4096, 2048)); // nobody gets less for needing less
}

TEST(Advised, WhoNeedsWhatTheyHaveIsPassedOver) {
    const auto desks = allocator({host(1), host(2)}, {}, "advised");
    desks->set_floor(session(2), 2_GiB);
    fill(*desks, 1, 4);
    EXPECT_THAT(sizes(*desks), ElementsAre(2048, 2048, 2048, 1024));
    const auto plan = settle_in(*desks, 5);
    EXPECT_EQ(plan->handoff->session, session(3));
    fill(*desks, 6, 6); // the paper takes the second here
    EXPECT_THAT(sizes(*desks), ElementsAre(1024, 2048, 1024, 1024, 1024, 1024));
    // rather than that anybody be refused, the need gives way
    fill(*desks, 7, 16);
    EXPECT_EQ(desks->find(session(2))->block.size, 512_MiB);
    EXPECT_EQ(desks->placements().size(), 16U);
}

TEST(Advised, WhoHasLessThanTheyNeedGrowsFirst) {
    const auto desks = allocator({host(1), host(2)}, {}, "advised");
    fill(*desks, 1, 8);
    for (int n = 4; n <= 8; ++n)
        ASSERT_TRUE(desks->leave(session(n)));
    desks->set_floor(session(3), 2_GiB);
    const auto growth = desks->plan_grow(std::nullopt);
    ASSERT_TRUE(growth);
    EXPECT_EQ(growth->session, session(3));
    EXPECT_EQ(growth->to.size, 2_GiB);
    desks->set_floor(session(3), std::nullopt);
    EXPECT_EQ(desks->plan_grow(std::nullopt)->session, session(1));
}

TEST(Advised, OtherPoliciesDoNotLookAtIt) {
    const auto desks = allocator({host(1), host(2)});
    desks->set_floor(session(2), 4_GiB);
    fill(*desks, 1, 6);
    EXPECT_THAT(sizes(*desks), ElementsAre(2048, 1024, 1024, 1024, 1024, 1024));
}

TEST(Lazy, FillsFirstAndShrinksTheLargest) {
    const auto desks = allocator({host(1), host(2)}, {}, "lazy");
    fill(*desks, 1, 16);
    EXPECT_THAT(desks->join(session(17)).error().what, HasSubstr("16 of 16"));
    for (int n = 2; n <= 16; ++n)
        ASSERT_TRUE(desks->leave(session(n)));
    ASSERT_TRUE(desks->join(session(18)));
    EXPECT_THAT(sizes(*desks), ElementsAre(512, 4096)); // twice what is due to the second
    const auto plan = desks->join(session(19));
    EXPECT_EQ(plan->handoff->session, session(18));
    EXPECT_EQ(plan->handoff->to.size, 2_GiB);
}

TEST(Lazy, GrowsNobodyWhileMuchIsInUse) {
    const auto desks = allocator({host(1), host(2)}, {}, "lazy");
    fill(*desks, 1, 16);
    for (int n = 16; n > 12; --n) {
        EXPECT_FALSE(desks->plan_grow(std::nullopt)) << n;
        ASSERT_TRUE(desks->leave(session(n)));
    }
    EXPECT_FALSE(desks->plan_grow(std::nullopt)); // 75 %
    ASSERT_TRUE(desks->leave(session(12)));
    ASSERT_TRUE(desks->leave(session(11)));
    ASSERT_TRUE(desks->plan_grow(std::nullopt));
}

} // namespace
} // namespace baton::allocation
