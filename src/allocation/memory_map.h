#pragma once

#include "allocation/bit_tree.h"
#include "model/load.h"

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

namespace baton::allocation {

inline constexpr unsigned max_levels = 16;

/// A buddy block: the `position`-th slot of its level, counted over all hosts.
struct Spot {
    std::uint32_t position = 0;
    std::uint32_t host = 0;
    std::uint8_t level = 0;
    bool operator==(const Spot&) const = default;
};

/// The memory of all hosts as buddy blocks, in units of the smallest size. Every host begins at a
/// multiple of the largest size in one common address space, so that one bit set per level knows
/// every free block, and "the smallest free block that fits, on any host" is one look-up. A host
/// that is no multiple of the largest size ends in ever smaller top blocks, whose missing buddies
/// are never free.
///
/// The free blocks are always the maximal ones, so what is free alone decides the state: taking and
/// giving back leaves no trace, which lets a plan be tried and undone. Not thread-safe.
class MemoryMap {
  public:
    explicit MemoryMap(unsigned levels) : levels_(levels) { trees_.fill(Trees(levels)); }

    /// Whether a host of that many smallest slots can still be numbered: 2^32 slots in all.
    [[nodiscard]] bool has_numbers_for(std::uint64_t units) const {
        return (owner_.size() + tops_of(units)) << (levels_ - 1) <= std::uint64_t{1} << 32;
    }

    /// `units` > 0: its size in smallest slots. Returns the host's number.
    std::uint32_t add_host(std::uint64_t units, bool accepts, Load load);
    /// With everything on it, taken or free.
    void remove_host(std::uint32_t host);
    void set_accepts(std::uint32_t host, bool accepts);
    /// O(free blocks of the host) when it changes.
    void set_load(std::uint32_t host, Load load);

    [[nodiscard]] bool accepts(std::uint32_t host) const { return group_[host] != shut; }

    /// Slots of that level that are free on hosts that accept.
    [[nodiscard]] std::uint64_t free_slots(unsigned level) const;

    /// Slots of that level on hosts that accept, taken or free.
    [[nodiscard]] std::uint64_t slots(unsigned level) const { return slots_[level]; }

    /// In smallest slots. O(free blocks of the host).
    [[nodiscard]] std::uint64_t used(std::uint32_t host) const;

    [[nodiscard]] Spot spot(std::uint32_t position, std::uint8_t level) const {
        return Spot{position, owner_[position >> level], level};
    }

    /// The position of the slot within its host.
    [[nodiscard]] std::uint64_t offset(const Spot& spot) const {
        return spot.position - begin(hosts_[spot.host], spot.level);
    }

    /// On the least loaded of the hosts that accept and have room: the smallest free block that
    /// fits, of those the first. With one load for all hosts it costs what it would without loads.
    std::optional<Spot> take(unsigned level);
    /// The same on one host, whether it accepts or not.
    std::optional<Spot> take_on(std::uint32_t host, unsigned level);
    /// The `offset`-th slot of the level on the host, if it exists and is free.
    std::optional<Spot> take_at(std::uint32_t host, unsigned level, std::uint64_t offset);
    void give(const Spot& spot);
    /// Frees `whole` but for `kept`, which lies inside it and stays taken.
    void give_but(const Spot& whole, const Spot& kept);

  private:
    struct Host {
        std::uint64_t first_top = 0; ///< its place in the common space, in largest slots
        std::uint64_t units = 0;
        Load load = Load::usual;
    };

    struct Vacancy {
        std::uint64_t first_top;
        std::uint64_t tops;
    };

    using Trees = std::vector<BitTree>; ///< free blocks, one tree per level

    /// Hosts that accept are grouped by their load, those that do not are a group of their own.
    static constexpr std::uint8_t shut = load_count;

    [[nodiscard]] std::uint64_t tops_of(std::uint64_t units) const {
        return (units + (std::uint64_t{1} << (levels_ - 1)) - 1) >> (levels_ - 1);
    }

    [[nodiscard]] std::uint64_t units_of(unsigned level) const {
        return std::uint64_t{1} << (levels_ - 1 - level);
    }

    /// The host's slots of a level are those from begin to end in the common space.
    [[nodiscard]] std::uint64_t begin(const Host& host, unsigned level) const {
        return host.first_top << level;
    }

    [[nodiscard]] std::uint64_t end(const Host& host, unsigned level) const {
        return (host.first_top + tops_of(host.units)) << level;
    }

    [[nodiscard]] Trees& trees_of(std::uint32_t host) { return trees_[group_[host]]; }

    [[nodiscard]] std::optional<unsigned> best_fit(std::size_t group, unsigned level) const;
    void move_to(std::uint32_t host, std::uint8_t group);
    void make_room(Trees& trees);

    std::uint64_t place(std::uint64_t tops, std::uint32_t host);
    void count_slots(const Host& host, bool add);
    void mark(Trees& trees, unsigned level, std::uint64_t position);
    void unmark(Trees& trees, unsigned level, std::uint64_t position);
    Spot split(Trees& trees, unsigned level, std::uint64_t position, unsigned wanted);
    void release(Trees& trees, unsigned level, std::uint64_t position);

    unsigned levels_;
    std::vector<Host> hosts_;
    std::vector<std::uint8_t> group_; ///< by host, apart: every give and take looks at it
    std::vector<std::uint32_t> free_numbers_;
    std::vector<Vacancy> vacant_;
    std::vector<std::uint32_t> owner_;        ///< host of each top
    std::array<Trees, load_count + 1> trees_; ///< by group; as large as a host of it needs
    std::array<std::uint32_t, load_count + 1> hosts_in_{}; ///< by group
    std::array<std::uint64_t, max_levels> open_blocks_{};  ///< free on hosts that accept
    std::array<std::uint64_t, max_levels> slots_{};
};

} // namespace baton::allocation
