#pragma once

#include "player/display.h"

#include <memory>
#include <string>

namespace baton::screen {

/// The graphical session of a desk, from the PC's side: a window on the PC's display, the desk's X
/// server in it, and switching. Started before the desk is opened; ends with this object.
Result<std::unique_ptr<player::Display>> prepare_desktop(const player::DisplayOrder& order);

/// The bytes of an Xauthority file with one cookie for every display. Errc::internal.
Result<std::string> cookie_file(const std::string& cookie);

} // namespace baton::screen
