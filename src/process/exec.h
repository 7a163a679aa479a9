#pragma once

#include <string>
#include <vector>

/// What stands between fork() and execve() wherever a program is started by hand.
namespace baton::process {

/// As execve() takes words and environments: a pointer to each text, then nullptr. The texts must
/// outlive it unchanged; execve() does not write to them.
std::vector<char*> exec_pointers(const std::vector<std::string>& texts);

/// In the child: no signal is blocked, and a broken pipe ends it again. Ignored and blocked signals
/// are inherited by the program otherwise. Async-signal-safe.
void reset_signals();

} // namespace baton::process
