#pragma once

#include "model/error.h"

#include <string>
#include <string_view>
#include <vector>

namespace baton::screen {

/// What a person says of their desk's desktop, in ~/.config/baton/desktop.toml.
struct Settings {
    std::string wallpaper;            ///< "#204060", or a picture's path; empty: the desk's colour
    std::vector<std::string> start;   ///< commands for a shell, started with the desktop
    std::vector<std::string> manager; ///< another window manager and its arguments
    std::string terminal;             ///< the program; empty: what is there
    bool operator==(const Settings&) const = default;
};

/// Where they are, below the home.
inline constexpr const char* settings_file = ".config/baton/desktop.toml";

/// Pure; any bytes. Errc::invalid_argument with file, line and reason.
Result<Settings> parse_settings(std::string_view text);

/// The colour of a desk that says nothing of its wallpaper: the same on every PC, and another for
/// most others. "#rrggbb". Pure.
std::string colour_of(std::string_view owner);

} // namespace baton::screen
