#pragma once

#include "model/error.h"

#include <CLI/CLI.hpp>

/// The commands of `baton`, one file per group in this folder. Each function adds its subcommands;
/// a subcommand's callback does the work and throws CommandFailed to end with an error.
namespace baton::cli {

/// Ends the program with the error's message on standard error and its exit status (docs/cli.md).
struct CommandFailed {
    Error error;
    bool answered = false; ///< the controller said so itself
};

/// The value, or CommandFailed.
template <class T>
T value_or_fail(Result<T> result) {
    if (!result)
        throw CommandFailed{std::move(result).error()};
    if constexpr (!std::is_void_v<T>)
        return std::move(*result);
}

void add_common_connection(CLI::App& app); ///< --controller and the like before the command
void add_advise(CLI::App& app);
void add_completion(CLI::App& app);
void add_desk(CLI::App& app);
void add_graph(CLI::App& app);
void add_history(CLI::App& app);
void add_host(CLI::App& app);
void add_gateway(CLI::App& app);
void add_login(CLI::App& app); ///< login, logout
void add_netboot(CLI::App& app);
void add_client(CLI::App& app);
void add_os(CLI::App& app);
void add_plan(CLI::App& app);
void add_session(CLI::App& app);
void add_site(CLI::App& app); ///< status, events
void add_user(CLI::App& app);

} // namespace baton::cli
