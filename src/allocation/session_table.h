#pragma once

#include "allocation/bit_tree.h"
#include "allocation/memory_map.h"
#include "model/ids.h"

#include <boost/unordered/unordered_flat_set.hpp>

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <vector>

namespace baton::allocation {

using SessionIndex = std::uint32_t;
inline constexpr SessionIndex no_session = std::numeric_limits<SessionIndex>::max();

struct SessionRecord {
    SessionId id;
    std::size_t hash = 0;
    std::uint64_t joined = 0;
    Spot at; ///< during a handoff: the old block
    Spot to; ///< during a handoff: the new one
    /// During a handoff: the newcomer that has been promised a part of `at`. Of such a newcomer:
    /// the session whose handoff it waits for.
    SessionIndex partner = no_session;
    std::uint32_t rank = 0;
    bool moving = false;   ///< a handoff is under way
    bool promised = false; ///< `at` is still covered by the partner's old block
    bool movable = true;
    std::int8_t listed = -1;  ///< the level it is a candidate of, or -1
    std::int8_t counted = -1; ///< the level it is counted at, or -1
};

/// The sessions, found by id, and by level in join order. All of it O(log n). Not thread-safe.
class SessionTable {
  public:
    SessionTable(unsigned levels, const MemoryMap& memory)
        : memory_(memory), index_(0, Hash{&records_}, Equal{&records_}), candidates_(levels) {}

    SessionTable(const SessionTable&) = delete;
    SessionTable& operator=(const SessionTable&) = delete;

    [[nodiscard]] SessionIndex find(const SessionId& id) const;

    [[nodiscard]] const SessionRecord& at(SessionIndex i) const { return records_[i]; }

    /// For changes of anything but id and order; settle() is owed after.
    [[nodiscard]] SessionRecord& edit(SessionIndex i) { return records_[i]; }

    /// A new session, the last in the order. settle() is owed.
    SessionIndex add(const SessionId& id, const Spot& at);
    /// One that joined at another time. O(n) unless it is the last in the order. settle() is owed.
    SessionIndex add_at(const SessionId& id, const Spot& at, std::uint64_t joined);
    /// Brings the candidates in line with what the record says now.
    void settle(SessionIndex i);
    void settle_all();
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
    struct Hash {
        using is_transparent = void;
        const std::vector<SessionRecord>* records;

        std::size_t operator()(SessionIndex i) const { return (*records)[i].hash; }

        std::size_t operator()(std::string_view id) const {
            return std::hash<std::string_view>{}(id);
        }
    };

    struct Equal {
        using is_transparent = void;
        const std::vector<SessionRecord>* records;

        bool operator()(SessionIndex a, SessionIndex b) const { return a == b; }

        bool operator()(std::string_view id, SessionIndex i) const {
            return (*records)[i].id.value == id;
        }

        bool operator()(SessionIndex i, std::string_view id) const {
            return (*records)[i].id.value == id;
        }
    };

    SessionIndex store(const SessionId& id, const Spot& at, std::uint64_t joined);
    void make_rank_room();

    const MemoryMap& memory_;
    std::vector<SessionRecord> records_;
    std::vector<SessionIndex> unused_;
    boost::unordered_flat_set<SessionIndex, Hash, Equal> index_;
    std::size_t live_ = 0;
    std::uint64_t last_joined_ = 0;
    std::uint32_t next_rank_ = 0;
    std::vector<SessionIndex> order_; ///< by rank; ranks of those who left are no_session
    std::vector<BitTree> candidates_; ///< per level, the ranks of its candidates
    std::array<std::size_t, max_levels> at_level_{}; ///< sessions on hosts that accept
};

} // namespace baton::allocation
