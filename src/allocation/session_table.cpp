#include "allocation/session_table.h"

#include <algorithm>
#include <utility>

namespace baton::allocation {

SessionIndex SessionTable::find(const SessionId& id) const {
    const auto found = index_.find(std::string_view(id.value));
    return found == index_.end() ? no_session : *found;
}

SessionIndex SessionTable::store(const SessionId& id, const Spot& at, std::uint64_t joined) {
    SessionIndex i = 0;
    if (unused_.empty()) {
        i = static_cast<SessionIndex>(records_.size());
        records_.emplace_back();
    } else {
        i = unused_.back();
        unused_.pop_back();
    }
    SessionRecord& record = records_[i];
    record.id = id; // into what is there already: no allocation when a record is used again
    record.hash = std::hash<std::string_view>{}(id.value);
    record.joined = joined;
    record.at = at;
    record.partner = no_session;
    record.moving = record.promised = false;
    record.movable = true;
    record.listed = record.counted = -1;
    index_.insert(i);
    ++live_;
    return i;
}

SessionIndex SessionTable::add(const SessionId& id, const Spot& at) {
    const SessionIndex i = store(id, at, ++last_joined_);
    if (next_rank_ == order_.size())
        make_rank_room();
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
    const auto place = std::ranges::upper_bound(
        order, joined, {}, [&](SessionIndex other) { return records_[other].joined; });
    order.insert(place, i);
    if (order.size() > order_.size())
        make_rank_room();
    for (auto& tree : candidates_)
        tree = BitTree{};
    for (auto& tree : candidates_)
        tree.grow(order_.size());
    std::ranges::fill(order_, no_session);
    next_rank_ = 0;
    for (const SessionIndex other : order) {
        order_[next_rank_] = other;
        records_[other].rank = next_rank_++;
        records_[other].listed = -1;
    }
    settle_all();
    return i;
}

/// Ranks are used up from the left. When none is left, those who are still here move together; the
/// room is at least twice their number, so that this costs each join O(1) on the average.
void SessionTable::make_rank_room() {
    const std::vector<SessionIndex> order = in_order();
    for (const SessionIndex i : order) {
        if (records_[i].listed >= 0)
            candidates_[records_[i].listed].clear(records_[i].rank);
        records_[i].listed = -1;
    }
    const std::size_t room = std::max<std::size_t>({64, order_.size(), 2 * (order.size() + 1)});
    order_.assign(room, no_session);
    for (auto& tree : candidates_)
        tree.grow(room);
    next_rank_ = 0;
    for (const SessionIndex i : order) {
        order_[next_rank_] = i;
        records_[i].rank = next_rank_++;
    }
    for (const SessionIndex i : order)
        settle(i);
}

void SessionTable::settle(SessionIndex i) {
    SessionRecord& record = records_[i];
    int level = memory_.accepts(record.at.host) ? record.at.level : -1;
    if (record.moving && memory_.accepts(record.to.host) && (level < 0 || record.to.level < level))
        level = record.to.level;
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
    for (std::uint32_t rank = 0; rank < next_rank_; ++rank)
        if (order_[rank] != no_session)
            settle(order_[rank]);
}

void SessionTable::remove(SessionIndex i) {
    SessionRecord& record = records_[i];
    if (record.listed >= 0)
        candidates_[record.listed].clear(record.rank);
    if (record.counted >= 0)
        --at_level_[record.counted];
    order_[record.rank] = no_session;
    index_.erase(i);
    record.id.value.clear();
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
        if (order_[rank] != no_session)
            order.push_back(order_[rank]);
    return order;
}

} // namespace baton::allocation
