#include "programs/batond/gateways.h"

#include "model/overloaded.h"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace baton::controller {

namespace {

gateway::Screen screen_in(const handoff::PathOrder& order) {
    return {order.desktop, order.target, order.screen_ticket};
}

gateway::Screen screen_in(const store::DesktopRow& desktop) {
    return {desktop.id, desktop.screen, desktop.screen_ticket};
}

gateway::Grant grant_of(const api::Admitted& admitted) {
    gateway::Grant grant;
    grant.session = admitted.session.row.id;
    grant.user = admitted.session.row.user;
    grant.access = admitted.view_only ? gateway::Access::view_only : gateway::Access::full;
    grant.screen = screen_in(*admitted.session.desktop);
    grant.resume = admitted.resume;
    return grant;
}

handoff::Done<api::Admitted> granting(gateway::Done<gateway::Grant> done) {
    return [done = std::move(done)](const Result<api::Admitted>& admitted) {
        if (!admitted)
            return done(tl::unexpected(admitted.error()));
        if (!admitted->session.desktop)
            return done(fail(Errc::unavailable, "the session has no desktop just now",
                             "try again in a moment"));
        done(grant_of(*admitted));
    };
}

} // namespace

GatewaySite::GatewaySite(handoff::Path& nat, handoff::Fleet& fleet, Loop& loop)
    : nat_(nat),
      desktops_(fleet),
      fleet_(gatelink::GatewayFleet::make(loop, doors())),
      loop_(loop) {}

void GatewaySite::begin(api::Api& api, handoff::Engine& engine, store::Store& store) {
    api_ = &api;
    engine_ = &engine;
    store_ = &store;
}

gatelink::FleetDoors GatewaySite::doors() {
    return {[this](const GatewayId& gateway, const net::Peer& peer) {
                return api_->admit_gateway(gateway, peer.certificate_sha256);
            },
            [this](const gatelink::Login& login, gateway::Done<gateway::Grant> done) {
                api_->admit(login.user, login.password, login.client, granting(std::move(done)));
            },
            [this](const gatelink::Redeem& redeem, gateway::Done<gateway::Grant> done) {
                api_->admit(redeem.ticket, redeem.client, granting(std::move(done)));
            },
            [this](const SessionId& session) { return screen_of(session); },
            [this](const GatewayId& gateway, const gateway::News& news) { told(gateway, news); },
            [this](const SessionId& session, const gateway::Switched& how) {
                const auto ms = [](std::chrono::microseconds time) {
                    return std::chrono::duration<double, std::milli>(time).count();
                };
                tell("route.switched", session,
                     fmt::format("{} viewers were switched to another desktop, {} lost.",
                                 how.viewers, how.lost),
                     boost::json::serialize(
                         boost::json::object{{"viewers", how.viewers},
                                             {"lost", how.lost},
                                             {"cut_to_frame_ms", ms(how.cut_to_frame)},
                                             {"frame_to_frame_ms", ms(how.frame_to_frame)}}));
            }};
}

std::optional<gateway::Screen> GatewaySite::screen_of(const SessionId& session) const {
    const auto view = engine_->session(session);
    const bool reached = view && view->desktop && view->row.route == RouteKind::gateway &&
                         view->row.phase != store::SessionPhase::closing &&
                         view->row.phase != store::SessionPhase::closed;
    if (!reached)
        return std::nullopt;
    return screen_in(*view->desktop);
}

void GatewaySite::told(const GatewayId& gateway, const gateway::News& news) {
    std::visit(Overloaded{[&](const gateway::ViewerCame& who) { came(gateway, who); },
                          [&](const gateway::ViewerWent& went) {
                              tell(
                                  "viewer.went", went.session,
                                  fmt::format("a viewer has left {}: {}", gateway.value, went.why));
                          },
                          [&](const gateway::ScreenLost& lost) {
                              spdlog::warn("{} has lost the screen of desktop {}: {}",
                                           gateway.value, lost.desktop.value, lost.why);
                              // it came in while the session moved: it stands at a desktop that is
                              // gone
                              const auto screen = screen_of(lost.session);
                              if (screen && screen->desktop != lost.desktop)
                                  fleet_->point(lost.session, *screen, [](const Result<void>&) {});
                          }},
               news);
}

void GatewaySite::came(const GatewayId& gateway, const gateway::ViewerCame& came) {
    const bool looks_on = came.access == gateway::Access::view_only;
    tell("viewer.came", came.session,
         fmt::format("a viewer at {} {} through {}", came.client,
                     looks_on ? "looks on" : "is connected", gateway.value));
    const auto view = engine_->session(came.session);
    if (looks_on && view && view->desktop)
        desktops_.notify(view->desktop->host, view->desktop->id,
                         fmt::format("Somebody at {} looks on at your screen.", came.client),
                         std::chrono::seconds(0), false, [](const Result<void>&) {});
}

void GatewaySite::tell(std::string kind, const SessionId& session, std::string text,
                       const std::string& data_json) {
    store::Change change;
    store::EventRow row;
    row.at = loop_.wall();
    row.kind = std::move(kind);
    row.subject = session.value;
    row.text = std::move(text);
    row.data_json = data_json;
    change.events.push_back(std::move(row));
    if (const auto written = store_->commit(change); !written)
        return spdlog::warn("an event could not be written down: {}", written.error().message());
    api_->events_grew();
}

void GatewaySite::prepare(const handoff::PathOrder& order) {
    if (order.route == RouteKind::gateway)
        fleet_->prepare(order.session, screen_in(order));
    else
        nat_.prepare(order);
}

void GatewaySite::point(const handoff::PathOrder& order, handoff::Done<void> done) {
    if (order.route == RouteKind::gateway)
        fleet_->point(order.session, screen_in(order), std::move(done));
    else
        nat_.point(order, std::move(done));
}

/// Which of the two it has is not known here any more; neither minds being asked in vain.
void GatewaySite::remove(const SessionId& session, handoff::Done<void> done) {
    fleet_->close(session, "the session has ended");
    nat_.remove(session, std::move(done));
}

std::vector<api::GatewayNow> GatewaySite::connected() const {
    std::vector<api::GatewayNow> all;
    for (const gatelink::GatewayView& view : fleet_->connected())
        all.push_back({view.facts.id, view.facts.address, view.facts.vnc_port, view.facts.web_port,
                       view.facts.version, view.viewers, view.sessions});
    return all;
}

std::vector<api::ViewerNow> GatewaySite::viewers() const {
    std::vector<api::ViewerNow> all;
    for (const gatelink::ViewerView& view : fleet_->viewers())
        all.push_back({view.gateway, view.came.session, view.came.client,
                       view.came.access == gateway::Access::view_only, view.came.browser});
    return all;
}

void GatewaySite::drain(const GatewayId& gateway, bool draining) {
    fleet_->drain(gateway, draining);
}

void GatewaySite::expel(const GatewayId& gateway) {
    fleet_->expel(gateway);
}

} // namespace baton::controller
