#pragma once

#include "rfb/client_messages.h"
#include "rfb/server_reader.h"

#include <cstdint>
#include <string>
#include <vector>

namespace baton::rfb {

/// Which keys and buttons a person holds down, so that the desktop which is left can be told that
/// they are let go. The next desktop never hears of a press that began on another one: repeats and
/// the final release are swallowed, or the key would type into it (an upper-case letter would even
/// turn its Caps Lock). Not thread-safe.
class KeysHeld {
  public:
    /// True: pass it on to the desktop. A press is not, when most_keys_held are down already.
    [[nodiscard]] bool take(const KeyEvent& event);
    [[nodiscard]] bool take(const QemuKey& event);

    /// As it is for the desktop: inside its size, without buttons that were pressed on another.
    [[nodiscard]] PointerEvent take(PointerEvent event, Size size);

    /// Appends what lets go of everything on the desktop that is left, whose size it is.
    void let_go(std::string& out, Size size);

    /// Keys that the present desktop believes to be down.
    [[nodiscard]] std::size_t keys() const;

    /// Buttons that it believes to be down.
    [[nodiscard]] std::uint8_t buttons() const { return buttons_; }

  private:
    struct Key {
        bool qemu = false;      ///< told by its scan code
        std::uint32_t code = 0; ///< scan code, or keysym
        std::uint32_t keysym = 0;
        bool swallowed = false; ///< pressed on a desktop that is gone
    };

    bool take(const Key& key, bool down);
    bool release(const Key& key);
    void forget_swallowed(std::uint32_t keysym);

    std::vector<Key> keys_;
    std::uint8_t buttons_ = 0;
    std::uint8_t swallowed_buttons_ = 0;
    std::uint16_t x_ = 0;
    std::uint16_t y_ = 0;
};

} // namespace baton::rfb
