#pragma once

#include "model/error.h"

#include <chrono>
#include <string>
#include <vector>

/// Programs that this room starts. Their command lines are values that a unit test looks at.
namespace baton::hypervisor {

using CommandLine = std::vector<std::string>;

/// A throw-away qcow2 over a read-only one.
CommandLine make_overlay_command(const std::string& base, const std::string& overlay);

/// Runs it without a shell, its standard input empty, in the C locale, and returns what it wrote to
/// standard output (the first MiB). Another exit status than 0, a signal or the deadline (it is
/// killed) is an error with the last line of what it wrote to standard error; "No space left" in
/// there is Errc::full.
Result<std::string> run_program(const CommandLine& command, std::chrono::milliseconds deadline);

} // namespace baton::hypervisor
