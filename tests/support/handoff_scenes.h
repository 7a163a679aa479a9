#pragma once

#include "support/handoff_world.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

/// Short beginnings and endings for tests of the engine.
namespace baton::testing {

/// Without a grace period: nobody is asked, everything goes on at once.
inline handoff::EngineSettings quick() {
    handoff::EngineSettings settings;
    settings.grace = milliseconds(0);
    return settings;
}

/// The paper's two hosts of 4 GiB, people "user1" .. "userN" with a desk each; booted.
inline void two_hosts(HandoffWorld& world, int people) {
    world.add_host("host1", 4_GiB);
    world.add_host("host2", 4_GiB);
    for (int i = 1; i <= people; ++i)
        world.add_user("user" + std::to_string(i));
    world.boot();
    world.settle();
}

/// Opens a session that must succeed, and lets everybody write once.
inline handoff::SessionView join(HandoffWorld& world, const std::string& user,
                                 const std::string& client = "") {
    const auto answer = world.open(user, client);
    world.settle();
    world.everybody_writes();
    if (!answer->result || !*answer->result) {
        ADD_FAILURE() << user << " was not served: "
                      << (answer->result ? answer->result->error().message() : "no answer");
        return {};
    }
    return **answer->result;
}

/// user1 has 4 GiB and user2 2 GiB: the next to join costs a handoff of user1.
inline void two_served(HandoffWorld& world) {
    two_hosts(world, 6);
    join(world, "user1", "10.9.0.1");
    join(world, "user2", "10.9.0.2");
}

/// People are asked, and have ten seconds.
inline handoff::EngineSettings with_grace() {
    handoff::EngineSettings settings;
    settings.grace = milliseconds(10'000);
    settings.not_now_delay = milliseconds(60'000);
    return settings;
}

inline void expect_sound(HandoffWorld& world) {
    world.check_at_rest();
    for (const auto& violation : world.violations)
        ADD_FAILURE() << violation;
}

/// Runs until `condition`, or fails when the world comes to rest before.
template <class Condition>
void run_until(HandoffWorld& world, const char* what, Condition condition) {
    while (!condition())
        if (!world.step()) {
            ADD_FAILURE() << "never came to: " << what;
            return;
        }
}

/// The move of this person is in this phase now.
inline bool is_in(HandoffWorld& world, const std::string& user, store::MovePhase phase) {
    const auto session = world.session_of(user);
    if (!session)
        return false;
    const auto moves = world.store.moves(false).value();
    for (const auto& move : moves)
        if (move.session == session->id && move.phase == phase)
            return true;
    return false;
}

} // namespace baton::testing
