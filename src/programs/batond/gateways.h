#pragma once

#include "api/api.h"
#include "gatelink/fleet.h"
#include "handoff/engine.h"
#include "programs/batond/loop.h"
#include "store/store.h"

#include <functional>
#include <memory>
#include <set>

namespace baton::controller {

/// The site's gateways: what they ask is answered by the API and the engine, and the engine's paths
/// lead through them, or by the port forward, as each session has chosen.
///
/// Thread rules: accept() from any thread, everything else on the loop.
class GatewaySite : public handoff::Path, public api::Gateways {
  public:
    /// `nat`: the other route; `fleet`: shows people who looks on. Must outlive this.
    GatewaySite(handoff::Path& nat, handoff::Fleet& fleet, Loop& loop);

    /// Before the first accept().
    void begin(api::Api& api, handoff::Engine& engine, store::Store& store);

    bool accept(const net::Request& request, std::shared_ptr<net::WebSocket> socket) {
        return fleet_->accept(request, std::move(socket));
    }

    // handoff::Path
    void prepare(const handoff::PathOrder& order) override;
    void point(const handoff::PathOrder& order, handoff::Done<void> done) override;
    void remove(const SessionId& session, handoff::Done<void> done) override;

    // api::Gateways
    [[nodiscard]] std::vector<api::GatewayNow> connected() const override;
    [[nodiscard]] std::vector<api::ViewerNow> viewers() const override;

    [[nodiscard]] std::set<SessionId> looked_at() const override { return fleet_->looked_at(); }

    void drain(const GatewayId& gateway, bool draining) override;
    void expel(const GatewayId& gateway) override;

  private:
    gatelink::FleetDoors doors();
    [[nodiscard]] std::optional<gateway::Screen> screen_of(const SessionId& session) const;
    void told(const GatewayId& gateway, const gateway::News& news);
    void came(const GatewayId& gateway, const gateway::ViewerCame& came);
    void tell(std::string kind, const SessionId& session, std::string text,
              const std::string& data_json = "{}");

    handoff::Path& nat_;
    handoff::Fleet& desktops_;
    api::Api* api_ = nullptr;
    handoff::Engine* engine_ = nullptr;
    store::Store* store_ = nullptr;
    std::unique_ptr<gatelink::GatewayFleet> fleet_;
    Loop& loop_;
};

} // namespace baton::controller
