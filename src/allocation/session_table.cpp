#include "allocation/session_table.h"

#include <algorithm>
#include <utility>

namespace baton::allocation {

SessionIndex SessionTable::find(const SessionId& id) const {
    const IdKey key = SessionIds::key(id.value);
    for (std::size_t bucket = home(key);; bucket = after(bucket)) {
        const auto first = static_cast<SessionIndex>(bucket * 2);
        if (ids_.equal(record(first).id, key, id.value))
            return first;
        if (ids_.equal(record(first + 1).id, key, id.value))
            return first + 1;
        if (buckets_[bucket].passed() == 0)
            return no_session;
    }
}

void SessionTable::put(SessionIndex i, const SessionRecord& content) {
    const std::uint32_t passed = record(i).passed;
    record(i) = content;
    record(i).passed = passed;
}

/// The first free record on the key's way. There is one, and it is not far (reserve_one).
SessionIndex SessionTable::place(const IdKey& kept) {
    SessionRecord fresh;
    fresh.id = kept;
    for (std::size_t bucket = home(kept);; bucket = after(bucket)) {
        for (const std::size_t i : {bucket * 2, bucket * 2 + 1}) {
            const auto index = static_cast<SessionIndex>(i);
            if (record(index).id.empty()) {
                put(index, fresh);
                return index;
            }
        }
        ++buckets_[bucket].passed();
    }
}

void SessionTable::reserve_one() {
    if ((live_ + 1) * 5 > buckets_.size() * 2 * 3)
        grow();
}

void SessionTable::grow() {
    const auto old = std::exchange(buckets_, std::vector<Bucket>(buckets_.size() * 2));
    std::vector<SessionIndex> now(old.size() * 2, no_session);
    const auto before = [&](SessionIndex i) -> const SessionRecord& {
        return old[i / 2].records[i % 2];
    };
    for (SessionIndex i = 0; i < now.size(); ++i) {
        if (before(i).id.empty())
            continue;
        now[i] = place(before(i).id);
        put(now[i], before(i));
    }
    for (std::uint32_t rank = 0; rank < next_rank_; ++rank) {
        SessionIndex& i = order_[rank].session;
        i = i != no_session && before(i).rank == rank ? now[i] : no_session;
    }
    std::unordered_map<SessionIndex, Handover> handovers;
    for (auto& [i, handover] : handovers_) {
        if (handover.partner != no_session)
            handover.partner = now[handover.partner];
        handovers.emplace(now[i], handover);
    }
    handovers_ = std::move(handovers);
}

void SessionTable::rank(SessionIndex i, std::uint64_t joined) {
    order_[next_rank_] = Ranked{joined, i};
    record(i).rank = next_rank_++;
}

SessionIndex SessionTable::add(const SessionId& id, const Spot& at) {
    if (next_rank_ == order_.size())
        rank_anew(ranked());
    const SessionIndex i = place(ids_.keep(SessionIds::key(id.value), id.value));
    ++live_;
    set_spot(i, at);
    rank(i, ++last_joined_);
    return i;
}

SessionIndex SessionTable::add_at(const SessionId& id, const Spot& at, std::uint64_t joined) {
    reserve_one();
    if (joined > last_joined_) {
        last_joined_ = joined - 1;
        return add(id, at);
    }
    // in the middle: everybody is ranked anew, the newcomer where it belongs
    std::vector<Ranked> order = ranked();
    const SessionIndex i = place(ids_.keep(SessionIds::key(id.value), id.value));
    ++live_;
    set_spot(i, at);
    order.insert(std::ranges::upper_bound(order, joined, {}, &Ranked::joined), Ranked{joined, i});
    rank_anew(order);
    return i;
}

/// Ranks are used up from the left. When none is left, those who are still here move together; the
/// room is at least four times their number, so that this costs each join O(1) on the average.
void SessionTable::rank_anew(const std::vector<Ranked>& order) {
    order_.resize(std::max<std::size_t>({64, order_.size(), 4 * order.size()}));
    for (auto& tree : candidates_) {
        tree = BitTree{};
        tree.grow(order_.size());
    }
    next_rank_ = 0;
    for (const auto& [joined, i] : order) {
        rank(i, joined);
        record(i).listed = -1;
        settle(i);
    }
}

void SessionTable::begin_move(SessionIndex i, const Spot& to) {
    handovers_[i] = Handover{.to = to, .partner = no_session};
    record(i).moving = true;
}

void SessionTable::end_move(SessionIndex i) {
    handovers_.erase(i);
    record(i).moving = false;
}

void SessionTable::promise(SessionIndex mover, SessionIndex newcomer) {
    handovers_.at(mover).partner = newcomer;
    handovers_[newcomer] = Handover{.to = {}, .partner = mover};
    record(newcomer).promised = true;
}

void SessionTable::end_promise(SessionIndex mover, SessionIndex newcomer) {
    handovers_.at(mover).partner = no_session;
    handovers_.erase(newcomer);
    record(newcomer).promised = false;
}

void SessionTable::settle(SessionIndex i) {
    SessionRecord& mine = record(i);
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
    SessionRecord& gone = record(i);
    if (gone.listed >= 0)
        candidates_[gone.listed].clear(gone.rank);
    if (gone.counted >= 0)
        --at_level_[gone.counted];
    for (std::size_t bucket = home(gone.id); bucket != i / 2; bucket = after(bucket))
        --buckets_[bucket].passed();
    ids_.drop(gone.id);
    gone.id = IdKey{};
    --live_;
}

SessionIndex SessionTable::latest_larger(unsigned below) const {
    std::size_t latest = BitTree::none;
    for (unsigned level = 0; level < below; ++level) {
        const std::size_t rank = candidates_[level].last();
        if (rank != BitTree::none && (latest == BitTree::none || rank > latest))
            latest = rank;
    }
    return latest == BitTree::none ? no_session : at_rank(latest);
}

SessionIndex SessionTable::latest_of_largest(unsigned below) const {
    for (unsigned level = 0; level < below; ++level)
        if (const std::size_t rank = candidates_[level].last(); rank != BitTree::none)
            return at_rank(rank);
    return no_session;
}

SessionIndex SessionTable::next_of_level(unsigned level, SessionIndex after) const {
    const std::size_t from = after == no_session ? 0 : std::size_t{record(after).rank} + 1;
    const std::size_t rank = candidates_[level].first(from);
    return rank == BitTree::none ? no_session : order_[rank].session;
}

bool SessionTable::any_larger(unsigned level) const {
    return std::any_of(at_level_.begin(), at_level_.begin() + level,
                       [](std::size_t count) { return count > 0; });
}

std::vector<SessionTable::Ranked> SessionTable::ranked() const {
    std::vector<Ranked> order;
    order.reserve(live_ + 1);
    for (std::uint32_t rank = 0; rank < next_rank_; ++rank) {
        const SessionIndex i = order_[rank].session;
        if (i != no_session && record(i).rank == rank && !record(i).id.empty())
            order.push_back(order_[rank]);
    }
    return order;
}

std::vector<SessionIndex> SessionTable::in_order() const {
    std::vector<SessionIndex> order;
    order.reserve(live_);
    for (const Ranked& entry : ranked())
        order.push_back(entry.session);
    return order;
}

} // namespace baton::allocation
