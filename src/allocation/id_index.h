#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

namespace baton::allocation {

/// From a session's id to its number: open addressing with eight bytes an entry, so that hundreds
/// of thousands fit into a processor's cache, where a general map of strings would not. Keeps no
/// ids: whoever asks compares. Not thread-safe.
class IdIndex {
  public:
    static constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();

    /// What an id is filed under.
    static std::uint32_t tag(std::string_view id) {
        const std::uint64_t hash = std::hash<std::string_view>{}(id);
        return static_cast<std::uint32_t>(hash ^ (hash >> 32));
    }

    IdIndex() : entries_(64) {}

    /// Fetches what find() and insert() will need, while the caller does something else.
    void prefetch(std::uint32_t tag) const { __builtin_prefetch(&entries_[tag & mask()], 1); }

    /// The number filed under `tag` for which `is_it(number)`, or none.
    template <class Predicate>
    [[nodiscard]] std::uint32_t find(std::uint32_t tag, Predicate is_it) const {
        for (std::size_t i = tag & mask(); entries_[i].number != none; i = (i + 1) & mask())
            if (entries_[i].tag == tag && is_it(entries_[i].number))
                return entries_[i].number;
        return none;
    }

    /// A number that is not in it yet.
    void insert(std::uint32_t tag, std::uint32_t number) {
        if ((size_ + 1) * 10 > entries_.size() * 7)
            grow();
        ++size_;
        put({tag, number});
    }

    /// A number that is in it.
    void erase(std::uint32_t tag, std::uint32_t number) {
        std::size_t hole = tag & mask();
        while (entries_[hole].number != number)
            hole = (hole + 1) & mask();
        --size_;
        // close the gap: whatever comes after and may stand at the hole moves there
        for (std::size_t i = (hole + 1) & mask(); entries_[i].number != none;
             i = (i + 1) & mask()) {
            const std::size_t home = entries_[i].tag & mask();
            if (((i - home) & mask()) >= ((i - hole) & mask())) {
                entries_[hole] = entries_[i];
                hole = i;
            }
        }
        entries_[hole] = Entry{};
    }

  private:
    struct Entry {
        std::uint32_t tag = 0;
        std::uint32_t number = none;
    };

    [[nodiscard]] std::size_t mask() const { return entries_.size() - 1; }

    void put(const Entry& entry) {
        std::size_t i = entry.tag & mask();
        while (entries_[i].number != none)
            i = (i + 1) & mask();
        entries_[i] = entry;
    }

    void grow() {
        const auto old = std::exchange(entries_, std::vector<Entry>(entries_.size() * 2));
        for (const Entry& entry : old)
            if (entry.number != none)
                put(entry);
    }

    std::vector<Entry> entries_; ///< a power of two of them
    std::size_t size_ = 0;
};

} // namespace baton::allocation
