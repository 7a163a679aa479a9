#pragma once

#include "hostlink/config.h"
#include "model/error.h"
#include "model/ids.h"
#include "net/http.h"

#include <string>

/// What this host is, from its files: shared by the agent and the relay, which run apart.
namespace baton::hostd {

/// hostd.toml, with what it leaves to this machine filled in: screen_address and memory. Errors:
/// those of parse_host_config; the file or the way to the controller is missing.
Result<hostlink::HostConfig> read_config(const std::string& path);

/// Of the joined host.
struct Identity {
    net::TlsFiles files;
    HostId host;
};

/// Errc::not_found: this host has not joined; unauthenticated: its certificate has expired. One
/// that ends soon is said in the log.
Result<Identity> identity(const hostlink::HostConfig& config);

/// Where the agent's adapter keeps desktops.
std::string vm_folder(const hostlink::HostConfig& config);
/// Where the agent writes the tickets of screens, and the relay reads them.
std::string ticket_folder(const hostlink::HostConfig& config);

/// HostConfig::log_level, how lines look, and that they go to standard error. Once.
void set_log_level(const std::string& level);

} // namespace baton::hostd
