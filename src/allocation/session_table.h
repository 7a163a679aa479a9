#pragma once

#include "allocation/bit_tree.h"
#include "allocation/memory_map.h"
#include "allocation/session_ids.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <unordered_map>
#include <vector>

namespace baton::allocation {

using SessionIndex = std::uint32_t;
inline constexpr SessionIndex no_session = std::numeric_limits<SessionIndex>::max();

/// What every join and leave looks at: half a cache line. What only a handoff needs is in Handover.
struct SessionRecord {
    IdKey id;                   ///< empty: nobody's
    std::uint32_t position = 0; ///< with `level` its block; during a handoff the old one
    std::uint32_t rank = 0;
    std::uint8_t level = 0;
    std::int8_t listed = -1;   ///< the level it is a candidate of, or -1
    std::int8_t counted = -1;  ///< the level it is counted at, or -1
    bool moving : 1 = false;   ///< a handoff is under way
    bool promised : 1 = false; ///< its block is covered by the old one of the handoff it waits for
    bool movable : 1 = true;   ///< has not said "not now"
    std::uint32_t passed = 0;  ///< the bucket's, whoever is in it (SessionTable::Bucket)
};

/// A handoff under way, or waited for.
struct Handover {
    Spot to; ///< of who is handed off: the new block
    /// Of who is handed off: the newcomer that has been promised a part of the old block, if any.
    /// Of such a newcomer: the session whose handoff it waits for.
    SessionIndex partner = no_session;
};

/// The sessions, found by id, and by level in join order. All of it O(log n). Not thread-safe.
class SessionTable {
  public:
    SessionTable(unsigned levels, const MemoryMap& memory)
        : memory_(memory), buckets_(32), candidates_(levels) {}

    SessionTable(const SessionTable&) = delete;
    SessionTable& operator=(const SessionTable&) = delete;

    [[nodiscard]] SessionIndex find(const SessionId& id) const;

    /// Fetches what find(id) and add(id) will need, while the caller does something else.
    void prefetch(const SessionId& id) const {
        __builtin_prefetch(&buckets_[home(SessionIds::key(id.value))], 1);
    }

    /// Makes room for one more, which changes every index; add() does not.
    void reserve_one();

    [[nodiscard]] const SessionRecord& at(SessionIndex i) const { return record(i); }

    [[nodiscard]] SessionId id(SessionIndex i) const { return ids_.id(record(i).id); }

    [[nodiscard]] std::uint64_t joined(SessionIndex i) const {
        return order_[record(i).rank].joined;
    }

    /// Its block; during a handoff the old one.
    [[nodiscard]] Spot spot(SessionIndex i) const {
        return memory_.spot(record(i).position, record(i).level);
    }

    /// settle() is owed.
    void set_spot(SessionIndex i, const Spot& spot) {
        record(i).position = spot.position;
        record(i).level = spot.level;
    }

    /// settle() is owed.
    void set_movable(SessionIndex i, bool movable) { record(i).movable = movable; }

    /// Of a session that is `moving` or `promised`.
    [[nodiscard]] const Handover& handover(SessionIndex i) const { return handovers_.at(i); }

    /// The record becomes `moving` to a block. settle() is owed.
    void begin_move(SessionIndex i, const Spot& to);
    /// No longer `moving`. settle() is owed.
    void end_move(SessionIndex i);
    /// `newcomer` waits for the handoff of `mover`. settle() of the newcomer is owed.
    void promise(SessionIndex mover, SessionIndex newcomer);
    /// It does not wait any more. settle() of the newcomer is owed.
    void end_promise(SessionIndex mover, SessionIndex newcomer);

    /// A new session, the last in the order, after reserve_one(). settle() is owed.
    SessionIndex add(const SessionId& id, const Spot& at);
    /// One that joined at another time. O(n) unless it is the last in the order. Changes every
    /// index. settle() is owed.
    SessionIndex add_at(const SessionId& id, const Spot& at, std::uint64_t joined);
    /// Brings the candidates in line with what the record says now.
    void settle(SessionIndex i);
    void settle_all();
    /// It is neither moving nor promised.
    void remove(SessionIndex i);

    [[nodiscard]] std::size_t size() const { return live_; }

    /// Candidates for a handoff are sessions on hosts that accept, that are not in one, do not wait
    /// for one and have not said "not now".
    /// The most recently connected one with a level in [0, below), or none.
    [[nodiscard]] SessionIndex latest_larger(unsigned below) const;
    /// The most recently connected one of the largest size, if its level is below `below`.
    [[nodiscard]] SessionIndex latest_of_largest(unsigned below) const;
    /// The one of that level that comes next in join order after `after` (none: the first).
    [[nodiscard]] SessionIndex next_of_level(unsigned level, SessionIndex after) const;

    /// Whether anybody on a host that accepts has more than a slot of `level`, or is about to.
    [[nodiscard]] bool any_larger(unsigned level) const;

    /// Everybody in join order.
    [[nodiscard]] std::vector<SessionIndex> in_order() const;

  private:
    struct Ranked {
        std::uint64_t joined = 0;
        SessionIndex session = no_session;
    };

    /// Who stands at that rank; fetches who stood before, for that is most likely asked for next.
    [[nodiscard]] SessionIndex at_rank(std::size_t rank) const {
        for (std::size_t before = 1; before <= std::min<std::size_t>(rank, 2); ++before)
            if (const SessionIndex i = order_[rank - before].session; i != no_session)
                __builtin_prefetch(&record(i), 1);
        return order_[rank].session;
    }

    /// One cache line: whose id hashes to it is here, or, when it was full, in one of the next.
    struct alignas(64) Bucket {
        std::array<SessionRecord, 2> records;

        /// How many did not find room here and are further on.
        [[nodiscard]] std::uint32_t& passed() { return records[0].passed; }

        [[nodiscard]] std::uint32_t passed() const { return records[0].passed; }
    };

    static_assert(sizeof(Bucket) == 64);

    [[nodiscard]] SessionRecord& record(SessionIndex i) { return buckets_[i / 2].records[i % 2]; }

    [[nodiscard]] const SessionRecord& record(SessionIndex i) const {
        return buckets_[i / 2].records[i % 2];
    }

    [[nodiscard]] std::size_t home(const IdKey& key) const {
        return key.hash() & (buckets_.size() - 1);
    }

    [[nodiscard]] std::size_t after(std::size_t bucket) const {
        return (bucket + 1) & (buckets_.size() - 1);
    }

    SessionIndex place(const IdKey& kept);
    void put(SessionIndex i, const SessionRecord& content);
    void grow();
    void rank(SessionIndex i, std::uint64_t joined);
    void rank_anew(const std::vector<Ranked>& order);
    [[nodiscard]] std::vector<Ranked> ranked() const;

    const MemoryMap& memory_;
    SessionIds ids_;
    std::vector<Bucket> buckets_; ///< a power of two of them; nobody is moved when others leave
    std::unordered_map<SessionIndex, Handover> handovers_;
    std::size_t live_ = 0;
    std::uint64_t last_joined_ = 0;
    std::uint32_t next_rank_ = 0;
    /// By rank. Who has left is still there: an entry counts if its record is in use at that rank.
    std::vector<Ranked> order_;
    std::vector<BitTree> candidates_;                ///< per level, the ranks of its candidates
    std::array<std::size_t, max_levels> at_level_{}; ///< sessions on hosts that accept
};

} // namespace baton::allocation
