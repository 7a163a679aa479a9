#pragma once

#include "player/blueprint.h"
#include "player/channel.h"
#include "player/program.h"

#include <string>

namespace baton::player {

/// The first process inside a desk: starts what the player asks for, reaps, passes signals on, and
/// ends everything when it is told to or when the player is gone. Never returns.
///
/// It keeps the owner's session bus: a socket that is there before the first program, behind which
/// dbus-daemon is started at the first call; and a process that keeps the owner's services.
///
/// From the player: {"services": true}, before the first program; {"run": id, "program": {...}}
/// with standard input, output and error;
/// {"display": cookies in hex}, before the first program that needs it;
/// {"signal": number, "to": id}; {"end": milliseconds of grace}.
/// To the player: {"started": id, "pid": n} (with the other end of the terminal), {"ended": id,
/// "status": n} (128 + signal), {"display": true} with the listening socket and one connected to
/// it, or {"failed": id, "error": {...}}; {"note": text}, which somebody inside has written.
[[noreturn]] void run_init(Channel channel, const std::string& owner, DesktopStart desktop);

} // namespace baton::player
