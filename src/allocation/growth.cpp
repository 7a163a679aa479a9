/// BlockAllocator: plans that give memory back, and plans that empty a host.
#include "allocation/block_allocator.h"

#include <algorithm>

namespace baton::allocation {

std::optional<Spot> BlockAllocator::would_take(unsigned level) const {
    const auto spot = memory_.take(level);
    if (spot)
        memory_.give(*spot);
    return spot;
}

/// Hysteresis: after it, `margin` people can join without a handoff, and one more with one. One
/// person more or less then changes nobody's size: a handoff at a join leaves one free slot of the
/// newcomer's size, the same person's leaving makes it two, and growing out of two leaves fewer.
/// With a margin there is also, while old and new overlap, a slot for whoever joins meanwhile.
bool BlockAllocator::may_grow(SessionIndex session, unsigned level) const {
    if (sessions_.size() + settings_.margin > capacity())
        return false;
    const unsigned next = state().level_for(sessions_.size() + 1); // later ones get no more
    const Spot from = sessions_.spot(session);
    const auto to = memory_.take(level);
    if (!to)
        return false;
    bool ok = settings_.margin == 0 || memory_.free_slots(next) > 0;
    memory_.give(from);
    ok = ok && memory_.free_slots(next) > settings_.margin;
    memory_.take_at(from.host, from.level, memory_.offset(from));
    memory_.give(*to);
    return ok;
}

std::optional<Handoff> BlockAllocator::growth_of(SessionIndex session,
                                                 const GrowthLimit& limit) const {
    const unsigned now = sessions_.at(session).level;
    unsigned largest = now > limit.due ? limit.due : limit.largest;
    if (!floors_.empty())
        if (const auto floor = floors_.find(sessions_.id(session)); floor != floors_.end())
            largest = std::min(largest, floor->second);
    for (unsigned level = largest; level < now; ++level)
        if (may_grow(session, level))
            return handoff(session, would_take(level).value());
    return std::nullopt;
}

namespace {

/// What a session frees differs only by its neighbours, so few need to be tried.
constexpr int tries_at_a_level = 64;

} // namespace

/// The next of those who have less than they are known to need, the smallest first.
std::optional<Handoff> BlockAllocator::growth_to_floor(const GrowthLimit& limit) const {
    const State now = state();
    for (unsigned level = settings_.levels; level-- > 1;) {
        int tries = tries_at_a_level;
        for (SessionIndex i = sessions_.next_of_level(level, no_session);
             i != no_session && tries > 0; i = sessions_.next_of_level(level, i)) {
            if (now.is_enough(i, level))
                continue;
            --tries;
            if (auto plan = growth_of(i, limit))
                return plan;
        }
    }
    return std::nullopt;
}

std::optional<Handoff> BlockAllocator::plan_grow(const std::optional<SessionId>& candidate) const {
    const auto limit = policy_->growth(state());
    if (!limit)
        return std::nullopt;
    if (candidate) {
        const auto found = settled(*candidate);
        if (!found || !memory_.accepts(sessions_.spot(*found).host))
            return std::nullopt;
        return growth_of(*found, *limit);
    }
    if (!floors_.empty())
        if (auto plan = growth_to_floor(*limit))
            return plan;
    bool below_due = false;
    for (unsigned level = settings_.levels; level-- > limit->largest + 1;) {
        if (level <= limit->due && below_due)
            break; // first those who have less than is due to them, when memory comes free
        int tries = tries_at_a_level;
        for (SessionIndex i = sessions_.next_of_level(level, no_session);
             i != no_session && tries-- > 0; i = sessions_.next_of_level(level, i)) {
            below_due = below_due || level > limit->due;
            if (auto plan = growth_of(i, *limit))
                return plan;
        }
    }
    return std::nullopt;
}

/// A session on a host that is to be emptied goes where a newcomer would go, but not to more than
/// it has. When no slot can be spared for it, one who has more is made smaller first; if even the
/// slot for that is missing, it is found on the host that is being emptied, and that session moves
/// a second time when its turn comes.
std::optional<Handoff> BlockAllocator::plan_evacuate(const SessionId& session) const {
    const auto found = settled(session);
    if (!found)
        return std::nullopt;
    const Spot at = sessions_.spot(*found);
    if (memory_.accepts(at.host))
        return std::nullopt;
    const unsigned last = settings_.levels - 1;
    const unsigned due = std::max<unsigned>(at.level, state().level_for(sessions_.size()));
    for (unsigned level = due; level <= last; ++level) {
        const std::uint64_t free = memory_.free_slots(level);
        if (free >= 2 || (free == 1 && level == last && !sessions_.any_larger(last)))
            return handoff(*found, would_take(level).value());
        if (free == 0)
            continue;
        if (const SessionIndex other = sessions_.latest_larger(level); other != no_session)
            return handoff(other, would_take(level).value());
    }
    if (handoffs_ > 0 || memory_.free_slots(last) > 0)
        return std::nullopt; // room comes, or those who have it said "not now"
    for (unsigned level = due; level <= last; ++level) {
        const SessionIndex other = sessions_.latest_larger(level);
        if (other == no_session)
            continue;
        if (const auto aside = memory_.take_on(at.host, level)) {
            memory_.give(*aside);
            return handoff(other, *aside);
        }
    }
    return std::nullopt;
}

} // namespace baton::allocation
