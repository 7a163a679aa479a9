#pragma once

#include "model/error.h"

#include <string>

/// Passphrases and passwords: from the terminal without an echo, or out of a file; never from a
/// command line, where every user of the machine could read them.
namespace baton::process {

/// One line from /dev/tty. Errc::not_found: there is no terminal.
Result<std::string> ask_secret(const std::string& prompt);

/// The first line of a file, "-": of standard input. Errc::not_found, Errc::invalid_argument: it is
/// empty.
Result<std::string> read_secret(const std::string& file);

} // namespace baton::process
