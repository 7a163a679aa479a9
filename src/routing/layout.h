#pragma once

#include "model/error.h"
#include "routing/ipv4.h"
#include "routing/router.h"

#include <string>
#include <string_view>
#include <vector>

namespace baton::routing {

/// An interface of the boot server and the network behind it.
struct Side {
    std::string interface; ///< "clients", "eth1"
    Ipv4Network network;
    bool operator==(const Side&) const = default;
};

/// Where things are, seen from the boot server (paper 1, Figure 1). Set by the machine's
/// administrator, not by the controller.
struct Layout {
    std::vector<Side> clients; ///< at least one
    Side hosts;
    /// Behind the hosts, reached through the hosts' interface.
    std::vector<Ipv4Network> desktops;
    std::string outside; ///< interface; empty: nobody gets out
    bool operator==(const Layout&) const = default;
};

/// {"clients":[{"interface":"clients","network":"10.98.0.0/24"}],
///  "hosts":{"interface":"hosts","network":"10.99.0.0/24"},
///  "desktops":["10.101.1.0/24"],"outside":"outside"}
/// Errc::invalid_argument names the field; networks that overlap are refused too.
Result<Layout> layout_from_json(std::string_view text);

/// Whether a route makes sense here: an address of a client network, one of the hosts' network,
/// ports that exist, a well-formed session. The helper refuses all others, whoever asks.
Result<void> check_route(const Layout& layout, const Route& route);

/// All of them, and no port or session twice.
Result<void> check_routes(const Layout& layout, const std::vector<Route>& routes);

/// Interface names as the kernel takes them, and none that nft would take for a pattern.
Result<void> check_interface(std::string_view name);

/// Ids as model/ids.h gives them; safe as an nft comment.
Result<void> check_session(const SessionId& session);

} // namespace baton::routing
