#include "programs/baton/secret.h"

#include "process/secret.h"
#include "programs/baton/commands.h"

#include <iostream>

namespace baton::cli {

namespace {

std::string ask(const std::string& prompt) {
    auto line = process::ask_secret(prompt);
    if (!line && line.error().code == Errc::not_found)
        throw CommandFailed{Error{Errc::invalid_argument,
                                  "there is no terminal to ask for a password on",
                                  "give it on standard input with --password-stdin", 0}};
    return value_or_fail(std::move(line));
}

} // namespace

std::string ask_password(const std::string& prompt, bool twice) {
    const std::string first = ask(prompt);
    if (twice && ask("the same once more") != first)
        throw CommandFailed{
            Error{Errc::invalid_argument, "the two passwords are not the same", "try again", 0}};
    return first;
}

std::string password_from_stdin() {
    std::string line;
    if (!std::getline(std::cin, line) || line.empty())
        throw CommandFailed{Error{
            Errc::invalid_argument, "there is no password on standard input",
            "for example: printf '%s\\n' \"$PASSWORD\" | baton user add kim --password-stdin", 0}};
    return line;
}

} // namespace baton::cli
