#pragma once

#include "player/blueprint.h"
#include "player/channel.h"

#include <string>

namespace baton::player {

/// The first process inside a desk: starts what the player asks for, reaps, passes signals on, and
/// ends everything when it is told to or when the player is gone. Never returns.
///
/// From the player: {"run": id, "program": {...}} with standard input, output and error;
/// {"signal": number, "to": id}; {"end": milliseconds of grace}.
/// To the player: {"started": id, "pid": n} (with the other end of the terminal), {"ended": id,
/// "status": n} (128 + signal), or {"failed": id, "error": {...}}.
[[noreturn]] void run_init(Channel channel, const std::string& owner);

} // namespace baton::player
