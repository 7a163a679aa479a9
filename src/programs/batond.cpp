/// `batond`: the controller. Parsing, privileges and signals only; the wiring is in batond/.
#include "programs/batond/config.h"
#include "programs/batond/controller.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <grp.h>
#include <pthread.h>
#include <pwd.h>
#include <unistd.h>

namespace {

using baton::Errc;
using baton::Result;
using baton::controller::Config;

/// From root to the configured user, state folder and socket folder included. No way back.
Result<void> become(const Config& config) {
    if (config.user.empty() || ::geteuid() != 0)
        return {};
    errno = 0;
    const passwd* user =
        ::getpwnam(config.user.c_str()); // NOLINT(concurrency-mt-unsafe): one thread
    if (!user)
        return baton::fail(Errc::not_found,
                           fmt::format("process.user: this machine has no user '{}'", config.user),
                           fmt::format("make it: adduser --system --group {}", config.user));
    const std::filesystem::path socket(config.local_socket);
    for (const std::filesystem::path& folder :
         {std::filesystem::path(config.state_dir), socket.parent_path()}) {
        if (folder.empty())
            continue;
        std::error_code error;
        std::filesystem::create_directories(folder, error);
        if (error || ::chown(folder.c_str(), user->pw_uid, user->pw_gid) != 0)
            return baton::fail_errno(
                error ? error.value() : errno,
                fmt::format("cannot give {} to {}", folder.string(), config.user));
    }
    if (::initgroups(user->pw_name, user->pw_gid) != 0 || ::setgid(user->pw_gid) != 0 ||
        ::setuid(user->pw_uid) != 0)
        return baton::fail_errno(errno, fmt::format("cannot become the user {}", config.user));
    return {};
}

int complain(const baton::Error& error) {
    fmt::print(stderr, "batond: {}\n", error.message());
    return error.code == Errc::invalid_argument ? 2 : 1;
}

int serve(const Config& config) {
    // taken by sigwait below; blocked before any thread begins, so that every thread has it blocked
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ends, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    if (auto done = become(config); !done)
        return complain(done.error());
    auto controller = baton::controller::Controller::start(config);
    if (!controller)
        return complain(controller.error());
    for (const std::string& url : (*controller)->urls())
        fmt::print("listening on {}\n", url);
    fmt::print("admin token in {}\n", (*controller)->admin_token_file());
    std::fflush(stdout);
    int signal = 0;
    sigwait(&ends, &signal);
    spdlog::info("ending, asked by {}", signal == SIGTERM ? "SIGTERM" : "SIGINT");
    controller->reset();
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    CLI::App app{"The controller of a Baton site: sessions, hosts, desks and the API."};
    app.name("batond");
    app.set_version_flag("--version", "baton 0.1.0");
    std::string file;
    unsigned simulate = 0;
    bool check = false;
    app.add_option("--config", file,
                   "the configuration (docs/configuration.md); without it, "
                   "defaults, or /etc/baton/batond.toml if that is there");
    app.add_option("--simulate", simulate,
                   "N simulated hosts instead of real ones: no VM is started")
        ->check(CLI::Range(1, 1000));
    app.add_flag("--check", check, "read the configuration, say what is wrong with it, and end");
    app.footer("Example: batond --config /etc/baton/batond.toml");
    try {
        app.parse(argc, argv);
        spdlog::set_default_logger(spdlog::stderr_color_mt("batond"));
        spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%e %^%l%$ %v");
        const std::string usual = "/etc/baton/batond.toml";
        if (file.empty() && std::filesystem::exists(usual))
            file = usual;
        auto config =
            file.empty() ? Result<Config>(Config{}) : baton::controller::read_config(file);
        if (!config)
            return complain(config.error());
        if (simulate > 0)
            config->simulated_hosts = simulate;
        spdlog::set_level(spdlog::level::from_str(config->log_level));
        return check ? 0 : serve(*config);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    } catch (const std::exception& error) {
        fmt::print(stderr, "batond: this is a fault of Baton's own: {}\n", error.what());
        return 1;
    }
}
