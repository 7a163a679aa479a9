#pragma once

#include "gatelink/protocol.h"
#include "handoff/ports.h"
#include "net/http.h"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

/// The controller's side of the link: the gateways that have dialled in, and the part of
/// handoff::Path that leads through them.
namespace baton::gatelink {

struct FleetSettings {
    std::string version = "0.1.0"; ///< told to gateways, for their logs
    std::chrono::milliseconds hello_deadline{10'000};
    /// For a gateway to point its viewers elsewhere.
    std::chrono::milliseconds point_deadline{20'000};
};

/// One gateway that is connected.
struct GatewayView {
    Facts facts;
    std::size_t viewers = 0;
    std::size_t sessions = 0;
};

/// Who looks on at a session, by one of the gateways.
struct ViewerView {
    GatewayId gateway;
    gateway::ViewerCame came;
};

/// What the fleet asks of the controller. All on the executor.
struct FleetDoors {
    /// May this certificate speak for the gateway of that name? Errc::forbidden and others say why
    /// not. true: it is draining.
    std::function<Result<bool>(const GatewayId& gateway, const net::Peer& peer)> admit;
    std::function<void(const Login& login, gateway::Done<Grant> done)> login;
    std::function<void(const Redeem& redeem, gateway::Done<Grant> done)> redeem;
    /// Where the session's screen is now. nullopt: there is no such session any more.
    std::function<std::optional<Screen>(const SessionId& session)> screen_of;
    std::function<void(const GatewayId& gateway, const News& news)> told;
    /// How a switch over all gateways went, for whoever keeps figures.
    std::function<void(const SessionId& session, const Switched& switched)> switched;
};

/// Thread rules: accept() from any thread, everything else on the executor, where it is also to be
/// destroyed (or after the executor's end). Every `done` comes by Clock::post.
class GatewayFleet {
  public:
    static std::unique_ptr<GatewayFleet> make(handoff::Clock& clock, FleetDoors doors,
                                              FleetSettings settings = {});
    virtual ~GatewayFleet() = default;

    /// For net::serve's OnWebSocket: takes the connection if it is one of a gateway's (its path is
    /// gatelink::target). Who it is, is decided by its certificate's CN.
    virtual bool accept(const net::Request& request, std::shared_ptr<net::WebSocket> socket) = 0;

    /// Every gateway is told; what comes of it is not.
    virtual void prepare(const SessionId& session, const Screen& screen) = 0;
    /// Every viewer of the session, at whatever gateway, is pointed there. No gateway, or none with
    /// a viewer: success. A gateway that goes meanwhile does not count: it is told when it is back.
    /// Errc::timeout, unavailable: one of them could not; ask again.
    virtual void point(const SessionId& session, const Screen& screen,
                       handoff::Done<void> done) = 0;
    /// The session has ended.
    virtual void close(const SessionId& session, const std::string& why) = 0;
    virtual void show(const SessionId& session, const std::string& text,
                      std::chrono::milliseconds time) = 0;
    virtual void drain(const GatewayId& gateway, bool draining) = 0;
    /// Closes the gateway's link, if it has one: it was removed, or has joined anew.
    virtual void expel(const GatewayId& gateway) = 0;

    [[nodiscard]] virtual std::vector<GatewayView> connected() const = 0;
    [[nodiscard]] virtual std::vector<ViewerView> viewers() const = 0;
    /// Sessions with somebody who may act in them, those included that a gateway carried already
    /// when it connected: of these it is not known who looks on how.
    [[nodiscard]] virtual std::set<SessionId> looked_at() const = 0;
};

} // namespace baton::gatelink
