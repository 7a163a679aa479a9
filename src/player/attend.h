#pragma once

#include "model/error.h"
#include "player/session.h"
#include "player/watch.h"

namespace baton::player {

/// Runs a program in an open desk with this process's standard input, output and error, and waits
/// for its end: its exit status, or 128 + signal. Signals that this process gets are passed on
/// (INT, TERM, HUP, QUIT, USR1, USR2, CONT); after TERM or HUP the program has five seconds. Where
/// standard input, output or error is a terminal, the program gets a terminal of the desk's own of
/// the same size, and what is typed and shown is carried between the two.
///
/// `watches` are listened to meanwhile; an error of one ends the attendance.
///
/// The signals must be blocked (block_signals) since before the session was opened.
Result<int> attend(Session& session, Program program, const std::vector<Watch>& watches = {});

/// Starts a program that nobody waits for, without input and output.
Result<void> start_aside(Session& session, const Program& program);

/// Blocks the signals that attend() hears of; the mask before is inherited by nobody inside.
void block_signals();

} // namespace baton::player
