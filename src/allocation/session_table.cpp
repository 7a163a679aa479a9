#include "allocation/session_table.h"

#include <algorithm>

namespace baton::allocation {

SessionIndex SessionTable::find(const SessionId& id) const {
    return index_.find(IdIndex::tag(id.value), [&](SessionIndex i) { return ids_[i] == id; });
}

void SessionTable::prefetch(const SessionId& id) const {
    index_.prefetch(IdIndex::tag(id.value));
    if (!unused_.empty())
        __builtin_prefetch(&ids_[unused_.back()], 1);
}

SessionIndex SessionTable::store(const SessionId& id, const Spot& at, std::uint64_t joined) {
    SessionIndex i = 0;
    if (unused_.empty()) {
        i = static_cast<SessionIndex>(records_.size());
        records_.emplace_back();
        ids_.emplace_back();
        joined_.emplace_back();
    } else {
        i = unused_.back();
        unused_.pop_back();
    }
    ids_[i] = id; // into what is there already: no allocation when a record is used again
    joined_[i] = joined;
    records_[i] = SessionRecord{.at = at,
                                .rank = 0,
                                .in_use = true,
                                .moving = false,
                                .promised = false,
                                .movable = true,
                                .listed = -1,
                                .counted = -1};
    index_.insert(IdIndex::tag(id.value), i);
    ++live_;
    return i;
}

SessionIndex SessionTable::add(const SessionId& id, const Spot& at) {
    if (next_rank_ == order_.size())
        rank_anew(in_order());
    const SessionIndex i = store(id, at, ++last_joined_);
    order_[next_rank_] = i;
    records_[i].rank = next_rank_++;
    return i;
}

SessionIndex SessionTable::add_at(const SessionId& id, const Spot& at, std::uint64_t joined) {
    if (joined > last_joined_) {
        last_joined_ = joined - 1;
        return add(id, at);
    }
    // in the middle: everybody is ranked anew, the newcomer where it belongs
    std::vector<SessionIndex> order = in_order();
    const SessionIndex i = store(id, at, joined);
    const auto place = std::ranges::upper_bound(order, joined, {},
                                                [&](SessionIndex other) { return joined_[other]; });
    order.insert(place, i);
    rank_anew(order);
    return i;
}

/// Ranks are used up from the left. When none is left, those who are still here move together; the
/// room is at least four times their number, so that this costs each join O(1) on the average.
void SessionTable::rank_anew(const std::vector<SessionIndex>& order) {
    order_.resize(std::max<std::size_t>({64, order_.size(), 4 * order.size()}));
    for (auto& tree : candidates_) {
        tree = BitTree{};
        tree.grow(order_.size());
    }
    next_rank_ = 0;
    for (const SessionIndex i : order) {
        order_[next_rank_] = i;
        records_[i].rank = next_rank_++;
        records_[i].listed = -1;
        settle(i);
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
    SessionRecord& record = records_[i];
    int level = memory_.accepts(record.at.host) ? record.at.level : -1;
    if (record.moving) {
        const Spot& to = handovers_.at(i).to;
        if (memory_.accepts(to.host) && (level < 0 || to.level < level))
            level = to.level;
    }
    if (level != record.counted) {
        if (record.counted >= 0)
            --at_level_[record.counted];
        if (level >= 0)
            ++at_level_[level];
        record.counted = static_cast<std::int8_t>(level);
    }

    const bool candidate =
        !record.moving && !record.promised && record.movable && memory_.accepts(record.at.host);
    const auto wanted = static_cast<std::int8_t>(candidate ? record.at.level : -1);
    if (wanted == record.listed)
        return;
    if (record.listed >= 0)
        candidates_[record.listed].clear(record.rank);
    if (wanted >= 0)
        candidates_[wanted].set(record.rank);
    record.listed = wanted;
}

void SessionTable::settle_all() {
    for (SessionIndex i = 0; i < records_.size(); ++i)
        if (records_[i].in_use)
            settle(i);
}

void SessionTable::remove(SessionIndex i) {
    SessionRecord& record = records_[i];
    if (record.listed >= 0)
        candidates_[record.listed].clear(record.rank);
    if (record.counted >= 0)
        --at_level_[record.counted];
    index_.erase(IdIndex::tag(ids_[i].value), i);
    record.in_use = false;
    unused_.push_back(i);
    --live_;
}

SessionIndex SessionTable::latest_larger(unsigned below) const {
    std::size_t latest = BitTree::none;
    for (unsigned level = 0; level < below; ++level) {
        const std::size_t rank = candidates_[level].last();
        if (rank != BitTree::none && (latest == BitTree::none || rank > latest))
            latest = rank;
    }
    return latest == BitTree::none ? no_session : order_[latest];
}

SessionIndex SessionTable::latest_of_largest(unsigned below) const {
    for (unsigned level = 0; level < below; ++level)
        if (const std::size_t rank = candidates_[level].last(); rank != BitTree::none)
            return order_[rank];
    return no_session;
}

SessionIndex SessionTable::next_of_level(unsigned level, SessionIndex after) const {
    const std::size_t from = after == no_session ? 0 : std::size_t{records_[after].rank} + 1;
    const std::size_t rank = candidates_[level].first(from);
    return rank == BitTree::none ? no_session : order_[rank];
}

bool SessionTable::any_larger(unsigned level) const {
    return std::any_of(at_level_.begin(), at_level_.begin() + level,
                       [](std::size_t count) { return count > 0; });
}

std::vector<SessionIndex> SessionTable::in_order() const {
    std::vector<SessionIndex> order;
    order.reserve(live_);
    for (std::uint32_t rank = 0; rank < next_rank_; ++rank)
        if (const SessionRecord& record = records_[order_[rank]];
            record.rank == rank && record.in_use)
            order.push_back(order_[rank]);
    return order;
}

} // namespace baton::allocation
