#pragma once

#include "model/error.h"
#include "model/size.h"

#include <cstdint>
#include <optional>
#include <signal.h>
#include <string>

/// What baton-hostd does.
namespace baton::hostd {

struct JoinOptions {
    std::string controller; ///< empty: as in the token
    std::string token;
    std::string name; ///< empty: this machine's own
    std::string state_directory = "/var/lib/baton-host";
    std::string address; ///< empty: the one towards the controller
    std::optional<Mebibytes> memory;
    bool replace = false;
};

Result<void> join(const JoinOptions& options);

/// Returns when SIGTERM or SIGINT has come, or with what keeps it from starting.
Result<void> run(const std::string& config_path);

/// The host's screens for gateways, until SIGTERM or SIGINT has come; needs no agent
/// (docs/formats/screen-relay.md). Says "listening on ADDRESS:PORT" on standard output once it
/// does.
Result<void> screens(const std::string& config_path);

struct MonitorOptions {
    std::string libvirt_uri; ///< empty: $LIBVIRT_DEFAULT_URI, or qemu:///system
    std::string listen = "127.0.0.1:9178";
    std::int64_t interval_ms = 1'000;
    std::int64_t guest_interval_ms = 10'000;
};

/// Measures this host and its VMs and serves what it reads, without a controller, until SIGTERM or
/// SIGINT.
Result<void> monitor_only(const MonitorOptions& options);

/// libvirt's own convention, also of virsh.
std::string default_libvirt_uri();
/// This machine's name without its domain.
Result<std::string> own_name();
/// Blocks SIGTERM and SIGINT in this thread and those that it starts; what is to be waited for.
sigset_t block_end_signals();

/// <state>/pki: ca-cert.pem, client-cert.pem and client-key.pem, where QEMU looks for them too.
std::string pki_folder(const std::string& state_directory);

/// This machine's physical memory, from /proc/meminfo.
Result<Mebibytes> physical_memory();
/// The network in which this machine has that address, "10.99.0.0/24"; "" if it has none.
std::string network_of(const std::string& address);
/// This machine's address in the network through which it reaches `host`.
Result<std::string> address_towards(const std::string& host, std::uint16_t port);

} // namespace baton::hostd
