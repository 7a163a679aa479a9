#pragma once

#include "handoff/engine.h"
#include "history/samples.h"
#include "model/error.h"
#include "model/size.h"
#include "model/types.h"
#include "programs/batond/retention.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace baton::controller {

/// What batond is told to be: packaging/batond.toml and docs/configuration.md name every key.
struct Config {
    // [listen]
    std::vector<std::string> addresses{"127.0.0.1"};
    std::uint16_t port = 8443;
    std::string local_socket = "/run/baton/batond.sock"; ///< empty: none
    std::string public_url; ///< where hosts and people reach us; empty: first address and port

    // [state]
    std::string state_dir = "/var/lib/baton";

    // [retention]
    Retention retention;

    // [samples]
    std::string samples_store = "sqlite"; ///< as written; samples_place() says where that is
    history::Retention samples;
    Mebibytes samples_waiting{64}; ///< most that waits in memory while the database is away

    // [images]
    std::string images_folder = "/var/lib/baton/images";
    std::string default_image;

    // [netboot]
    std::string netboot_folder = "/var/lib/baton-netboot"; ///< empty: no PC boots from here
    bool prestart = false; ///< a PC that is up has its person's desktop started
    std::chrono::seconds kept_unused{15 * 60};

    // [sessions]
    std::chrono::seconds kept_without_viewer{0}; ///< 0: for ever

    // [desks]
    std::string desk_server = "https://127.0.0.1:8445";
    std::int64_t desk_size_bytes = std::int64_t{32} << 30;

    // [routing]
    std::string helper_socket = "/run/baton/helper.sock";
    std::optional<RouteKind>
        route; ///< of sessions that do not say; none: by whether there is a gateway
    std::string viewer_address; ///< where viewers connect to routes; shown to people

    // [allocation], [handoff]
    handoff::EngineSettings engine;
    Mebibytes host_reserve = 1_GiB;
    unsigned host_reserve_percent = 10;

    // [login]
    std::chrono::seconds login_life{12 * 3600};
    std::chrono::seconds invitation_life{24 * 3600};

    // [process]
    std::string user; ///< to run as when started as root; empty: stay
    std::string log_level = "info";

    // [simulate]
    unsigned simulated_hosts = 0; ///< 0: real hosts
    Mebibytes simulated_memory = 4_GiB;
    std::chrono::milliseconds simulated_boot{300};

    [[nodiscard]] Mebibytes reserve(Mebibytes memory) const;
    /// Where history::open() finds the samples: a path or mysql://...; empty: nowhere.
    [[nodiscard]] std::string samples_place() const;
};

/// The error names file, line and key: "batond.toml:12: allocation.levels: ...".
Result<Config> parse_config(std::string_view text, const std::string& file);
Result<Config> read_config(const std::string& file);

/// Every key there is, "listen.port": the documentation is held to it.
std::vector<std::string> config_keys();

/// "500ms", "30s", "5min", "12h", "90d"; at most ten years.
Result<std::chrono::milliseconds> parse_duration(std::string_view text);

} // namespace baton::controller
