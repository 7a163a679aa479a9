#pragma once

#include <cstdint>

namespace baton::viewer {

/// Lights the keyboard's lock LEDs, where this machine's own console is the display: bit 0 Scroll
/// Lock, 1 Num Lock, 2 Caps Lock. Without a console nothing happens.
void set_leds(std::uint8_t leds);

} // namespace baton::viewer
