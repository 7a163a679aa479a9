#pragma once

#include "api/context.h"

#include <chrono>
#include <functional>
#include <string>

/// Whether somebody is who they say, with pauses against guessing: for the API's own login, for
/// viewers at a gateway, and for hosts and gateways that join. Inside api/ only; on the executor.
namespace baton::api {

/// Password hashes under way at once, waiting ones included: each costs 64 MiB and some 50 ms.
inline constexpr unsigned most_hashing = 16;

Error too_many_logins();
Error too_many_wrong(std::chrono::nanoseconds wait);

/// In the background. An empty hash is nobody's: it costs the same, and is wrong.
void verify_password(Context& context, std::string hash, std::string password,
                     std::function<void(bool)> then);

/// `address`: where they come from. Errc::unauthenticated: name or password is wrong, or the login
/// is disabled; busy: not looked at, for `wait` more (0: too many logins side by side).
void check_login(
    Context& context, const UserName& name, std::string password, const std::string& address,
    std::function<void(const Result<void>& right, std::chrono::nanoseconds wait)> then);

/// Whether `secret` invites a host or a gateway (by `kind`) of that name. If not, the call has been
/// answered.
bool has_invitation(Context& context, const CallPtr& call, store::TokenRow::Kind kind,
                    const std::string& secret, const std::string& name);

} // namespace baton::api
