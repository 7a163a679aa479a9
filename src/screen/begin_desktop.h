#pragma once

#include "player/program.h"

#include <string>
#include <vector>

namespace baton::screen {

/// Becomes the desk's desktop: the person's settings and the programs that are installed, as a
/// window manager. Inside, as the owner, between fork and exec (player::DesktopStart). Returns only
/// when it cannot, with the reason.
std::string begin_desktop(const player::Account& account,
                          const std::vector<std::string>& environment);

} // namespace baton::screen
