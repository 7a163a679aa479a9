#pragma once

#include "screen/entries.h"

#include <string>
#include <vector>

namespace baton::screen {

/// What a desk's desktop looks like.
struct Look {
    std::string title;              ///< on the menu's button: "kim"
    std::string wallpaper;          ///< "#rrggbb", or a picture's absolute path
    std::vector<std::string> start; ///< commands for a shell
    std::string terminal;           ///< a program that runs another one behind "-e"; may be empty
    std::vector<MenuEntry> entries;
};

/// A configuration of the window manager jwm: program menu, wallpaper, window list, clock. Pure.
std::string jwm_configuration(const Look& look);

} // namespace baton::screen
