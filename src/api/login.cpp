#include "api/login.h"

#include <fmt/format.h>

#include <algorithm>

namespace baton::api {

namespace {

/// Nobody's: verifying against it costs what a real one costs, so that time tells no names.
constexpr std::string_view nobody_password = "no person has this password";

Error wrong_login() {
    return Error{Errc::unauthenticated,
                 "the name or the password is wrong, or the login is disabled",
                 "an admin sets a new password with: baton user passwd NAME", 0};
}

} // namespace

Error too_many_logins() {
    return Error{Errc::busy, "too many logins at once", "try again in a moment", 0};
}

Error too_many_wrong(std::chrono::nanoseconds wait) {
    return Error{
        Errc::busy, "too many wrong passwords",
        fmt::format("try again in {} s", std::chrono::ceil<std::chrono::seconds>(wait).count()), 0};
}

void verify_password(Context& context, std::string hash, std::string password,
                     std::function<void(bool)> then) {
    ++context.hashing;
    Hasher& hasher = context.services.hasher;
    context.in_background<bool>(
        [&hasher, hash = std::move(hash), password = std::move(password)]() -> Result<bool> {
            if (!hash.empty())
                return hasher.verify(hash, password);
            (void)hasher.hash(std::string(nobody_password));
            return false;
        },
        [&context, then = std::move(then)](const Result<bool>& right) {
            --context.hashing;
            then(right && *right);
        });
}

void check_login(
    Context& context, const UserName& name, std::string password, const std::string& address,
    std::function<void(const Result<void>& right, std::chrono::nanoseconds wait)> then) {
    const auto now = context.services.clock.monotonic();
    const auto wait =
        std::max(context.by_name.wait(name.value, now), context.by_address.wait(address, now));
    if (wait.count() > 0)
        return then(tl::unexpected(too_many_wrong(wait)), wait);
    if (context.hashing >= most_hashing)
        return then(tl::unexpected(too_many_logins()), {});
    // counted as wrong until it turns out right, so that tries side by side gain nothing
    context.by_name.failed(name.value, now);
    context.by_address.failed(address, now);

    const store::UserRow* user = context.accounts.find(name);
    const bool may_login = user && !user->disabled && !user->password_hash.empty();
    verify_password(context, may_login ? user->password_hash : std::string{}, std::move(password),
                    [&context, name, address, then = std::move(then)](bool right) {
                        const store::UserRow* known = context.accounts.find(name);
                        if (!right || !known || known->disabled)
                            return then(tl::unexpected(wrong_login()), {});
                        context.by_name.succeeded(name.value);
                        // an attacker with a login of their own must not wash their address clean
                        // with it
                        context.by_address.forgive(address);
                        then({}, {});
                    });
}

bool has_invitation(Context& context, const CallPtr& call, store::TokenRow::Kind kind,
                    const std::string& secret, const std::string& name) {
    const auto now = context.services.clock.monotonic();
    const std::string key = "join " + call->request.peer.address;
    if (const auto wait = context.by_address.wait(key, now); wait.count() > 0) {
        net::Response response = net::error_response(
            Error{Errc::busy, "too many wrong invitations", "try again later", 0});
        response.status = 429;
        call->answer(std::move(response));
        return false;
    }
    const auto invited = context.accounts.invited(kind, secret);
    if (!invited) {
        context.by_address.failed(key, now);
        call->answer(invited.error());
        return false;
    }
    if (*invited == name)
        return true;
    call->answer(Error{Errc::forbidden,
                       fmt::format("the invitation is for '{}', not for '{}'", *invited, name),
                       fmt::format("join as '{}', or ask for another invitation", *invited), 0});
    return false;
}

} // namespace baton::api
