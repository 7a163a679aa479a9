#include "allocation/session_table.h"

#include <algorithm>
#include <utility>

namespace baton::allocation {

SessionIndex SessionTable::find(const SoughtId& sought) const {
    const auto found = index_.find(sought.hash, [&](SessionIndex i) {
        return ids_.equal(records_[i].id, sought.key, sought.id);
    });
    if (found)
        return *found;
    __builtin_prefetch(&records_[index_.likely(sought.hash)], 1);
    return no_session;
}

/// There is room (reserve_one).
SessionIndex SessionTable::place(const SoughtId& newcomer) {
    const SessionIndex i = index_.insert(newcomer.hash);
    static constexpr SessionRecord fresh; // a temporary would be written and read back in pieces
    records_[i] = fresh;
    records_[i].id = ids_.keep(newcomer.key, newcomer.id);
    return i;
}

void SessionTable::reserve_one() {
    if (!index_.has_room(live_))
        grow();
}

void SessionTable::grow() {
    index_.clear_and_double();
    const auto before = std::exchange(
        records_, std::pmr::vector<SessionRecord>(index_.slots(), records_.get_allocator()));
    std::vector<SessionIndex> now(before.size(), no_session);
    for (SessionIndex i = 0; i < now.size(); ++i) {
        if (before[i].id.empty())
            continue;
        now[i] = index_.insert(before[i].id.hash());
        records_[now[i]] = before[i];
    }
    for (std::size_t rank = 0; rank < order_.size(); ++rank) {
        SessionIndex& i = order_[rank].session;
        i = i != no_session && before[i].rank == rank ? now[i] : no_session;
    }
    std::unordered_map<SessionIndex, Handover> handovers;
    for (auto& [i, handover] : handovers_) {
        if (handover.partner != no_session)
            handover.partner = now[handover.partner];
        handovers.emplace(now[i], handover);
    }
    handovers_ = std::move(handovers);
}

SessionIndex SessionTable::add(const SoughtId& newcomer, const Spot& at) {
    if (order_.size() == ranks_)
        rank_anew();
    const SessionIndex i = place(newcomer);
    ++live_;
    set_spot(i, at);
    records_[i].rank = static_cast<std::uint32_t>(order_.size());
    order_.emplace_back(++last_joined_, i);
    return i;
}

SessionIndex SessionTable::add_at(const SoughtId& newcomer, const Spot& at, std::uint64_t joined) {
    reserve_one();
    if (joined > last_joined_) {
        last_joined_ = joined - 1;
        return add(newcomer, at);
    }
    // in the middle: everybody is ranked anew, the newcomer where it belongs
    std::pmr::vector<Ranked> order(order_.get_allocator());
    order.reserve(live_ + 1);
    for_each_in_order([&](const Ranked& who) { order.push_back(who); });
    const SessionIndex i = place(newcomer);
    ++live_;
    set_spot(i, at);
    order.insert(std::ranges::upper_bound(order, joined, {}, &Ranked::joined), Ranked{joined, i});
    order_ = std::move(order);
    clear_ranks();
    for (std::uint32_t rank = 0; rank < order_.size(); ++rank)
        give_rank(order_[rank], rank);
    return i;
}

/// Ranks are used up from the left. When none is left, those who are still here move together; the
/// room is at least four times their number, so that this costs each join O(1) on the average.
void SessionTable::rank_anew() {
    clear_ranks();
    std::pmr::vector<Ranked> order(order_.get_allocator());
    order.reserve(ranks_);
    for_each_in_order([&](const Ranked& who) {
        give_rank(who, static_cast<std::uint32_t>(order.size()));
        order.push_back(who);
    });
    order_ = std::move(order);
}

/// Nobody is a candidate, and there are ranks for four times those who are here.
void SessionTable::clear_ranks() {
    ranks_ = std::max<std::size_t>({64, ranks_, 4 * live_});
    for (auto& tree : candidates_) {
        tree.clear();
        tree.grow(ranks_);
    }
}

void SessionTable::give_rank(const Ranked& who, std::uint32_t rank) {
    records_[who.session].rank = rank;
    records_[who.session].listed = -1;
    settle(who.session);
}

/// The records lie anywhere, so those who are soon looked at are fetched meanwhile.
template <class Use>
void SessionTable::for_each_in_order(Use use) const {
    constexpr std::size_t ahead = 32;
    for (std::size_t rank = 0; rank < order_.size(); ++rank) {
        if (rank + ahead < order_.size() && order_[rank + ahead].session != no_session)
            __builtin_prefetch(&records_[order_[rank + ahead].session], 1);
        const Ranked who = order_[rank];
        if (who.session != no_session && records_[who.session].rank == rank &&
            !records_[who.session].id.empty())
            use(who);
    }
}

void SessionTable::begin_move(SessionIndex i, const Spot& to) {
    handovers_[i] = Handover{.to = to, .partner = no_session};
    records_[i].moving = true;
}

void SessionTable::end_move(SessionIndex i) {
    handovers_.erase(i);
    records_[i].moving = false;
}

void SessionTable::promise(SessionIndex mover, SessionIndex newcomer) {
    handovers_.at(mover).partner = newcomer;
    handovers_[newcomer] = Handover{.to = {}, .partner = mover};
    records_[newcomer].promised = true;
}

void SessionTable::end_promise(SessionIndex mover, SessionIndex newcomer) {
    handovers_.at(mover).partner = no_session;
    handovers_.erase(newcomer);
    records_[newcomer].promised = false;
}

void SessionTable::settle(SessionIndex i) {
    SessionRecord& mine = records_[i];
    const bool accepts = memory_.accepts(spot(i).host);
    int level = accepts ? mine.level : -1;
    if (mine.moving) {
        const Spot& to = handovers_.at(i).to;
        if (memory_.accepts(to.host) && (level < 0 || to.level < level))
            level = to.level;
    }
    if (level != mine.counted) {
        if (mine.counted >= 0)
            --at_level_[mine.counted];
        if (level >= 0)
            ++at_level_[level];
        mine.counted = static_cast<std::int8_t>(level);
    }

    const bool candidate = accepts && !mine.moving && !mine.promised && mine.movable;
    const auto wanted = static_cast<std::int8_t>(candidate ? mine.level : -1);
    if (wanted == mine.listed)
        return;
    if (mine.listed >= 0)
        candidates_[mine.listed].clear(mine.rank);
    if (wanted >= 0)
        candidates_[wanted].set(mine.rank);
    mine.listed = wanted;
}

void SessionTable::settle_all() {
    for (const SessionIndex i : in_order())
        settle(i);
}

void SessionTable::remove(SessionIndex i) {
    SessionRecord& gone = records_[i];
    if (gone.listed >= 0)
        candidates_[gone.listed].clear(gone.rank);
    if (gone.counted >= 0)
        --at_level_[gone.counted];
    index_.erase(gone.id.hash(), i);
    ids_.drop(gone.id);
    gone.id = IdKey{};
    --live_;
}

SessionIndex SessionTable::latest_larger(unsigned below) const {
    std::size_t latest = BitTree::none;
    unsigned its_level = 0;
    for (unsigned level = 0; level < below; ++level) {
        const std::size_t rank = candidates_[level].last();
        if (rank == BitTree::none || (latest != BitTree::none && rank < latest))
            continue;
        latest = rank;
        its_level = level;
    }
    return latest == BitTree::none ? no_session : candidate(its_level, latest);
}

SessionIndex SessionTable::latest_of_largest(unsigned below) const {
    for (unsigned level = 0; level < below; ++level)
        if (const std::size_t rank = candidates_[level].last(); rank != BitTree::none)
            return candidate(level, rank);
    return no_session;
}

SessionIndex SessionTable::next_of_level(unsigned level, SessionIndex after) const {
    const std::size_t from = after == no_session ? 0 : std::size_t{records_[after].rank} + 1;
    const std::size_t rank = candidates_[level].first(from);
    return rank == BitTree::none ? no_session : order_[rank].session;
}

bool SessionTable::any_larger(unsigned level) const {
    return std::any_of(at_level_.begin(), at_level_.begin() + level,
                       [](std::size_t count) { return count > 0; });
}

std::vector<SessionIndex> SessionTable::in_order() const {
    std::vector<SessionIndex> order;
    order.reserve(live_);
    for_each_in_order([&](const Ranked& who) { order.push_back(who.session); });
    return order;
}

} // namespace baton::allocation
