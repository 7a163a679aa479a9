#pragma once

#include <string>

/// Passwords: from the terminal without an echo, or from standard input; never from the command
/// line, where every user of the machine could read them.
namespace baton::cli {

/// Asks on the terminal; `twice`: and once more, until both agree. CommandFailed when there is no
/// terminal: use --password-stdin.
std::string ask_password(const std::string& prompt, bool twice);

/// The first line of standard input.
std::string password_from_stdin();

} // namespace baton::cli
