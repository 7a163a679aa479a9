/// `baton-hostd`: the host's agent. Parsing and wiring only.
#include "model/exit_status.h"
#include "programs/baton_hostd/commands.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <functional>

using baton::Errc;
using baton::exit_status;

int main(int argc, char** argv) {
    CLI::App app{"Baton's host agent: starts and stops desktops on this machine for a controller."};
    app.name("baton-hostd");
    app.require_subcommand(0, 1);
    app.set_version_flag("--version", "baton-hostd 0.1.0");

    baton::hostd::JoinOptions options;
    std::string memory;
    auto* join =
        app.add_subcommand("join", "Join a controller with a token of 'baton host invite'");
    join->add_option("--token", options.token, "The token")->required();
    join->add_option("--controller", options.controller,
                     "https://ADDRESS:PORT, if it is not the token's");
    join->add_option("--name", options.name, "The host's name (default: this machine's)");
    join->add_option("--state", options.state_directory, "Where certificates and state are kept")
        ->capture_default_str();
    join->add_option("--address", options.address,
                     "Where the boot server reaches its screens (default: towards the controller)");
    join->add_option("--memory", memory, "What it offers, like 12GiB (default: all of it)");
    join->add_flag("--replace", options.replace, "Although it has joined before");

    std::string config = "/etc/baton/hostd.toml";
    auto* run = app.add_subcommand("run", "Serve the controller until SIGTERM");
    run->add_option("--config", config, "The configuration")->capture_default_str();

    auto* screens = app.add_subcommand(
        "screens", "Carry gateways to the screens of this host's desktops until SIGTERM; beside "
                   "'run', which may be started anew meanwhile");
    screens->add_option("--config", config, "The configuration")->capture_default_str();

    bool monitor_only = false;
    baton::hostd::MonitorOptions monitor;
    auto* alone = app.add_flag("--monitor-only", monitor_only,
                               "Measure this host and its VMs without a controller, and serve "
                               "/metrics and /v1/readings");
    app.add_option("--libvirt", monitor.libvirt_uri,
                   "libvirt's URI (default: $LIBVIRT_DEFAULT_URI, or qemu:///system)")
        ->needs(alone);
    app.add_option("--listen", monitor.listen, "ADDRESS:PORT; port 0: any free one")
        ->needs(alone)
        ->capture_default_str();
    app.add_option("--interval-ms", monitor.interval_ms, "How often usage is measured")
        ->needs(alone)
        ->check(CLI::Range(100, 60'000))
        ->capture_default_str();
    app.add_option("--guest-interval-ms", monitor.guest_interval_ms,
                   "How often guests are asked for their memory")
        ->needs(alone)
        ->check(CLI::Range(1'000, 600'000))
        ->capture_default_str();

    try {
        app.parse(argc, argv);
        if (monitor_only == !app.get_subcommands().empty())
            throw CLI::RequiredError("One of join, run, screens and --monitor-only");
    } catch (const CLI::ParseError& error) {
        const int status = app.exit(error);
        return status == 0 ? 0 : exit_status(Errc::invalid_argument);
    }
    const auto act = [&]() -> baton::Result<void> {
        if (monitor_only)
            return baton::hostd::monitor_only(monitor);
        if (run->parsed())
            return baton::hostd::run(config);
        if (screens->parsed())
            return baton::hostd::screens(config);
        if (!memory.empty()) {
            auto size = baton::parse_mebibytes(memory);
            if (!size)
                return tl::unexpected(size.error());
            options.memory = *size;
        }
        return baton::hostd::join(options);
    };
    try {
        if (const auto done = act(); !done) {
            fmt::print(stderr, "baton-hostd: {}\n", done.error().message());
            return exit_status(done.error().code);
        }
        return 0;
    } catch (const std::exception& error) {
        fmt::print(stderr, "baton-hostd: this is a fault of Baton's own: {}\n", error.what());
        return exit_status(Errc::internal);
    }
}
