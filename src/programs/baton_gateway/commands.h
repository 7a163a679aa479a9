#pragma once

#include "model/error.h"

#include <cstdint>
#include <string>

/// What baton-gateway does.
namespace baton::gateway_program {

struct JoinOptions {
    std::string token;
    std::string controller; ///< empty: as in the token
    std::string name;       ///< by which it was invited
    std::string address;    ///< where viewers reach it: an IPv4 address or a name
    std::string state_directory = "/var/lib/baton-gateway";
    bool replace = false;
};

Result<void> join(const JoinOptions& options);

struct RunOptions {
    std::string state_directory = "/var/lib/baton-gateway";
    std::string controller; ///< empty: as when it joined
    std::string vnc = "0.0.0.0:5900";
    std::string web = "0.0.0.0:8444";
    std::string certificate; ///< for viewers and browsers; empty: the site's CA's
    std::string key;
    bool tls_in_front = false;   ///< a proxy on this machine ends TLS
    std::string language = "en"; ///< of what is written over people's screens: en, ko
    std::uint32_t viewers = 4096;
    std::string log_level = "info";
};

/// Carries screens until SIGTERM or SIGINT.
Result<void> run(const RunOptions& options);

} // namespace baton::gateway_program
