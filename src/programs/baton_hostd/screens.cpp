#include "programs/baton_hostd/commands.h"
#include "programs/baton_hostd/own.h"
#include "screenrelay/relay.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdio>
#include <string.h>
#include <sys/resource.h>

namespace baton::hostd {

namespace {

/// Each connection has two descriptors, and another one while it is made.
void allow_descriptors(std::size_t connections) {
    rlimit limit{};
    const rlim_t wanted = 3 * connections + 64;
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = std::min(wanted, limit.rlim_max);
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < wanted)
        spdlog::warn("only {} files may be open: fewer than {} screens can be looked at",
                     limit.rlim_cur, connections);
}

} // namespace

Result<void> screens(const std::string& config_path) {
    const auto signals = block_end_signals();
    const auto config = read_config(config_path);
    if (!config)
        return tl::unexpected(config.error());
    set_log_level(config->log_level);
    const auto own = identity(*config);
    if (!own)
        return tl::unexpected(own.error());
    screenrelay::RelaySettings settings;
    settings.address = config->screen_address;
    settings.port = config->relay_port;
    settings.tls = own->files;
    settings.tickets = ticket_folder(*config);
    allow_descriptors(settings.connection_limit);
    const auto relay = screenrelay::Relay::start(settings);
    if (!relay && relay.error().code == Errc::busy) {
        Error taken = relay.error();
        taken.hint = "stop that program, or name another port: [screens] port in " + config_path +
                     ", for 'baton-hostd run' as well (start both anew)";
        return tl::unexpected(std::move(taken));
    }
    if (!relay)
        return tl::unexpected(relay.error());
    fmt::print("listening on {}:{}\n", settings.address, (*relay)->port());
    std::fflush(stdout);
    int signal = 0;
    sigwait(&signals, &signal);
    spdlog::info("ending on {}, with {} connections",
                 ::strsignal(signal), // NOLINT(concurrency-mt-unsafe)
                 (*relay)->load().open);
    return {};
}

} // namespace baton::hostd
