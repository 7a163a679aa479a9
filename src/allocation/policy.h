#pragma once

#include "allocation/allocator.h"
#include "allocation/memory_map.h"
#include "allocation/session_table.h"

#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>

namespace baton::allocation {

/// The level of the smallest size that a session needs, for those of whom it is known.
using Floors = std::unordered_map<SessionId, unsigned>;

/// What a policy looks at.
struct State {
    const Settings& settings;
    const MemoryMap& memory;
    const SessionTable& sessions;
    const Floors& floors;
    std::optional<unsigned> newcomer_floor = std::nullopt; ///< of who joins

    /// Whether the session needs no more than a slot of that level.
    [[nodiscard]] bool is_enough(SessionIndex session, unsigned level) const {
        const auto found = floors.find(sessions.id(session));
        return found == floors.end() || found->second >= level;
    }

    [[nodiscard]] unsigned smallest() const { return settings.levels - 1; }

    /// The paper's m for n sessions: the smallest one with n <= U(m), counting the slots of hosts
    /// of any size instead of 2^m S; the last level when there is none.
    [[nodiscard]] unsigned level_for(std::uint64_t sessions_then) const;
};

/// Where a newcomer goes: into a free slot of `level`, or, after `shrink` was handed off into that
/// slot, into what that frees.
struct JoinChoice {
    unsigned level = 0;
    SessionIndex shrink = no_session;
};

/// How far growing back may go now. Whoever has less than `due` may come up to it at once; who has
/// that much may come one level above, up to `largest`, when nobody is left below.
struct GrowthLimit {
    unsigned due = 0;
    unsigned largest = 0;
};

/// The decisions; the bookkeeping is the allocator's. Stateless.
class Policy {
  public:
    virtual ~Policy() = default;
    /// None: no memory is free for it at this moment.
    [[nodiscard]] virtual std::optional<JoinChoice> join(const State& state) const = 0;
    /// None: nobody grows now.
    [[nodiscard]] virtual std::optional<GrowthLimit> growth(const State& state) const = 0;

    /// Whether sizes go by what sessions need.
    [[nodiscard]] virtual bool heeds_floors() const { return false; }
};

/// Null for a name that is not known.
std::unique_ptr<Policy> make_policy(std::string_view name);

} // namespace baton::allocation
