#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace baton::picture {

/// One key: X11's keysym for what it means, and its XT scan code (0xE0nn is told as 0x80 | nn, as
/// QEMU wants it) for where it is; 0: has none.
struct Key {
    std::uint32_t keysym = 0;
    std::uint32_t scan_code = 0;
    bool operator==(const Key&) const = default;
};

/// Which keys the desktop holds for pressed, so that each is let go of with the same words, and all
/// of them when the person looks away. Bounded: 128 keys.
class KeysDown {
  public:
    /// What is to be said; nothing for one key too many. A key that is down already repeats, with
    /// its first meaning.
    std::optional<Key> press(const Key& key);
    /// What is to be said; nothing when it is not down.
    std::optional<Key> release(const Key& key);
    /// All that are down, the last one first; none is, from here on.
    std::vector<Key> release_all();

    [[nodiscard]] bool empty() const { return down_.empty(); }

  private:
    [[nodiscard]] std::vector<Key>::iterator find(const Key& key);

    std::vector<Key> down_; ///< in the order of their presses
};

} // namespace baton::picture
