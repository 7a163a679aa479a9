#pragma once

#include "model/ids.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace baton::allocation {

/// A session's id in sixteen bytes, so that it lies beside the rest of its record: up to fifteen
/// characters as they are, longer ones as their hash and a place in SessionIds.
struct IdKey {
    std::uint64_t low = 0;
    std::uint64_t high = 0; ///< its top byte: the length, 255 for a long one, 0 for none

    [[nodiscard]] bool empty() const { return high == 0; }

    [[nodiscard]] bool is_long() const { return high >> 56 == 0xff; }

    /// Where to look for it first. Long ids with one hash have one.
    [[nodiscard]] std::uint64_t hash() const {
        std::uint64_t z = low + (is_long() ? 0 : high) * 0x9e3779b97f4a7c15U;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
        return z ^ (z >> 31);
    }
};

/// Keeps the ids that do not fit into a key.
class SessionIds {
  public:
    /// The key to look for; equal() compares it with one that is kept.
    static IdKey key(std::string_view id) {
        if (id.size() > 15)
            return {std::hash<std::string_view>{}(id), std::uint64_t{0xff} << 56};
        // by whole words: pieces in memory that overlap cannot be read back at once
        std::uint64_t low = 0;
        std::uint64_t high = 0;
        std::memcpy(&low, id.data(), std::min<std::size_t>(id.size(), 8));
        if (id.size() > 8) { // its last eight, less those that are in `low`
            std::memcpy(&high, id.data() + id.size() - 8, 8);
            high >>= 8 * (16 - id.size());
        }
        return {low, high | std::uint64_t{id.size()} << 56};
    }

    [[nodiscard]] bool equal(const IdKey& kept, const IdKey& key, std::string_view id) const {
        if (!key.is_long())
            return kept.low == key.low && kept.high == key.high;
        return kept.is_long() && kept.low == key.low && long_[place(kept)] == id;
    }

    /// What is to be kept of an id with that key.
    IdKey keep(IdKey key, std::string_view id) {
        if (!key.is_long())
            return key;
        if (unused_.empty()) {
            unused_.push_back(long_.size());
            long_.emplace_back();
        }
        long_[unused_.back()] = id;
        key.high |= unused_.back();
        unused_.pop_back();
        return key;
    }

    void drop(const IdKey& kept) {
        if (kept.is_long())
            unused_.push_back(place(kept));
    }

    [[nodiscard]] SessionId id(const IdKey& kept) const {
        if (kept.is_long())
            return SessionId(long_[place(kept)]);
        char text[16];
        std::memcpy(text, &kept.low, 8);
        std::memcpy(text + 8, &kept.high, 8);
        return SessionId(std::string(text, static_cast<unsigned char>(text[15])));
    }

  private:
    static_assert(std::endian::native == std::endian::little, "a key's length is its last byte");

    static std::size_t place(const IdKey& kept) { return kept.high & ~(std::uint64_t{0xff} << 56); }

    std::vector<std::string> long_;
    std::vector<std::size_t> unused_;
};

} // namespace baton::allocation
