#include "api/api.h"

#include "api/admission.h"
#include "api/context.h"
#include "api/prestart.h"
#include "api/session_keeper.h"

#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <exception>

namespace baton::api {

void Call::answer(const boost::json::value& value, int status) {
    net::Response response;
    response.status = status;
    response.body = boost::json::serialize(value);
    response.body += '\n';
    answer(std::move(response));
}

Mebibytes Settings::default_reserve(Mebibytes memory) {
    return std::max(1_GiB, Mebibytes(memory.count / 10));
}

namespace {

// an address may stand for a whole room of people behind one router: it gets more tries
constexpr Throttle::Limits address_limits{.free_tries = 20,
                                          .first_pause = std::chrono::seconds(1),
                                          .longest_pause = std::chrono::minutes(5)};

} // namespace

Context::Context(const Services& given, Settings wanted)
    : services(given),
      settings(std::move(wanted)),
      accounts(given.store, given.clock),
      by_name(Throttle::Limits{}),
      by_address(address_limits) {}

Result<void> Context::tell(std::string kind, const std::string& subject, std::string text) {
    store::Change change;
    store::EventRow row;
    row.at = services.clock.wall();
    row.kind = std::move(kind);
    row.subject = subject;
    row.text = std::move(text);
    row.data_json = "{}";
    change.events.push_back(std::move(row));
    BATON_TRY(services.store.commit(change));
    events_grew();
    return {};
}

handoff::Clock::TimerId answer_meanwhile(Context& context, const CallPtr& call,
                                         std::chrono::seconds wait,
                                         std::function<Result<boost::json::value>()> meanwhile) {
    handoff::Clock& clock = context.services.clock;
    auto say = [call, meanwhile = std::move(meanwhile)] {
        if (!call->answered())
            call->answer(meanwhile(), 202);
    };
    if (wait.count() > 0)
        return clock.after(wait, std::move(say));
    clock.post([&clock, say = std::move(say)]() mutable { clock.post(std::move(say)); });
    return 0;
}

Result<std::chrono::seconds> wait_of(const net::Request& request) {
    return query_number(request.query, "wait", 0, 0, longest_wait).map([](std::int64_t count) {
        return std::chrono::seconds(count);
    });
}

struct Api::Impl {
    Context context;
    Admission admission{context};
    SessionKeeper keeper{context};
    Prestarter prestarter{context, keeper};
    Handlers handlers;

    Impl(const Services& services, Settings settings) : context(services, std::move(settings)) {}

    void dispatch(const CallPtr& call);
    Result<Caller> identify(const net::Request& request);
};

Api::Api(const Services& services, Settings settings)
    : impl_(std::make_unique<Impl>(services, std::move(settings))) {
    add_account_routes(impl_->context, impl_->handlers);
    add_session_routes(impl_->context, impl_->handlers);
    add_host_routes(impl_->context, impl_->handlers);
    add_gateway_routes(impl_->context, impl_->admission, impl_->handlers);
    add_client_routes(impl_->context, impl_->prestarter, impl_->handlers);
    add_client_order_routes(impl_->context, impl_->handlers);
    add_client_phase_routes(impl_->context, impl_->handlers);
    add_desk_routes(impl_->context, impl_->handlers);
    add_image_routes(impl_->context, impl_->handlers);
    add_event_routes(impl_->context, impl_->handlers);
    add_reading_routes(impl_->context, impl_->handlers);
    add_history_routes(impl_->context, impl_->handlers);
}

Api::~Api() = default;

Result<void> Api::load() {
    BATON_TRY(impl_->context.accounts.load());
    return impl_->keeper.begin();
}

Result<std::string> Api::local_admin_token(const std::string& present) {
    Accounts& accounts = impl_->context.accounts;
    if (const auto caller = accounts.caller(present); caller && caller->asker == Asker::admin)
        return std::string{};
    const UserName admin("admin");
    if (const store::UserRow* row = accounts.find(admin)) {
        if (row->disabled || row->role != Role::admin)
            return fail(Errc::refused, "the user 'admin' is disabled, so it gets no token file",
                        "use the token or the password of another admin");
        BATON_TRY(accounts.revoke_lasting(admin));
    } else {
        store::UserRow fresh;
        fresh.name = admin;
        fresh.role = Role::admin;
        if (auto added = accounts.add(fresh, "the first start"); !added)
            return tl::unexpected(added.error());
    }
    return accounts.issue(admin, std::chrono::seconds(0));
}

std::size_t Api::body_limit(std::string_view method, std::string_view path) {
    const Match found = match(method, path);
    return found.route ? found.route->body_limit : 0;
}

void Api::events_grew() {
    impl_->context.events_grew();
}

void Api::admit(const UserName& user, std::string password, const std::string& client,
                handoff::Done<Admitted> done) {
    impl_->admission.login(user, std::move(password), client, std::move(done));
}

void Api::admit(const std::string& ticket, const std::string& client,
                const handoff::Done<Admitted>& done) {
    impl_->admission.redeem(ticket, client, done);
}

Result<bool> Api::admit_gateway(const GatewayId& gateway, const std::string& certificate_sha256) {
    auto rows = impl_->context.services.store.gateways();
    if (!rows)
        return tl::unexpected(rows.error());
    for (const store::GatewayRow& row : *rows)
        if (row.id == gateway && row.certificate_sha256 == certificate_sha256)
            return row.draining;
    return fail(Errc::forbidden,
                "'" + gateway.value + "' is not a gateway of this site with that certificate",
                "let it join (again): baton gateway invite NAME");
}

Result<HostId> Api::host_of_certificate(const std::string& sha256) {
    if (sha256.empty())
        return HostId{};
    auto hosts = impl_->context.services.store.hosts();
    if (!hosts)
        return tl::unexpected(hosts.error());
    for (const store::HostRow& row : *hosts)
        if (row.joined && row.certificate_sha256 == sha256)
            return row.id;
    return HostId{};
}

Result<Caller> Api::Impl::identify(const net::Request& request) {
    const auto header = request.headers.find("authorization");
    if (header != request.headers.end()) {
        constexpr std::string_view scheme = "Bearer ";
        if (!header->second.starts_with(scheme))
            return fail(Errc::unauthenticated, "the Authorization header is not 'Bearer TOKEN'");
        return context.accounts.caller(header->second.substr(scheme.size()));
    }
    Caller caller;
    if (request.peer.certificate_sha256.empty())
        return caller;
    auto hosts = context.services.store.hosts();
    if (!hosts)
        return tl::unexpected(hosts.error());
    for (const store::HostRow& row : *hosts) {
        if (!row.joined || row.certificate_sha256 != request.peer.certificate_sha256)
            continue;
        caller.asker = Asker::host;
        caller.host = row.id;
    }
    return caller;
}

void Api::Impl::dispatch(const CallPtr& call) {
    Match found = match(call->request.method, call->request.path);
    if (!found.route) {
        if (found.allowed_methods.empty()) {
            call->answer(Error{Errc::not_found, "there is no such path in this API",
                               "docs/api.md lists every path", 0});
            return;
        }
        net::Response response =
            net::error_response(Error{Errc::invalid_argument, "this path does not take that method",
                                      "it takes: " + found.allowed_methods, 0});
        response.status = 405;
        response.headers["Allow"] = found.allowed_methods;
        call->answer(std::move(response));
        return;
    }
    call->route = found.route;
    call->parameters = std::move(found.parameters);
    if (found.route->access != Access::open) {
        auto caller = identify(call->request);
        if (!caller)
            return call->answer(caller.error());
        call->caller = std::move(*caller);
        if (call->caller.asker == Asker::nobody)
            return call->answer(Error{Errc::unauthenticated, "this call needs a token",
                                      "log in: baton login, or give a token file", 0});
        if (!may(call->caller.asker, found.route->access))
            return call->answer(Error{Errc::forbidden, "your role may not do this",
                                      "operators and admins may do more; ask one of them", 0});
    }
    if (call->request.body.size() > found.route->body_limit) {
        net::Response response = net::error_response(Error{
            Errc::invalid_argument,
            found.route->body_limit == 0 ? std::string("this request takes no body")
                                         : fmt::format("the request's body is larger than {} bytes",
                                                       found.route->body_limit),
            "", 0});
        response.status = 413;
        return call->answer(std::move(response));
    }
    handlers.at(found.route->id)(call);
}

void Api::handle(net::Request request, net::Respond respond) {
    auto call = std::make_shared<Call>(std::move(request), std::move(respond));
    impl_->context.services.clock.post([this, call] {
        try {
            impl_->dispatch(call);
        } catch (const std::exception& error) {
            impl_->context.services.log(fmt::format("{} {}: a fault of ours: {}",
                                                    call->request.method, call->request.path,
                                                    error.what()));
            call->answer(Error{Errc::internal, "this is a fault of Baton's own",
                               "the controller's log says more", 0});
        }
    });
}

} // namespace baton::api
