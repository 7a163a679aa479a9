/// `baton-gateway`: carries screens. Parsing and wiring only.
#include "model/exit_status.h"
#include "programs/baton_gateway/commands.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstdio>
#include <exception>

using baton::Errc;
using baton::exit_status;

namespace {

void add_run(CLI::App& app, baton::gateway_program::RunOptions& options) {
    auto* run = app.add_subcommand("run", "Carry screens until SIGTERM");
    run->set_config("--config", "", "A file with these options, one to a line: vnc = \"...\"");
    run->add_option("--state", options.state_directory, "Where its certificate is kept")
        ->capture_default_str();
    run->add_option("--controller", options.controller,
                    "https://ADDRESS:PORT, if it is not where it joined");
    run->add_option("--vnc", options.vnc, "ADDRESS:PORT for VNC viewers; port 0: any free one; off")
        ->capture_default_str();
    run->add_option("--web", options.web, "ADDRESS:PORT for browsers (wss); port 0: any; off")
        ->capture_default_str();
    auto* certificate = run->add_option("--certificate", options.certificate,
                                        "What viewers and browsers are shown, PEM; replaced files "
                                        "are used at once (default: the site's CA's)");
    run->add_option("--key", options.key, "Its key")->needs(certificate);
    run->add_flag("--tls-in-front", options.tls_in_front,
                  "A proxy on this machine ends TLS: VeNCrypt Plain and ws, on the loopback alone")
        ->excludes(certificate);
    run->add_option("--language", options.language,
                    "Of what is written over people's screens: en or ko")
        ->check(CLI::IsMember({"en", "ko"}))
        ->capture_default_str();
    run->add_option("--viewers", options.viewers, "At most so many at once")
        ->check(CLI::Range(1U, 1'000'000U))
        ->capture_default_str();
    run->add_option("--log", options.log_level, "debug, info, warning or error")
        ->check(CLI::IsMember({"debug", "info", "warning", "error"}))
        ->capture_default_str();
}

void add_join(CLI::App& app, baton::gateway_program::JoinOptions& options) {
    auto* join =
        app.add_subcommand("join", "Join a controller with a token of 'baton gateway invite'");
    join->add_option("--token", options.token, "The token")->required();
    join->add_option("--name", options.name, "The name by which it was invited")->required();
    join->add_option("--address", options.address,
                     "Where viewers reach it: an IPv4 address or a name; its certificate is for it")
        ->required();
    join->add_option("--controller", options.controller,
                     "https://ADDRESS:PORT, if it is not the token's");
    join->add_option("--state", options.state_directory, "Where its certificate is kept")
        ->capture_default_str();
    join->add_flag("--replace", options.replace, "Although it has joined before");
}

} // namespace

int main(int argc, char** argv) {
    CLI::App app{
        "Baton's gateway: keeps a viewer's connection while the desktop behind it changes."};
    app.name("baton-gateway");
    app.require_subcommand(1);
    app.set_version_flag("--version", "baton-gateway 0.1.0");
    app.footer("Example: baton-gateway run --vnc 0.0.0.0:5900 --web 0.0.0.0:8444");
    baton::gateway_program::JoinOptions join;
    baton::gateway_program::RunOptions run;
    add_join(app, join);
    add_run(app, run);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : exit_status(Errc::invalid_argument);
    }
    try {
        const auto done = app.got_subcommand("join") ? baton::gateway_program::join(join)
                                                     : baton::gateway_program::run(run);
        if (!done) {
            fmt::print(stderr, "baton-gateway: {}\n", done.error().message());
            return exit_status(done.error().code);
        }
        return 0;
    } catch (const std::exception& error) {
        fmt::print(stderr, "baton-gateway: this is a fault of Baton's own: {}\n", error.what());
        return exit_status(Errc::internal);
    }
}
