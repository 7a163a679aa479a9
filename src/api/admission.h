#pragma once

#include "api/api.h"
#include "api/context.h"

#include <chrono>
#include <map>
#include <string>

namespace baton::api {

/// Lets people at gateways in: by name and password, or by a ticket. Tickets are random, kept as
/// digests, in memory (a controller that is started again has none), and each is good once.
///
/// Thread rules: the executor.
class Admission {
  public:
    explicit Admission(Context& context) : context_(context) {}

    struct Ticket {
        std::string secret;
        WallTime expires{};
    };

    /// For the session's browser, or for somebody who looks on.
    Ticket issue(const SessionId& session, bool view_only);

    void login(const UserName& user, std::string password, const std::string& client,
               handoff::Done<Admitted> done);
    void redeem(const std::string& ticket, const std::string& client,
                const handoff::Done<Admitted>& done);

  private:
    using Time = std::chrono::nanoseconds;

    struct Kept {
        SessionId session;
        bool view_only = false;
        Time until{};
    };

    std::string keep(const SessionId& session, bool view_only, std::chrono::seconds life);
    void forget_old();
    Admitted admitted(handoff::SessionView session, bool view_only);
    /// `secret`: the token of the PC, which it was given at its address.
    void login_guest(const store::ClientRow& pc, const std::string& secret,
                     const std::string& client, const handoff::Done<Admitted>& done);

    Context& context_;
    std::map<std::string, Kept> tickets_; ///< by digest
};

void add_gateway_routes(Context& context, Admission& admission, Handlers& handlers);

} // namespace baton::api
