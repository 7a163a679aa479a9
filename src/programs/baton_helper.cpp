/// `baton-helper`: root's part on the boot server, a few typed verbs for batond. Parsing and
/// wiring.
#include "model/toml.h"
#include "routing/helper_server.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <fstream>
#include <optional>
#include <pwd.h>
#include <signal.h>
#include <sstream>
#include <sys/signalfd.h>
#include <unistd.h>

namespace {

using namespace baton;

int complain(const Error& error) {
    fmt::print(stderr, "baton-helper: {}\n", error.message());
    return error.code == Errc::invalid_argument ? 2 : 1;
}

/// TOML by its own library, read as the JSON it stands for.
Result<routing::Layout> layout_of(const std::string& path) {
    std::ifstream file(path);
    std::ostringstream words;
    if (!(words << file.rdbuf()))
        return fail(Errc::not_found, "cannot read " + path,
                    "its form is described in docs/network.md");
    const auto table = read_toml(words.str(), path, "its form is described in docs/network.md");
    if (!table)
        return tl::unexpected(table.error());
    std::ostringstream text;
    text << toml::json_formatter{*table};
    auto layout = routing::layout_from_json(text.str());
    if (!layout)
        return tl::unexpected(layout.error().in(path));
    return layout;
}

Result<unsigned> user_id(const std::string& name) {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): the program has one thread
    const passwd* entry = ::getpwnam(name.c_str());
    if (entry == nullptr)
        return fail(Errc::invalid_argument, "there is no user '" + name + "' on this machine",
                    "make it (adduser --system baton), or give its number with --allow-uid");
    return entry->pw_uid;
}

/// SIGINT and SIGTERM as something to wait for.
int stop_descriptor() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    return ::signalfd(-1, &signals, SFD_CLOEXEC);
}

} // namespace

int main(int argc, char** argv) {
    CLI::App app{"baton-helper: changes the boot server's routes for batond, which is not root. "
                 "Answers a few typed requests on a unix socket, and only to one user."};
    app.name("baton-helper");
    app.set_version_flag("--version", "baton-helper 0.1.0");
    std::string socket = "/run/baton/helper.sock";
    std::string config = "/etc/baton/helper.toml";
    std::string user = "baton";
    std::optional<unsigned> uid;
    app.add_option("--socket", socket, "Where to listen")->capture_default_str();
    app.add_option("--config", config, "The boot server's networks (docs/network.md)")
        ->capture_default_str();
    auto* by_name =
        app.add_option("--allow-user", user, "Who may ask, beside root")->capture_default_str();
    app.add_option("--allow-uid", uid, "The same by number")->excludes(by_name);
    try {
        app.parse(argc, argv);
        const auto layout = layout_of(config);
        if (!layout)
            return complain(layout.error());
        const auto allowed = uid ? Result<unsigned>(*uid) : user_id(user);
        if (!allowed)
            return complain(allowed.error());
        routing::HelperSettings settings;
        settings.socket_path = socket;
        settings.allowed_uid = *allowed;
        settings.layout = *layout;
        settings.stop_fd = stop_descriptor();
        settings.log = [](const std::string& line) {
            fmt::print("baton-helper: {}\n", line);
            std::fflush(stdout);
        };
        const auto served = routing::serve_helper(settings);
        return served ? 0 : complain(served.error());
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    } catch (const std::exception& error) {
        fmt::print(stderr, "baton-helper: this is a fault of Baton's own: {}\n", error.what());
        return 1;
    }
}
