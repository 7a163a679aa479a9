#include "rfb/keys_held.h"

#include "rfb/limits.h"

#include <algorithm>

namespace baton::rfb {

namespace {

/// Latin letters alone: what Shift or Caps Lock makes of one key.
std::uint32_t small_letter(std::uint32_t keysym) {
    return keysym >= 'A' && keysym <= 'Z' ? keysym + ('a' - 'A') : keysym;
}

std::uint16_t inside(std::uint16_t value, std::uint16_t length) {
    return length == 0 ? 0 : std::min<std::uint16_t>(value, static_cast<std::uint16_t>(length - 1));
}

} // namespace

bool KeysHeld::take(const KeyEvent& event) {
    return take(Key{false, event.keysym, event.keysym, false}, event.down);
}

bool KeysHeld::take(const QemuKey& event) {
    return take(Key{true, event.keycode, event.keysym, false}, event.down);
}

bool KeysHeld::take(const Key& key, bool down) {
    if (!down)
        return release(key);
    const auto same = std::find_if(keys_.begin(), keys_.end(), [&](const Key& one) {
        return one.qemu == key.qemu && one.code == key.code;
    });
    if (same != keys_.end())
        return !same->swallowed; // a repeat
    if (keys_.size() >= most_keys_held)
        return false;
    keys_.push_back(key);
    return true;
}

bool KeysHeld::release(const Key& key) {
    const auto same = std::find_if(keys_.begin(), keys_.end(), [&](const Key& one) {
        return one.qemu == key.qemu && one.code == key.code;
    });
    if (same != keys_.end()) {
        const bool passed = !same->swallowed;
        keys_.erase(same);
        return passed;
    }
    // Nobody pressed this: a key that was pressed with another Shift, and so by another name. If it
    // is one that is being swallowed, its next press must not be.
    if (!key.qemu)
        forget_swallowed(key.keysym);
    return true;
}

void KeysHeld::forget_swallowed(std::uint32_t keysym) {
    const auto other_case = std::find_if(keys_.begin(), keys_.end(), [&](const Key& one) {
        return one.swallowed && !one.qemu && small_letter(one.keysym) == small_letter(keysym);
    });
    if (other_case != keys_.end()) {
        keys_.erase(other_case);
        return;
    }
    std::erase_if(keys_, [](const Key& one) { return one.swallowed && !one.qemu; });
}

PointerEvent KeysHeld::take(PointerEvent event, Size size) {
    swallowed_buttons_ &= event.buttons;
    event.buttons = static_cast<std::uint8_t>(event.buttons & ~swallowed_buttons_);
    event.x = inside(event.x, size.width);
    event.y = inside(event.y, size.height);
    buttons_ = event.buttons;
    x_ = event.x;
    y_ = event.y;
    return event;
}

void KeysHeld::let_go(std::string& out, Size size) {
    for (Key& key : keys_) {
        if (key.swallowed)
            continue;
        if (key.qemu)
            write(out, QemuKey{false, key.keysym, key.code});
        else
            write(out, KeyEvent{false, key.keysym});
        key.swallowed = true;
    }
    if (buttons_ != 0)
        write(out, PointerEvent{0, inside(x_, size.width), inside(y_, size.height)});
    swallowed_buttons_ |= buttons_;
    buttons_ = 0;
}

std::size_t KeysHeld::keys() const {
    return static_cast<std::size_t>(
        std::count_if(keys_.begin(), keys_.end(), [](const Key& one) { return !one.swallowed; }));
}

} // namespace baton::rfb
