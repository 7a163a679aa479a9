#pragma once

#include "model/error.h"
#include "model/size.h"

#include <optional>
#include <string>

/// The two things that baton-hostd does.
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

/// <state>/pki: ca-cert.pem, client-cert.pem and client-key.pem, where QEMU looks for them too.
std::string pki_folder(const std::string& state_directory);

/// This machine's physical memory, from /proc/meminfo.
Result<Mebibytes> physical_memory();
/// This machine's address in the network through which it reaches `host`.
Result<std::string> address_towards(const std::string& host, std::uint16_t port);

} // namespace baton::hostd
