#pragma once

#include "model/error.h"
#include "model/types.h"

#include <functional>
#include <string>
#include <vector>

/// The port that makes the path from a client to its desktop (paper 1, section 3.2, Figure 3).
/// Adapters: nftables through baton-helper (NAT and port forward), in memory (tests).
namespace baton::routing {

/// Connections that `client` opens to `listen` on the boot server reach `target`.
struct Route {
    SessionId session;
    std::string client; ///< IPv4 address of the client, the key together with listen_port
    std::uint16_t listen_port = 0;
    Endpoint target; ///< the desktop's screen
    bool operator==(const Route&) const = default;
};

/// Thread rules: any thread, blocking, at most 5 s a call. Idempotent.
class Router {
  public:
    virtual ~Router() = default;

    /// Adds or re-points one route in one atomic transaction, and cuts established flows to the
    /// former target, so that the client reconnects at once. Errc::busy: the port is taken by
    /// another session.
    virtual Result<void> point(const Route& route) = 0;
    /// Removes the route and cuts its flows. No such route: success.
    virtual Result<void> remove(const SessionId& session) = 0;
    /// Makes the routes exactly these (start-up: the store is the truth), in one transaction.
    virtual Result<void> replace_all(const std::vector<Route>& routes) = 0;
    virtual Result<std::vector<Route>> list() = 0;
};

} // namespace baton::routing
