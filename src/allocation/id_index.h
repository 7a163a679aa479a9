#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace baton::allocation {

/// Gives members slots by the hash of something that the caller keeps there. One byte of memory a
/// member, so that all of it stays in a processor's nearest caches when what lies in the slots does
/// not: who is not there, which is what every join asks, is known without a look at any slot.
///
/// A word is a group of seven slots: a tag each (a part of the hash; 0: vacant), and in its top
/// byte how many found no vacant slot here and are in one of the next groups. So nobody is moved
/// when others leave. Not thread-safe.
class IdIndex {
  public:
    IdIndex() { resize(4); }

    /// Whether insert() may be called with `members` there already.
    [[nodiscard]] bool has_room(std::size_t members) const { return members < slots() * 3 / 4; }

    [[nodiscard]] std::size_t slots() const { return groups_.size() * per_group; }

    /// Nobody is there, and there are twice as many slots.
    void clear_and_double() { resize(groups_.size() * 2); }

    /// Fetches what find() and insert() of that hash look at first.
    void prefetch(std::uint64_t hash) const { __builtin_prefetch(&groups_[home(hash)], 1); }

    /// The slot that was given for that hash and of which `is_it` says that it is the one.
    template <class IsIt>
    [[nodiscard]] std::optional<std::uint32_t> find(std::uint64_t hash, IsIt is_it) const {
        for (std::size_t group = home(hash);; group = after(group)) {
            for (std::uint64_t at = where(groups_[group], tag(hash)); at != 0; at &= at - 1)
                if (is_it(slot(group, at)))
                    return slot(group, at);
            if (groups_[group] >> passed_shift == 0 || after(group) == home(hash))
                return std::nullopt;
        }
    }

    /// The slot that insert() would most likely give now: its member's memory may be fetched.
    [[nodiscard]] std::uint32_t likely(std::uint64_t hash) const {
        const std::uint64_t vacant = where(groups_[home(hash)], 0);
        return vacant != 0 ? slot(home(hash), vacant) : slot(after(home(hash)), top_bits);
    }

    std::uint32_t insert(std::uint64_t hash) {
        for (std::size_t group = home(hash);; group = after(group)) {
            std::uint64_t& word = groups_[group];
            if (const std::uint64_t vacant = where(word, 0); vacant != 0) {
                word |= tag(hash) << (std::countr_zero(vacant) - 7);
                return slot(group, vacant);
            }
            if (word >> passed_shift < uncounted)
                word += std::uint64_t{1} << passed_shift;
        }
    }

    /// The slot that insert() gave for that hash.
    void erase(std::uint64_t hash, std::uint32_t given) {
        for (std::size_t group = home(hash); group != given / per_group; group = after(group))
            if (groups_[group] >> passed_shift < uncounted)
                groups_[group] -= std::uint64_t{1} << passed_shift;
        groups_[given / per_group] &= ~(std::uint64_t{0xff} << given % per_group * 8);
    }

  private:
    static constexpr std::uint32_t per_group = 7;
    static constexpr unsigned passed_shift = 56;
    static constexpr std::uint64_t uncounted = 255; ///< once so many, it stays at that
    static constexpr std::uint64_t every_byte = 0x0101010101010101;
    static constexpr std::uint64_t top_bits = 0x0080808080808080; ///< of the tags

    /// The top bit of each tag that is this one.
    [[nodiscard]] static std::uint64_t where(std::uint64_t word, std::uint64_t tag) {
        constexpr std::uint64_t low = 0x7f * every_byte;
        const std::uint64_t other = word ^ tag * every_byte; // 0 where it is this one
        return ~(((other & low) + low) | other) & top_bits;
    }

    [[nodiscard]] static std::uint32_t slot(std::size_t group, std::uint64_t top_bit) {
        return static_cast<std::uint32_t>(group * per_group + std::countr_zero(top_bit) / 8);
    }

    [[nodiscard]] static std::uint64_t tag(std::uint64_t hash) {
        return hash >> 56 != 0 ? hash >> 56 : 1;
    }

    [[nodiscard]] std::size_t home(std::uint64_t hash) const { return hash & (groups_.size() - 1); }

    [[nodiscard]] std::size_t after(std::size_t group) const {
        return (group + 1) & (groups_.size() - 1);
    }

    void resize(std::size_t groups) { groups_.assign(groups, 0); }

    std::vector<std::uint64_t> groups_; ///< a power of two of them
};

} // namespace baton::allocation
