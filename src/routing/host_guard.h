#pragma once

#include "model/error.h"
#include "routing/ipv4.h"
#include "routing/nft_router.h"

#include <boost/json/value.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace baton::routing {

/// What a host keeps its desktops from, and who may see its screens. A table of the host's own,
/// `ip baton_host`, beside whatever firewall the machine has.
struct HostGuard {
    std::string bridge; ///< of the desktops; empty: there is no network for them
    Ipv4 boot_server;   ///< alone reaches the screens, besides the host itself
    std::uint16_t first_screen = 5900;
    std::uint16_t last_screen = 6923; ///< 1024 desktops are more than a host holds
    /// Where gateways reach screens (`baton-hostd screens`), from the boot server, from `gateways`
    /// and from the host itself alone; 0: nowhere.
    std::uint16_t relay = 0;
    std::optional<Ipv4Network> gateways = std::nullopt;
    bool operator==(const HostGuard&) const = default;
};

/// Errc::invalid_argument with what is wrong.
Result<void> check_guard(const HostGuard& guard);

/// The table by text, and its rules in one transaction.
std::string_view host_base_ruleset();
boost::json::value host_chains(const HostGuard& guard);

/// Makes the table, or brings it up to date. Idempotent. Errc::forbidden: not root (CAP_NET_ADMIN);
/// Errc::unavailable: no nft here.
Result<void> guard_host(const HostGuard& guard, const Runner& runner = process::run);

} // namespace baton::routing
