#include "support/handoff_world.h"

#include <gtest/gtest.h>

// The controller dies before and after every commit and every effect of a scenario that opens,
// hands off, grows and closes. Each time it is started again over the same store and world, and
// all must end as if nothing had happened.
namespace baton::handoff {
namespace {

using std::chrono::milliseconds;
using store::CommitFault;
using testing::Fault;
using testing::HandoffWorld;

struct DeathAt {
    std::uint64_t commit = 0; ///< 0: none
    std::uint64_t effect = 0;
    bool after = false;
};

EngineSettings settings_with_grace() {
    EngineSettings settings;
    settings.grace = milliseconds(5'000);
    return settings;
}

/// Asks until served, as a person would whose question was lost.
void keep_joining(HandoffWorld& world, const std::string& user) {
    for (int attempt = 0; attempt < 3; ++attempt) {
        world.open(user, "10.9.0.7");
        world.settle();
        world.everybody_writes();
        const auto session = world.session_of(user);
        if (session && session->phase == store::SessionPhase::serving)
            return;
    }
}

void keep_leaving(HandoffWorld& world, const std::string& user) {
    for (int attempt = 0; attempt < 3; ++attempt) {
        const auto session = world.session_of(user);
        if (!session)
            return;
        world.close(session->id);
        world.settle();
        world.everybody_writes();
    }
}

void grow(HandoffWorld& world, const std::string& user, Mebibytes to) {
    for (int attempt = 0; attempt < 3 && world.desktop_of(user) != nullptr &&
                          world.desktop_of(user)->order.memory < to;
         ++attempt) {
        world.grow(world.session_of(user)->id);
        world.settle();
        world.everybody_writes();
    }
}

/// Two hosts and five people; the controller is going to die where `death` says.
void begin(HandoffWorld& world, const DeathAt& death) {
    world.add_host("host1", 4_GiB);
    world.add_host("host2", 4_GiB);
    for (const auto* user : {"kim", "lee", "park", "choi", "guest"})
        world.add_user(user, std::string(user) != "guest");
    const auto setup = world.store.commits();
    if (death.commit != 0)
        world.store.set_faults([=](std::uint64_t commit) {
            if (commit != setup + death.commit)
                return CommitFault::none;
            return death.after ? CommitFault::crash_after : CommitFault::crash_before;
        });
    if (death.effect != 0)
        world.faults = [=](const std::string&, std::uint64_t effect) {
            if (effect != death.effect)
                return Fault::none;
            return death.after ? Fault::crash_after : Fault::crash_before;
        };
    // Effects that a dead controller has sent are still being done while the next one starts.
    world.boot();
    world.settle();
}

/// Five join (two handoffs on the way), two leave, one grows.
void growing_and_shrinking(HandoffWorld& world) {
    for (const auto* user : {"kim", "lee", "park", "choi", "guest"})
        keep_joining(world, user);
    EXPECT_EQ(world.sizes_in_join_order(),
              (std::vector<std::int64_t>{2048, 2048, 1024, 1024, 1024}));
    keep_leaving(world, "lee");
    keep_leaving(world, "guest");
    grow(world, "park", 2_GiB);
    EXPECT_EQ(world.sizes_in_join_order(), (std::vector<std::int64_t>{2048, 2048, 1024}));
    world.check_at_rest();
}

/// A desktop is lost while it is being prepared for a handoff; another is lost as it serves; a
/// person comes back from another client with a password that has run out.
void losing_and_coming_back(HandoffWorld& world) {
    for (const auto* user : {"kim", "lee"})
        keep_joining(world, user);
    world.open("park", "10.9.0.7");
    world.run_for(milliseconds(1'200)); // a handoff for park is being prepared
    const auto moves = world.store.moves(false).value();
    for (const auto& move : moves)
        if (move.kind == store::MoveKind::handoff)
            world.lose_desktop(move.to);
    world.settle();
    keep_joining(world, "park");
    world.lose_desktop(world.session_of("kim")->desktop);
    world.settle();
    world.everybody_writes();
    world.clock.jump_wall(std::chrono::hours(13));
    world.open("lee", "10.9.0.9");
    world.settle();
    world.open("lee", "10.9.0.9");
    world.settle();
    world.everybody_writes();
    EXPECT_EQ(world.session_of("lee")->client, "10.9.0.9");
    EXPECT_EQ(world.desktops(), 3U);
    world.check_at_rest();
}

void expect_sound(const HandoffWorld& world, const std::string& when) {
    for (const auto& violation : world.violations)
        ADD_FAILURE() << when << ": " << violation;
}

struct Scenario {
    const char* name;
    void (*play)(HandoffWorld&);
    std::uint64_t least_commits; ///< a shorter one has not done what it is for
    std::uint64_t least_effects;
};

class HandoffCrash : public ::testing::TestWithParam<Scenario> {
  protected:
    struct Extent {
        std::uint64_t commits = 0;
        std::uint64_t effects = 0;
    };

    static Extent extent_without_deaths() {
        HandoffWorld world(settings_with_grace());
        begin(world, {});
        GetParam().play(world);
        expect_sound(world, "without a death");
        EXPECT_EQ(world.crashes, 0U);
        return {world.store.commits() - 7, world.effects};
    }

    static void play_with(const DeathAt& death, const std::string& when) {
        HandoffWorld world(settings_with_grace());
        SCOPED_TRACE(when);
        begin(world, death);
        GetParam().play(world);
        EXPECT_EQ(world.crashes, 1U);
        expect_sound(world, when);
    }
};

TEST_P(HandoffCrash, DyingAtAnyCommitLosesNothing) {
    const auto extent = extent_without_deaths();
    ASSERT_GT(extent.commits, GetParam().least_commits);
    for (std::uint64_t commit = 1; commit <= extent.commits && !HasFailure(); ++commit)
        for (const bool after : {false, true})
            play_with({commit, 0, after},
                      fmt::format("dead {} commit {}", after ? "after" : "before", commit));
}

TEST_P(HandoffCrash, DyingAtAnyEffectLosesNothing) {
    const auto extent = extent_without_deaths();
    ASSERT_GT(extent.effects, GetParam().least_effects);
    for (std::uint64_t effect = 1; effect <= extent.effects && !HasFailure(); ++effect)
        for (const bool after : {false, true})
            play_with({0, effect, after},
                      fmt::format("dead {} effect {}", after ? "after" : "before", effect));
}

INSTANTIATE_TEST_SUITE_P(
    Scenarios, HandoffCrash,
    ::testing::Values(Scenario{"GrowingAndShrinking", growing_and_shrinking, 50, 40},
                      Scenario{"LosingAndComingBack", losing_and_coming_back, 30, 25}),
    [](const auto& instance) { return instance.param.name; });

} // namespace
} // namespace baton::handoff
