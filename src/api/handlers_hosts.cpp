#include "api/context.h"
#include "api/json_out.h"
#include "api/latest.h"
#include "api/login.h"

#include <boost/json/array.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace json = boost::json;

namespace baton::api {

namespace {

constexpr auto host_invitation = store::TokenRow::Kind::host_invite;

class HostRoutes {
  public:
    explicit HostRoutes(Context& context) : context_(context) {}

    void status(const CallPtr& call);
    void list(const CallPtr& call);
    void invite(const CallPtr& call);
    void join(const CallPtr& call);
    void show(const CallPtr& call);
    void drain(const CallPtr& call);
    void undrain(const CallPtr& call);
    void remove(const CallPtr& call);

  private:
    struct Join {
        std::string secret;
        HostId host;
        std::string csr_pem;
        std::string address;
        Mebibytes memory;
    };

    Result<Join> read_join(const CallPtr& call);
    void enrol(const CallPtr& call, const Join& join, const HostCertificate& certificate);
    [[nodiscard]] std::vector<handoff::HostView> all() const;
    [[nodiscard]] json::object shown(const handoff::HostView& host) const;
    Result<handoff::HostView> find(const HostId& id) const;
    Result<json::value> now(const HostId& id) const;
    Result<void> no_fields(const CallPtr& call);

    Context& context_;
};

std::vector<handoff::HostView> HostRoutes::all() const {
    std::vector<handoff::HostView> hosts = context_.services.engine.hosts();
    for (const store::TokenRow& invitation : context_.accounts.invitations(host_invitation)) {
        const auto same = [&](const auto& host) { return host.row.id.value == invitation.subject; };
        if (std::ranges::any_of(hosts, same))
            continue;
        handoff::HostView host;
        host.row.id = HostId(invitation.subject);
        hosts.push_back(std::move(host));
    }
    std::ranges::sort(hosts, {}, [](const auto& host) { return host.row.id; });
    return hosts;
}

/// With what the host itself says beside the engine's view.
json::object HostRoutes::shown(const handoff::HostView& host) const {
    json::object object = to_json(host);
    object["cpu_shares"] = nullptr;
    const Latest* latest = context_.services.latest;
    if (latest == nullptr || !host.connected)
        return object;
    if (const auto told = latest->cpu_shares(host.row.id))
        object["cpu_shares"] = json::object{
            {"state", to_string(told->state)},
            {"why", told->why.empty() ? json::value(nullptr) : json::value(told->why)}};
    return object;
}

Result<handoff::HostView> HostRoutes::find(const HostId& id) const {
    for (handoff::HostView& host : all())
        if (host.row.id == id)
            return std::move(host);
    return fail(Errc::not_found, fmt::format("there is no host '{}'", id.value.substr(0, 64)),
                "see them with: baton host list");
}

Result<json::value> HostRoutes::now(const HostId& id) const {
    return find(id).map([&](const handoff::HostView& host) { return json::value(shown(host)); });
}

Result<void> HostRoutes::no_fields(const CallPtr& call) {
    auto fields = Fields::parse(call->request.body);
    if (!fields)
        return tl::unexpected(fields.error());
    return fields->error();
}

void HostRoutes::status(const CallPtr& call) {
    std::size_t serving = 0;
    std::size_t waiting = 0;
    std::size_t moving = 0;
    const auto sessions = context_.services.engine.sessions();
    for (const handoff::SessionView& view : sessions) {
        serving += view.row.phase == store::SessionPhase::serving ? 1 : 0;
        waiting += view.row.phase == store::SessionPhase::waiting ||
                           view.row.phase == store::SessionPhase::opening
                       ? 1
                       : 0;
        moving += view.row.phase == store::SessionPhase::handing_off ? 1 : 0;
    }
    json::array hosts;
    for (const handoff::HostView& host : all())
        hosts.push_back(shown(host));
    call->answer(json::object{{"version", context_.settings.version},
                              {"time", to_json(context_.services.clock.wall())},
                              {"free_mib", context_.services.engine.free_memory().count},
                              {"sessions", json::object{{"open", sessions.size()},
                                                        {"serving", serving},
                                                        {"waiting", waiting},
                                                        {"handing_off", moving}}},
                              {"samples", samples_state(context_.services.kept)},
                              {"hosts", std::move(hosts)}});
}

void HostRoutes::list(const CallPtr& call) {
    json::array hosts;
    for (const handoff::HostView& host : all())
        hosts.push_back(shown(host));
    call->answer(json::object{{"hosts", std::move(hosts)}});
}

void HostRoutes::invite(const CallPtr& call) {
    auto fields = Fields::parse(call->request.body);
    if (!fields)
        return call->answer(fields.error());
    const HostId name(fields->text("name", 63));
    if (auto fine = fields->error(); !fine)
        return call->answer(fine.error());
    if (auto fine = check_name("host name", name.value); !fine)
        return call->answer(fine.error());
    const auto hosts = context_.services.engine.hosts();
    const auto known =
        std::ranges::find_if(hosts, [&](const auto& host) { return host.row.id == name; });
    // a host that was set up anew may be invited again, but never while its old self is at work
    if (known != hosts.end() && known->connected)
        return call->answer(
            Error{Errc::already_exists,
                  fmt::format("a host '{}' has joined and is connected", name.value),
                  "choose another name, or remove that host first", 0});
    auto secret = context_.accounts.invite(
        host_invitation, name.value, context_.settings.invitation_life, call->caller.user.value);
    if (!secret)
        return call->answer(secret.error());
    context_.events_grew();
    call->answer(json::object{{"host", name.value},
                              {"token", context_.services.authority.join_token(*secret)},
                              {"expires", to_json(context_.services.clock.wall() +
                                                  context_.settings.invitation_life)}},
                 201);
}

Result<HostRoutes::Join> HostRoutes::read_join(const CallPtr& call) {
    auto fields = Fields::parse(call->request.body);
    if (!fields)
        return tl::unexpected(fields.error());
    Join join;
    join.secret = fields->text("token_secret", 256);
    join.host = HostId(fields->text("name", 63));
    join.csr_pem = fields->text("csr_pem", 8192);
    join.address = fields->text("address", 15);
    join.memory = Mebibytes(fields->number("memory_mib", 1, std::int64_t{1} << 30));
    BATON_TRY(fields->error());
    BATON_TRY(check_name("host name", join.host.value));
    BATON_TRY(check_ipv4("the host's address", join.address));
    return join;
}

void HostRoutes::join(const CallPtr& call) {
    auto join = read_join(call);
    if (!join)
        return call->answer(join.error());
    if (!has_invitation(context_, call, host_invitation, join->secret, join->host.value))
        return;
    auto certificate = context_.services.authority.sign_host(join->host, join->csr_pem);
    if (!certificate)
        return call->answer(certificate.error());
    enrol(call, *join, *certificate);
}

void HostRoutes::enrol(const CallPtr& call, const Join& join, const HostCertificate& certificate) {
    store::HostRow row;
    row.id = join.host;
    row.address = join.address;
    row.memory = join.memory;
    row.reserve = context_.settings.reserve(join.memory);
    if (row.reserve >= row.memory)
        return call->answer(Error{Errc::refused,
                                  fmt::format("the host has {}, and {} of it are kept for itself",
                                              to_string(row.memory), to_string(row.reserve)),
                                  "give it more memory, or set host_reserve in batond.toml", 0});
    row.joined = true;
    row.certificate_sha256 = certificate.sha256;
    if (auto done = context_.services.engine.add_host(row); !done)
        return call->answer(done.error());
    context_.services.host_changed(row.id);
    if (auto used = context_.accounts.use_invitation(join.secret); !used)
        return call->answer(used.error());
    (void)context_.tell(
        "host.joined", row.id.value,
        fmt::format("{} joined with {} at {}", row.id.value, to_string(row.memory), row.address));
    call->answer(json::object{{"host", row.id.value},
                              {"certificate_pem", certificate.certificate_pem},
                              {"authority_pem", certificate.authority_pem}});
}

void HostRoutes::show(const CallPtr& call) {
    call->answer(now(HostId(call->parameters[0])));
}

void HostRoutes::drain(const CallPtr& call) {
    if (auto fine = no_fields(call); !fine)
        return call->answer(fine.error());
    const HostId id(call->parameters[0]);
    if (auto host = find(id); !host || !host->row.joined)
        return call->answer(host ? Error{Errc::not_found,
                                         fmt::format("the host '{}' has not joined yet", id.value),
                                         "", 0}
                                 : host.error());
    const auto wait = wait_of(call->request);
    if (!wait)
        return call->answer(wait.error());
    (void)context_.tell(
        "host.draining", id.value,
        fmt::format("{} is emptied, asked by {}", id.value, call->caller.user.value));
    context_.services.engine.drain(id, answer_within<void>(
                                           context_, call, *wait,
                                           [this, id](const Result<void>&) { return now(id); },
                                           [this, id] { return now(id); }));
}

void HostRoutes::undrain(const CallPtr& call) {
    if (auto fine = no_fields(call); !fine)
        return call->answer(fine.error());
    const HostId id(call->parameters[0]);
    if (auto host = find(id); !host)
        return call->answer(host.error());
    if (auto done = context_.services.engine.undrain(id); !done)
        return call->answer(done.error());
    call->answer(now(id));
}

void HostRoutes::remove(const CallPtr& call) {
    const HostId id(call->parameters[0]);
    auto host = find(id);
    if (!host)
        return call->answer(host.error());
    if (host->row.joined) {
        if (auto done = context_.services.engine.remove_host(id); !done)
            return call->answer(done.error());
        context_.services.host_changed(id);
    }
    if (auto done = context_.accounts.withdraw_invitation(host_invitation, id.value); !done)
        return call->answer(done.error());
    (void)context_.tell("host.removed", id.value,
                        fmt::format("{} was removed by {}", id.value, call->caller.user.value));
    call->answer(json::object{{"removed", id.value}});
}

} // namespace

void add_host_routes(Context& context, Handlers& handlers) {
    auto routes = std::make_shared<HostRoutes>(context);
    handlers[RouteId::status] = [routes](const CallPtr& call) { routes->status(call); };
    handlers[RouteId::hosts_list] = [routes](const CallPtr& call) { routes->list(call); };
    handlers[RouteId::hosts_invite] = [routes](const CallPtr& call) { routes->invite(call); };
    handlers[RouteId::hosts_join] = [routes](const CallPtr& call) { routes->join(call); };
    handlers[RouteId::hosts_show] = [routes](const CallPtr& call) { routes->show(call); };
    handlers[RouteId::hosts_drain] = [routes](const CallPtr& call) { routes->drain(call); };
    handlers[RouteId::hosts_undrain] = [routes](const CallPtr& call) { routes->undrain(call); };
    handlers[RouteId::hosts_remove] = [routes](const CallPtr& call) { routes->remove(call); };
}

} // namespace baton::api
