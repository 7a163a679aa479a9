#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace baton::screen {

/// A program as its .desktop file describes it (freedesktop.org's Desktop Entry Specification 1.5),
/// as far as a menu needs it.
struct MenuEntry {
    std::string name;
    std::string command; ///< for a shell, without the field codes
    std::string try_exec;
    std::string group; ///< "Office"
    bool terminal = false;
    bool operator==(const MenuEntry&) const = default;
};

/// The text of a .desktop file; nullopt: not for a menu (hidden, no application, of another desktop
/// only), or not understood. `language`: "ko_KR.UTF-8", for its names. Pure; any bytes.
std::optional<MenuEntry> parse_entry(std::string_view text, std::string_view language);

} // namespace baton::screen
