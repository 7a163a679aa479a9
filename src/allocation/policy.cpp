#include "allocation/policy.h"

namespace baton::allocation {

unsigned State::level_for(std::uint64_t sessions_then) const {
    for (unsigned level = 0; level < smallest(); ++level)
        if (sessions_then + 1 <= memory.slots(level))
            return level;
    return smallest();
}

namespace {

/// Into a free slot if another one of its level stays free after, or if it is the last of all.
bool fits_without_handoff(const State& state, unsigned level) {
    const std::uint64_t free = state.memory.free_slots(level);
    return free >= 2 ||
           (free == 1 && level == state.smallest() && !state.sessions.any_larger(level));
}

/// Table 3 read upwards: a row has the size due to its number of users, and one above.
GrowthLimit growth_by_the_rule(const State& state) {
    const unsigned due = state.level_for(state.sessions.size());
    return {.due = due, .largest = due > 0 ? due - 1 : 0};
}

/// A slot of `level` is free, and after taking it one of `spare` (a smaller size) still is.
bool leaves_a_slot(const State& state, unsigned level, unsigned spare) {
    return state.memory.free_slots(level) >= 1 &&
           state.memory.free_slots(spare) > (std::uint64_t{1} << (spare - level));
}

/// Section 3.3. Sizes go by the number of users; who connected last is handed off first.
///
/// The loop below the paper's level is ours: after leaves, small desktops may be scattered so that
/// no slot of the paper's level is whole, or all larger sessions may have said "not now". The
/// newcomer then gets the next smaller size rather than nothing.
class Paper : public Policy {
  public:
    [[nodiscard]] std::optional<JoinChoice> join(const State& state) const override {
        for (unsigned level = state.level_for(state.sessions.size() + 1);
             level < state.settings.levels; ++level) {
            if (fits_without_handoff(state, level))
                return JoinChoice{.level = level};
            if (state.memory.free_slots(level) == 0)
                continue;
            if (const SessionIndex last = state.sessions.latest_larger(level); last != no_session)
                return JoinChoice{.level = level, .shrink = last};
        }
        return std::nullopt;
    }

    [[nodiscard]] std::optional<GrowthLimit> growth(const State& state) const override {
        return growth_by_the_rule(state);
    }
};

/// Fewer handoffs for less even sizes: a newcomer takes up to twice the paper's size while that
/// leaves a slot of the paper's size free; a handoff takes one step from whoever has most; growing
/// waits until less than Settings::grow_below_percent of the memory is in use.
class Lazy : public Policy {
  public:
    [[nodiscard]] std::optional<JoinChoice> join(const State& state) const override {
        const unsigned due = state.level_for(state.sessions.size() + 1);
        if (due > 0 && leaves_a_slot(state, due - 1, due))
            return JoinChoice{.level = due - 1};
        for (unsigned level = due; level < state.settings.levels; ++level) {
            if (fits_without_handoff(state, level))
                return JoinChoice{.level = level};
            if (state.memory.free_slots(level) == 0)
                continue;
            const SessionIndex largest = state.sessions.latest_of_largest(level);
            if (largest != no_session)
                return JoinChoice{.level = level, .shrink = largest};
        }
        return std::nullopt;
    }

    [[nodiscard]] std::optional<GrowthLimit> growth(const State& state) const override {
        const std::uint64_t all = state.memory.slots(state.smallest());
        const std::uint64_t used = all - state.memory.free_slots(state.smallest());
        if (used * 100 >= all * state.settings.grow_below_percent)
            return std::nullopt;
        return growth_by_the_rule(state);
    }
};

/// The paper's rule, but who is known to need more than is due to everybody gets it while that
/// leaves a slot, and is passed over when somebody has to shrink below it. Rather than that anybody
/// be refused, the needs give way. As many looks as there are larger desktops, when needs are
/// known.
class Advised final : public Paper {
  public:
    [[nodiscard]] bool heeds_floors() const override { return true; }

    [[nodiscard]] std::optional<JoinChoice> join(const State& state) const override {
        if (state.floors.empty())
            return Paper::join(state);
        const unsigned due = state.level_for(state.sessions.size() + 1);
        for (unsigned level = state.newcomer_floor.value_or(due); level < due; ++level)
            if (leaves_a_slot(state, level, due))
                return JoinChoice{.level = level};
        for (unsigned level = due; level < state.settings.levels; ++level) {
            if (fits_without_handoff(state, level))
                return JoinChoice{.level = level};
            if (state.memory.free_slots(level) == 0)
                continue;
            if (const SessionIndex last = latest_to_spare(state, level); last != no_session)
                return JoinChoice{.level = level, .shrink = last};
        }
        return Paper::join(state);
    }

  private:
    /// Of those who have more than a slot of `level` and need no more, who connected last.
    static SessionIndex latest_to_spare(const State& state, unsigned level) {
        SessionIndex latest = no_session;
        for (unsigned l = 0; l < level; ++l)
            for (SessionIndex i = state.sessions.next_of_level(l, no_session); i != no_session;
                 i = state.sessions.next_of_level(l, i))
                if (state.is_enough(i, level) &&
                    (latest == no_session ||
                     state.sessions.joined(i) > state.sessions.joined(latest)))
                    latest = i;
        return latest;
    }
};

} // namespace

std::unique_ptr<Policy> make_policy(std::string_view name) {
    if (name == "paper")
        return std::make_unique<Paper>();
    if (name == "lazy")
        return std::make_unique<Lazy>();
    if (name == "advised")
        return std::make_unique<Advised>();
    return nullptr;
}

} // namespace baton::allocation
