/// `baton-deskd`: the one door to managed desks. Parsing, wiring and signals only; what it does is
/// in src/deskserver/.
#include "deskserver/content_store.h"
#include "deskserver/http.h"
#include "deskserver/server.h"
#include "process/run.h"
#include "programs/baton_deskd/config.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <pthread.h>

namespace {

using baton::Errc;
using baton::Error;
using baton::deskserver::Incident;

int complain(const Error& error) {
    fmt::print(stderr, "baton-deskd: {}\n", error.message());
    return error.code == Errc::invalid_argument ? 2 : 1;
}

void log_incident(const Incident& incident) {
    const bool bad = incident.kind == Incident::Kind::given_up ||
                     incident.kind == Incident::Kind::space_low ||
                     incident.kind == Incident::Kind::restarted;
    spdlog::log(bad ? spdlog::level::warn : spdlog::level::info, "{}{}{}", incident.desk.value,
                incident.desk.empty() ? "" : ": ", incident.text);
}

int serve(const baton::deskd::Config& config) {
    // taken by sigwait below; blocked before any thread begins, so that every thread has it blocked
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ends, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    for (const auto* program : {config.desks.program.c_str(), "mke2fs", "debugfs", "bwrap"})
        if (auto found = baton::process::find_program(program); !found)
            return complain(found.error());
    auto server = baton::deskserver::DeskServer::open(config.desks, log_incident);
    if (!server)
        return complain(server.error());
    auto contents = baton::deskserver::ContentStore::open(config.desks.desks + "/.content");
    if (!contents)
        return complain(contents.error());
    baton::deskserver::Door door(**server, *contents, config.caller);
    baton::deskserver::Workers workers(door, config.workers);
    auto listening = baton::net::serve(config.listen, workers.handler());
    if (!listening)
        return complain(listening.error());
    fmt::print("listening on https://{}:{}\n", config.listen.address, (*listening)->port());
    std::fflush(stdout);
    int signal = 0;
    sigwait(&ends, &signal);
    spdlog::info("ending, asked by {}; exports {}", signal == SIGTERM ? "SIGTERM" : "SIGINT",
                 config.desks.end_exports_at_exit ? "end too" : "go on");
    listening->reset();
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    CLI::App app{"The one door to managed desks: keeps their files, exports each to one host at a "
                 "time over NBD with TLS."};
    app.name("baton-deskd");
    app.set_version_flag("--version", "baton 0.1.0");
    std::string file = "/etc/baton/deskd.toml";
    bool check = false;
    app.add_option("--config", file, "the configuration (docs/desk-server.md)")
        ->capture_default_str();
    app.add_flag("--check", check, "read the configuration, say what is wrong with it, and end");
    app.footer("Example: baton-deskd --config /etc/baton/deskd.toml");
    try {
        app.parse(argc, argv);
        spdlog::set_default_logger(spdlog::stderr_color_mt("baton-deskd"));
        spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%e %^%l%$ %v");
        const auto config = baton::deskd::read_config(file);
        if (!config)
            return complain(config.error());
        spdlog::set_level(spdlog::level::from_str(config->log_level));
        return check ? 0 : serve(*config);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    } catch (const std::exception& error) {
        fmt::print(stderr, "baton-deskd: this is a fault of Baton's own: {}\n", error.what());
        return 1;
    }
}
