#include "api/context.h"
#include "api/json_out.h"
#include "api/login.h"

#include <boost/json/array.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace json = boost::json;

namespace baton::api {

namespace {

net::Response wait_response(const Error& error, std::chrono::nanoseconds wait) {
    net::Response response = net::error_response(error);
    response.status = 429;
    response.headers["Retry-After"] =
        std::to_string(std::chrono::ceil<std::chrono::seconds>(wait).count());
    return response;
}

class AccountRoutes {
  public:
    explicit AccountRoutes(Context& context) : context_(context) {}

    void login(const CallPtr& call);
    void logout(const CallPtr& call);
    void whoami(const CallPtr& call);
    void list(const CallPtr& call);
    void add(const CallPtr& call);
    void show(const CallPtr& call);
    void password(const CallPtr& call);
    void set_disabled(const CallPtr& call, bool disabled);

  private:
    void hash(const CallPtr& call, std::string password, std::function<void(std::string)> then);
    void set_own(const CallPtr& call, const UserName& name, const std::string& fresh,
                 const std::optional<std::string>& old);
    void finish_login(const CallPtr& call, const UserName& name);

    Context& context_;
};

void AccountRoutes::hash(const CallPtr& call, std::string password,
                         std::function<void(std::string)> then) {
    ++context_.hashing;
    Hasher& hasher = context_.services.hasher;
    context_.in_background<std::string>(
        [&hasher, password = std::move(password)] { return hasher.hash(password); },
        [this, call, then = std::move(then)](Result<std::string> hash) {
            --context_.hashing;
            if (hash)
                then(std::move(*hash));
            else
                call->answer(hash.error());
        });
}

void AccountRoutes::login(const CallPtr& call) {
    auto fields = Fields::parse(call->request.body);
    if (!fields)
        return call->answer(fields.error());
    const UserName name(fields->text("name", 63));
    std::string password = fields->text("password", longest_password);
    if (auto fine = fields->error(); !fine)
        return call->answer(fine.error());

    check_login(context_, name, std::move(password), call->request.peer.address,
                [this, call, name](const Result<void>& right, std::chrono::nanoseconds wait) {
                    if (right)
                        return finish_login(call, name);
                    // too many side by side: a room of people who sit down at one moment
                    if (wait.count() > 0 || right.error().code == Errc::busy)
                        return call->answer(wait_response(
                            right.error(),
                            std::max<std::chrono::nanoseconds>(wait, std::chrono::seconds(1))));
                    call->answer(right.error());
                });
}

void AccountRoutes::finish_login(const CallPtr& call, const UserName& name) {
    const store::UserRow* user = context_.accounts.find(name);
    auto token = context_.accounts.issue(name, context_.settings.login_life);
    if (!token)
        return call->answer(token.error());
    call->answer(json::object{
        {"token", *token},
        {"user", name.value},
        {"role", to_string(user->role)},
        {"expires", to_json(context_.services.clock.wall() + context_.settings.login_life)}});
}

void AccountRoutes::logout(const CallPtr& call) {
    if (auto done = context_.accounts.revoke(call->caller.token_sha256); !done)
        return call->answer(done.error());
    call->answer(json::object{{"logged_out", true}});
}

void AccountRoutes::whoami(const CallPtr& call) {
    auto row = context_.accounts.get(call->caller.user);
    if (!row)
        return call->answer(row.error());
    call->answer(to_json(*row));
}

void AccountRoutes::list(const CallPtr& call) {
    json::array all;
    for (const auto& [name, row] : context_.accounts.users())
        all.push_back(to_json(row));
    call->answer(json::object{{"users", std::move(all)}});
}

void AccountRoutes::add(const CallPtr& call) {
    auto fields = Fields::parse(call->request.body);
    if (!fields)
        return call->answer(fields.error());
    store::UserRow row;
    row.name = UserName(fields->text("name", 63));
    const auto password = fields->optional_text("password", 4096);
    const auto role = fields->optional_text("role", 16);
    if (auto fine = fields->error(); !fine)
        return call->answer(fine.error());
    if (auto fine = check_name("user name", row.name.value); !fine)
        return call->answer(fine.error());
    auto wanted = role_from_string(role.value_or("user"));
    if (!wanted)
        return call->answer(wanted.error());
    row.role = *wanted;
    const auto finish = [this, call, row](std::string hash) {
        store::UserRow full = row;
        full.password_hash = std::move(hash);
        auto added = context_.accounts.add(std::move(full), call->caller.user.value);
        if (!added)
            return call->answer(added.error());
        context_.events_grew();
        call->answer(to_json(*added), 201);
    };
    if (context_.accounts.find(row.name) || !password) // a name that is there needs no hash
        return finish({});
    if (auto fine = check_password(*password); !fine)
        return call->answer(fine.error());
    if (context_.hashing >= most_hashing)
        return call->answer(too_many_logins());
    hash(call, *password, finish);
}

void AccountRoutes::show(const CallPtr& call) {
    const UserName name(call->parameters[0]);
    if (!call->over_others() && name != call->caller.user)
        return call->answer(Error{Errc::forbidden, "you may only see yourself", "", 0});
    auto row = context_.accounts.get(name);
    if (!row)
        return call->answer(row.error());
    call->answer(to_json(*row));
}

void AccountRoutes::password(const CallPtr& call) {
    const UserName name(call->parameters[0]);
    auto fields = Fields::parse(call->request.body);
    if (!fields)
        return call->answer(fields.error());
    const std::string fresh = fields->text("password", 4096);
    const auto old = fields->optional_text("old_password", 4096);
    if (auto fine = fields->error(); !fine)
        return call->answer(fine.error());
    if (!call->is_admin() && name != call->caller.user)
        return call->answer(
            Error{Errc::forbidden, "only an admin sets the password of somebody else", "", 0});
    if (auto row = context_.accounts.get(name); !row)
        return call->answer(row.error());
    if (auto fine = check_password(fresh); !fine)
        return call->answer(fine.error());
    if (context_.hashing >= most_hashing)
        return call->answer(too_many_logins());
    set_own(call, name, fresh, old);
}

void AccountRoutes::set_own(const CallPtr& call, const UserName& name, const std::string& fresh,
                            const std::optional<std::string>& old) {
    const auto change = [this, call, name](std::string hash) {
        auto row = context_.accounts.set_password(name, std::move(hash), call->caller.user.value);
        if (!row)
            return call->answer(row.error());
        context_.events_grew();
        call->answer(to_json(*row));
    };
    if (call->is_admin())
        return hash(call, fresh, change);
    // a stolen token must not be enough to keep its owner out
    const auto now = context_.services.clock.monotonic();
    if (const auto wait = context_.by_name.wait(name.value, now); wait.count() > 0)
        return call->answer(wait_response(too_many_wrong(wait), wait));
    if (!old)
        return call->answer(Error{Errc::invalid_argument, "the field 'old_password' is missing",
                                  "give the present password too", 0});
    context_.by_name.failed(name.value, now);
    verify_password(context_, context_.accounts.get(name)->password_hash, *old,
                    [this, call, name, fresh, change](bool right) {
                        if (!right)
                            return call->answer(Error{Errc::unauthenticated,
                                                      "the present password is wrong", "", 0});
                        context_.by_name.succeeded(name.value);
                        hash(call, fresh, change);
                    });
}

void AccountRoutes::set_disabled(const CallPtr& call, bool disabled) {
    auto fields = Fields::parse(call->request.body);
    if (!fields)
        return call->answer(fields.error());
    if (auto fine = fields->error(); !fine)
        return call->answer(fine.error());
    const UserName name(call->parameters[0]);
    auto row = context_.accounts.set_disabled(name, disabled, call->caller.user.value);
    if (!row)
        return call->answer(row.error());
    context_.events_grew();
    if (disabled)
        for (const handoff::SessionView& view : context_.services.engine.sessions())
            if (view.row.user == name)
                context_.services.engine.close(view.row.id, [](const Result<void>&) {});
    call->answer(to_json(*row));
}

} // namespace

void add_account_routes(Context& context, Handlers& handlers) {
    auto routes = std::make_shared<AccountRoutes>(context);
    handlers[RouteId::login] = [routes](const CallPtr& call) { routes->login(call); };
    handlers[RouteId::logout] = [routes](const CallPtr& call) { routes->logout(call); };
    handlers[RouteId::whoami] = [routes](const CallPtr& call) { routes->whoami(call); };
    handlers[RouteId::users_list] = [routes](const CallPtr& call) { routes->list(call); };
    handlers[RouteId::users_add] = [routes](const CallPtr& call) { routes->add(call); };
    handlers[RouteId::users_show] = [routes](const CallPtr& call) { routes->show(call); };
    handlers[RouteId::users_password] = [routes](const CallPtr& call) { routes->password(call); };
    handlers[RouteId::users_disable] = [routes](const CallPtr& call) {
        routes->set_disabled(call, true);
    };
    handlers[RouteId::users_enable] = [routes](const CallPtr& call) {
        routes->set_disabled(call, false);
    };
}

} // namespace baton::api
