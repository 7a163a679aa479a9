#pragma once

#include "model/error.h"

#include <cstdint>
#include <string_view>

namespace baton::screen {

/// A key of the PC's keyboard with its modifiers, in X's numbers.
struct Hotkey {
    std::uint16_t modifiers = 0; ///< XCB_MOD_MASK_*
    std::uint32_t keysym = 0;    ///< 0: there is none
    bool operator==(const Hotkey&) const = default;
};

/// "Ctrl+Alt+Home": modifiers (Ctrl, Alt, Shift, Super) and the name of a key as xkbcommon has it,
/// in any case; "none". A key alone must be one that types nothing. Pure. Errc::invalid_argument.
Result<Hotkey> parse_hotkey(std::string_view text);

} // namespace baton::screen
