#include "api/admission.h"

#include "api/guests.h"
#include "api/login.h"
#include "api/opening.h"
#include "api/passwords.h"

#include <fmt/format.h>

#include <algorithm>

namespace baton::api {

namespace {

/// Of tickets that nobody has used; the one that ends first makes room.
constexpr std::size_t most_tickets = 65'536;

Error wrong_ticket() {
    return Error{Errc::unauthenticated, "the ticket is not known here, has been used or is too old",
                 "ask for a new one", 0};
}

} // namespace

std::string Admission::keep(const SessionId& session, bool view_only, std::chrono::seconds life) {
    forget_old();
    std::string secret = random_token();
    tickets_[sha256_hex(secret)] = {session, view_only, context_.services.clock.monotonic() + life};
    return secret;
}

void Admission::forget_old() {
    const Time now = context_.services.clock.monotonic();
    std::erase_if(tickets_, [&](const auto& entry) { return entry.second.until <= now; });
    while (tickets_.size() >= most_tickets)
        tickets_.erase(std::ranges::min_element(
            tickets_, {}, [](const auto& entry) { return entry.second.until; }));
}

Admission::Ticket Admission::issue(const SessionId& session, bool view_only) {
    const auto life = context_.settings.ticket_life;
    return {keep(session, view_only, life), context_.services.clock.wall() + life};
}

/// The viewer's next way in lasts as long as a login does: it is good for this one session alone,
/// and ends with it.
Admitted Admission::admitted(handoff::SessionView session, bool view_only) {
    std::string resume = keep(session.row.id, view_only, context_.settings.login_life);
    if (!view_only)
        context_.person_came(session.row.id);
    return {std::move(session), view_only, std::move(resume)};
}

void Admission::login(const UserName& user, std::string password, const std::string& client,
                      handoff::Done<Admitted> done) {
    if (const auto pc = guest_pc(context_, user))
        return login_guest(*pc, password, client, done);
    const auto open = [this, user, done = std::move(done)](const Result<void>& right,
                                                           std::chrono::nanoseconds) {
        if (!right)
            return done(tl::unexpected(right.error()));
        handoff::OpenRequest request;
        request.user = user;
        request.route = RouteKind::gateway;
        if (const auto mine = session_of(context_, user)) {
            request.image = mine->row.image;
        } else {
            auto image = choose_image(context_, std::nullopt);
            if (!image)
                return done(tl::unexpected(image.error()));
            request.image = *image;
        }
        context_.services.engine.open(request,
                                      [this, done](const Result<handoff::SessionView>& opened) {
                                          if (!opened)
                                              return done(tl::unexpected(opened.error()));
                                          done(admitted(*opened, false));
                                      });
    };
    check_login(context_, user, std::move(password), client, open);
}

void Admission::login_guest(const store::ClientRow& pc, const std::string& secret,
                            const std::string& client, const handoff::Done<Admitted>& done) {
    const auto now = context_.services.clock.monotonic();
    const std::string key = "client " + client;
    if (const auto wait = context_.by_address.wait(key, now); wait.count() > 0)
        return done(tl::unexpected(too_many_wrong(wait)));
    if (!context_.client_orders.knows(pc.mac, client, secret)) {
        context_.by_address.failed(key, now);
        return done(fail(Errc::unauthenticated, "only the PC itself opens its guests' sessions",
                         "start it again, so that it says that it is up"));
    }
    const auto image = choose_image(context_, pc);
    if (!image)
        return done(tl::unexpected(image.error()));
    handoff::OpenRequest request;
    request.user = guest_name(pc.mac);
    request.image = *image;
    request.route = RouteKind::gateway;
    request.without_desk = true;
    context_.services.engine.open(
        request, [this, done](const Result<handoff::SessionView>& opened) {
            if (!opened)
                return done(tl::unexpected(opened.error()));
            // an operator may have opened one for that user, with a desk: it is not the PC's to see
            if (!opened->row.desk.empty())
                return done(fail(Errc::conflict, "the guest has a session with a desk",
                                 "close it: baton session close " + opened->row.user.value));
            done(admitted(*opened, false));
        });
}

void Admission::redeem(const std::string& ticket, const std::string& client,
                       const handoff::Done<Admitted>& done) {
    const auto now = context_.services.clock.monotonic();
    const std::string key = "ticket " + client;
    if (const auto wait = context_.by_address.wait(key, now); wait.count() > 0)
        return done(tl::unexpected(too_many_wrong(wait)));
    forget_old();
    const auto found = tickets_.extract(sha256_hex(ticket));
    const auto view = found.empty() ? Result<handoff::SessionView>(tl::unexpected(wrong_ticket()))
                                    : context_.services.engine.session(found.mapped().session);
    if (!view || !view->desktop || view->row.phase == store::SessionPhase::closing) {
        context_.by_address.failed(key, now);
        return done(tl::unexpected(wrong_ticket()));
    }
    done(admitted(*view, found.mapped().view_only));
}

} // namespace baton::api
