#pragma once

#include "picture/keys_down.h"

#include <SDL2/SDL_keyboard.h>
#include <SDL2/SDL_scancode.h>
#include <cstdint>
#include <string_view>

namespace baton::viewer {

/// The key's XT scan code as QEMU's extended key event wants it (0xE0nn as 0x80 | nn); 0: it has
/// none. All keys of a Korean 106-key keyboard, and of the others'.
std::uint32_t scan_code_of(SDL_Scancode key);

/// What RFB says of a key. `text`: the character that it typed with the modifiers of the moment,
/// UTF-8; "": it typed none, or a modifier like Ctrl is held.
picture::Key key_of(const SDL_Keysym& key, std::string_view text);

} // namespace baton::viewer
