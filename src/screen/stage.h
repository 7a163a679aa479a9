#pragma once

#include "player/channel.h"
#include "screen/presenter.h"

namespace baton::screen {

/// The presenter's process: the window on the PC's display, until the player or the display is
/// gone.
///
/// To the player: {"window": id, "width": n, "height": n} or {"error": {...}}, first; {"shown":
/// bool} whenever that changes; {"done": true} after a {"show": bool} of the player's; {"managed":
/// true} when the desk has a window manager; {"note": text}. From the player besides: {"owner":
/// name}, once, and {"desk": cookie in hex} with a connection to the desk's X server.
///
/// Several desks on one display know each other by a property of their windows, _BATON_DESK, which
/// holds when it was made and by whom. One presenter at a time has the hotkey; it asks the others
/// by a message (_BATON_SWITCH) to show or hide themselves. At most one desk's window is mapped.
[[noreturn]] void run_stage(player::Channel channel, const PresenterOrder& order);

} // namespace baton::screen
