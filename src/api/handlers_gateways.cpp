#include "api/admission.h"
#include "api/context.h"
#include "api/json_out.h"
#include "api/login.h"

#include <boost/json/array.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace json = boost::json;

namespace baton::api {

namespace {

constexpr auto gateway_invite = store::TokenRow::Kind::gateway_invite;

class GatewayRoutes {
  public:
    GatewayRoutes(Context& context, Admission& admission)
        : context_(context), admission_(admission) {}

    void list(const CallPtr& call);
    void show(const CallPtr& call);
    void invite(const CallPtr& call);
    void join(const CallPtr& call);
    void set_draining(const CallPtr& call, bool draining);
    void remove(const CallPtr& call);
    void ticket(const CallPtr& call);

  private:
    struct Join {
        std::string secret;
        GatewayId gateway;
        std::string csr_pem;
        std::string address;
    };

    Result<Join> read_join(const CallPtr& call);
    void enrol(const CallPtr& call, const Join& join);
    /// Those that have joined, and those that are only invited.
    Result<std::vector<store::GatewayRow>> all() const;
    Result<store::GatewayRow> find(const GatewayId& id) const;
    [[nodiscard]] json::object shown(const store::GatewayRow& row) const;
    [[nodiscard]] json::array viewers_at(const GatewayId& gateway) const;

    Context& context_;
    Admission& admission_;
};

Result<std::vector<store::GatewayRow>> GatewayRoutes::all() const {
    auto rows = context_.services.store.gateways();
    if (!rows)
        return rows;
    for (const store::TokenRow& token : context_.accounts.invitations(gateway_invite)) {
        if (std::ranges::any_of(*rows,
                                [&](const auto& row) { return row.id.value == token.subject; }))
            continue;
        store::GatewayRow invited;
        invited.id = GatewayId(token.subject);
        rows->push_back(std::move(invited));
    }
    std::ranges::sort(*rows, {}, &store::GatewayRow::id);
    return rows;
}

Result<store::GatewayRow> GatewayRoutes::find(const GatewayId& id) const {
    auto rows = all();
    if (!rows)
        return tl::unexpected(rows.error());
    for (store::GatewayRow& row : *rows)
        if (row.id == id)
            return std::move(row);
    return fail(Errc::not_found, fmt::format("there is no gateway '{}'", id.value.substr(0, 64)),
                "see them with: baton gateway list");
}

json::object GatewayRoutes::shown(const store::GatewayRow& row) const {
    const bool has_joined = !row.certificate_sha256.empty();
    json::object object{{"id", row.id.value},
                        {"state", !has_joined    ? "invited"
                                  : row.draining ? "draining"
                                                 : "ready"},
                        {"connected", false},
                        {"address", text_or_null(row.address)},
                        {"joined", has_joined ? to_json(row.joined) : json::value(nullptr)},
                        {"certificate_sha256", text_or_null(row.certificate_sha256)},
                        {"vnc_port", nullptr},
                        {"web_port", nullptr},
                        {"version", nullptr},
                        {"viewers", 0},
                        {"sessions", 0}};
    if (context_.services.gateways == nullptr)
        return object;
    for (const GatewayNow& now : context_.services.gateways->connected()) {
        if (now.id != row.id)
            continue;
        object["connected"] = true;
        object["address"] = text_or_null(now.address);
        object["vnc_port"] = now.vnc_port;
        object["web_port"] = now.web_port;
        object["version"] = now.version;
        object["viewers"] = now.viewers;
        object["sessions"] = now.sessions;
    }
    if (has_joined && !object.at("connected").as_bool())
        object["state"] = "away";
    return object;
}

json::array GatewayRoutes::viewers_at(const GatewayId& gateway) const {
    json::array found;
    if (context_.services.gateways == nullptr)
        return found;
    for (const ViewerNow& viewer : context_.services.gateways->viewers()) {
        if (viewer.gateway != gateway)
            continue;
        const auto session = context_.services.engine.session(viewer.session);
        found.push_back(json::object{
            {"session", viewer.session.value},
            {"user", session ? json::value(session->row.user.value) : json::value(nullptr)},
            {"client", viewer.client},
            {"view_only", viewer.view_only},
            {"browser", viewer.browser}});
    }
    return found;
}

void GatewayRoutes::list(const CallPtr& call) {
    const auto rows = all();
    if (!rows)
        return call->answer(rows.error());
    json::array gateways;
    for (const store::GatewayRow& row : *rows)
        gateways.push_back(shown(row));
    call->answer(json::object{{"gateways", std::move(gateways)}});
}

void GatewayRoutes::show(const CallPtr& call) {
    const auto row = find(GatewayId(call->parameters[0]));
    if (!row)
        return call->answer(row.error());
    json::object object = shown(*row);
    object["looking_on"] = viewers_at(row->id);
    call->answer(json::value(std::move(object)));
}

void GatewayRoutes::invite(const CallPtr& call) {
    auto fields = Fields::parse(call->request.body);
    if (!fields)
        return call->answer(fields.error());
    const GatewayId name(fields->text("name", 63));
    if (auto fine = fields->error(); !fine)
        return call->answer(fine.error());
    if (auto fine = check_name("gateway name", name.value); !fine)
        return call->answer(fine.error());
    if (const auto row = find(name); row && shown(*row).at("connected").as_bool())
        return call->answer(
            Error{Errc::already_exists,
                  fmt::format("a gateway '{}' has joined and is connected", name.value),
                  "choose another name, or remove that gateway first", 0});
    auto secret = context_.accounts.invite(
        gateway_invite, name.value, context_.settings.invitation_life, call->caller.user.value);
    if (!secret)
        return call->answer(secret.error());
    context_.events_grew();
    call->answer(json::object{{"gateway", name.value},
                              {"token", context_.services.authority.join_token(*secret)},
                              {"expires", to_json(context_.services.clock.wall() +
                                                  context_.settings.invitation_life)}},
                 201);
}

Result<GatewayRoutes::Join> GatewayRoutes::read_join(const CallPtr& call) {
    auto fields = Fields::parse(call->request.body);
    if (!fields)
        return tl::unexpected(fields.error());
    Join join;
    join.secret = fields->text("token_secret", 256);
    join.gateway = GatewayId(fields->text("name", 63));
    join.csr_pem = fields->text("csr_pem", 8192);
    join.address = fields->text("address", 253);
    BATON_TRY(fields->error());
    BATON_TRY(check_name("gateway name", join.gateway.value));
    BATON_TRY(check_name("gateway's address", join.address));
    return join;
}

void GatewayRoutes::join(const CallPtr& call) {
    auto join = read_join(call);
    if (!join)
        return call->answer(join.error());
    if (!has_invitation(context_, call, gateway_invite, join->secret, join->gateway.value))
        return;
    enrol(call, *join);
}

void GatewayRoutes::enrol(const CallPtr& call, const Join& join) {
    auto certificate =
        context_.services.authority.sign_gateway(join.gateway, join.address, join.csr_pem);
    if (!certificate)
        return call->answer(certificate.error());
    store::Change change;
    store::GatewayRow row;
    row.id = join.gateway;
    row.address = join.address;
    row.certificate_sha256 = certificate->sha256;
    row.joined = context_.services.clock.wall();
    change.gateways.push_back(row);
    if (auto written = context_.services.store.commit(change); !written)
        return call->answer(written.error());
    if (context_.services.gateways != nullptr)
        context_.services.gateways->expel(row.id);
    if (auto used = context_.accounts.use_invitation(join.secret); !used)
        return call->answer(used.error());
    (void)context_.tell("gateway.joined", row.id.value,
                        fmt::format("the gateway {} joined at {}", row.id.value, row.address));
    call->answer(json::object{{"gateway", row.id.value},
                              {"certificate_pem", certificate->certificate_pem},
                              {"authority_pem", certificate->authority_pem}});
}

void GatewayRoutes::set_draining(const CallPtr& call, bool draining) {
    auto fields = Fields::parse(call->request.body);
    if (!fields)
        return call->answer(fields.error());
    if (auto fine = fields->error(); !fine)
        return call->answer(fine.error());
    auto row = find(GatewayId(call->parameters[0]));
    if (!row)
        return call->answer(row.error());
    if (row->certificate_sha256.empty())
        return call->answer(Error{Errc::not_found,
                                  fmt::format("the gateway '{}' has not joined yet", row->id.value),
                                  "", 0});
    row->draining = draining;
    store::Change change;
    change.gateways.push_back(*row);
    if (auto written = context_.services.store.commit(change); !written)
        return call->answer(written.error());
    if (context_.services.gateways != nullptr)
        context_.services.gateways->drain(row->id, draining);
    (void)context_.tell(draining ? "gateway.draining" : "gateway.undrained", row->id.value,
                        fmt::format("the gateway {} {}, asked by {}", row->id.value,
                                    draining ? "takes no new viewers" : "takes viewers again",
                                    call->caller.user.value));
    call->answer(json::value(shown(*row)));
}

void GatewayRoutes::remove(const CallPtr& call) {
    const auto row = find(GatewayId(call->parameters[0]));
    if (!row)
        return call->answer(row.error());
    store::Change change;
    change.removed_gateways.push_back(row->id);
    if (auto written = context_.services.store.commit(change); !written)
        return call->answer(written.error());
    if (context_.services.gateways != nullptr)
        context_.services.gateways->expel(row->id);
    if (auto done = context_.accounts.withdraw_invitation(gateway_invite, row->id.value); !done)
        return call->answer(done.error());
    (void)context_.tell(
        "gateway.removed", row->id.value,
        fmt::format("the gateway {} was removed by {}", row->id.value, call->caller.user.value));
    call->answer(json::object{{"removed", row->id.value}});
}

/// A browser's way in, or that of somebody who looks on.
void GatewayRoutes::ticket(const CallPtr& call) {
    auto fields = Fields::parse(call->request.body);
    if (!fields)
        return call->answer(fields.error());
    const auto view_only = fields->optional_flag("view_only");
    if (auto fine = fields->error(); !fine)
        return call->answer(fine.error());
    const auto view = context_.services.engine.session(SessionId(call->parameters[0]));
    if (!view || (!call->over_others() && view->row.user != call->caller.user))
        return call->answer(
            Error{Errc::not_found,
                  fmt::format("there is no open session '{}'", call->parameters[0].substr(0, 64)),
                  "see them with: baton session list", 0});
    if (view->row.route != RouteKind::gateway)
        return call->answer(Error{Errc::refused,
                                  "this session is reached by a port forward, not by a gateway",
                                  "open it with --route gateway", 0});
    const bool own = view->row.user == call->caller.user;
    const bool only_looks = view_only.value_or(false);
    // an operator looks on; only the person acts
    if (!own && !only_looks)
        return call->answer(Error{Errc::forbidden, "only the person may act in their session",
                                  "ask for a ticket to look on: view_only", 0});
    const auto ticket = admission_.issue(view->row.id, only_looks);
    if (!own || only_looks)
        (void)context_.tell("session.shared", view->row.id.value,
                            fmt::format("{} let somebody look on at the session of {}",
                                        call->caller.user.value, view->row.user.value));
    json::array gateways;
    if (context_.services.gateways != nullptr)
        for (const GatewayNow& now : context_.services.gateways->connected())
            if (now.web_port != 0)
                gateways.push_back(json::object{{"gateway", now.id.value},
                                                {"address", now.address},
                                                {"web_port", now.web_port}});
    call->answer(json::object{{"session", view->row.id.value},
                              {"ticket", ticket.secret},
                              {"view_only", only_looks},
                              {"expires", to_json(ticket.expires)},
                              {"gateways", std::move(gateways)}},
                 201);
}

} // namespace

void add_gateway_routes(Context& context, Admission& admission, Handlers& handlers) {
    auto routes = std::make_shared<GatewayRoutes>(context, admission);
    handlers[RouteId::gateways_list] = [routes](const CallPtr& call) { routes->list(call); };
    handlers[RouteId::gateways_show] = [routes](const CallPtr& call) { routes->show(call); };
    handlers[RouteId::gateways_invite] = [routes](const CallPtr& call) { routes->invite(call); };
    handlers[RouteId::gateways_join] = [routes](const CallPtr& call) { routes->join(call); };
    handlers[RouteId::gateways_drain] = [routes](const CallPtr& call) {
        routes->set_draining(call, true);
    };
    handlers[RouteId::gateways_undrain] = [routes](const CallPtr& call) {
        routes->set_draining(call, false);
    };
    handlers[RouteId::gateways_remove] = [routes](const CallPtr& call) { routes->remove(call); };
    handlers[RouteId::sessions_ticket] = [routes](const CallPtr& call) { routes->ticket(call); };
}

} // namespace baton::api
