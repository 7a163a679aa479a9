#pragma once

#include "allocation/bit_tree.h"
#include "allocation/id_index.h"
#include "allocation/memory_map.h"
#include "allocation/session_ids.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <memory_resource>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace baton::allocation {

using SessionIndex = std::uint32_t;
inline constexpr SessionIndex no_session = std::numeric_limits<SessionIndex>::max();

/// What every join and leave looks at: half a cache line. What only a handoff needs is in Handover.
struct alignas(32) SessionRecord {
    IdKey id;                   ///< empty: nobody's
    std::uint32_t position = 0; ///< with `level` its block; during a handoff the old one
    std::uint32_t rank = 0;
    std::uint8_t level = 0;
    std::int8_t listed = -1;   ///< the level it is a candidate of, or -1
    std::int8_t counted = -1;  ///< the level it is counted at, or -1
    bool moving : 1 = false;   ///< a handoff is under way
    bool promised : 1 = false; ///< its block is covered by the old one of the handoff it waits for
    bool movable : 1 = true;   ///< has not said "not now"
};

static_assert(sizeof(SessionRecord) == 32);

/// A handoff under way, or waited for.
struct Handover {
    Spot to; ///< of who is handed off: the new block
    /// Of who is handed off: the newcomer that has been promised a part of the old block, if any.
    /// Of such a newcomer: the session whose handoff it waits for.
    SessionIndex partner = no_session;
};

/// An id that is looked for, with what is computed of it once. Does not outlive the id.
struct SoughtId {
    explicit SoughtId(const SessionId& session)
        : id(session.value), key(SessionIds::key(id)), hash(key.hash()) {}

    std::string_view id;
    IdKey key;
    std::uint64_t hash;
};

/// The sessions, found by id, and by level in join order. All of it O(log n). Not thread-safe.
class SessionTable {
  public:
    SessionTable(unsigned levels, const MemoryMap& memory, std::pmr::memory_resource& tables)
        : memory_(memory),
          records_(index_.slots(), &tables),
          order_(&tables),
          candidates_(levels) {}

    SessionTable(const SessionTable&) = delete;
    SessionTable& operator=(const SessionTable&) = delete;

    /// Who asks for one that is not there is about to add it: fetches what that will need.
    [[nodiscard]] SessionIndex find(const SoughtId& sought) const;

    /// Fetches what find() will need, while the caller does something else.
    void prefetch(const SoughtId& sought) const { index_.prefetch(sought.hash); }

    /// Makes room for one more, which changes every index; add() does not.
    void reserve_one();

    [[nodiscard]] const SessionRecord& at(SessionIndex i) const { return records_[i]; }

    [[nodiscard]] SessionId id(SessionIndex i) const { return ids_.id(records_[i].id); }

    [[nodiscard]] std::uint64_t joined(SessionIndex i) const {
        return order_[records_[i].rank].joined;
    }

    /// Its block; during a handoff the old one.
    [[nodiscard]] Spot spot(SessionIndex i) const {
        return memory_.spot(records_[i].position, records_[i].level);
    }

    /// settle() is owed.
    void set_spot(SessionIndex i, const Spot& spot) {
        records_[i].position = spot.position;
        records_[i].level = spot.level;
    }

    /// settle() is owed.
    void set_movable(SessionIndex i, bool movable) { records_[i].movable = movable; }

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
    SessionIndex add(const SoughtId& newcomer, const Spot& at);
    /// One that joined at another time. O(n) unless it is the last in the order. Changes every
    /// index. settle() is owed.
    SessionIndex add_at(const SoughtId& newcomer, const Spot& at, std::uint64_t joined);
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

    /// The candidate of that level and rank; fetches the one before, for it will be the next one
    /// that is handed off, and the ranks of those who follow.
    [[nodiscard]] SessionIndex candidate(unsigned level, std::size_t rank) const {
        constexpr std::size_t ahead = 32;
        __builtin_prefetch(&order_[rank - std::min(rank, ahead)]);
        if (const std::size_t next = candidates_[level].near_below(rank); next != BitTree::none)
            __builtin_prefetch(&records_[order_[next].session], 1);
        return order_[rank].session;
    }

    SessionIndex place(const SoughtId& newcomer);
    void grow();
    void clear_ranks();
    void give_rank(const Ranked& who, std::uint32_t rank);
    void rank_anew();
    template <class Use>
    void for_each_in_order(Use use) const;

    const MemoryMap& memory_;
    SessionIds ids_;
    IdIndex index_;
    std::pmr::vector<SessionRecord> records_; ///< by the slots of `index_`
    std::unordered_map<SessionIndex, Handover> handovers_;
    std::size_t live_ = 0;
    std::uint64_t last_joined_ = 0;
    /// By rank. Who has left is still there: an entry counts if its record is in use at that rank.
    std::pmr::vector<Ranked> order_;
    std::size_t ranks_ = 0;                          ///< how many there may be in `order_`
    std::vector<BitTree> candidates_;                ///< per level, the ranks of its candidates
    std::array<std::size_t, max_levels> at_level_{}; ///< sessions on hosts that accept
};

} // namespace baton::allocation
