#include "handoff/doors.h"

#include "handoff/mover.h"
#include "handoff/outcomes.h"
#include "handoff/planner.h"
#include "handoff/reconciler.h"
#include "store/names.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <arpa/inet.h>
#include <set>

namespace baton::handoff {

using store::Change;
using store::MoveKind;
using store::MoveRow;
using store::SessionPhase;
using store::SessionRow;

namespace {} // namespace

SessionView Doors::view(const SessionRow& row) const {
    SessionView view;
    view.row = row;
    if (const auto* desktop = core_.state.desktop(row.desktop))
        view.desktop = *desktop;
    if (const auto* move = core_.state.move_of(row.id))
        view.move = *move;
    return view;
}

void Doors::answer(Done<SessionView> done, Result<SessionView> result) {
    core_.post([done = std::move(done), result = std::move(result)] { done(result); });
}

std::optional<std::chrono::nanoseconds> Doors::asked_at(const SessionId& session) const {
    const auto found = asked_.find(session);
    return found == asked_.end() ? std::nullopt : std::optional(found->second);
}

// ---- open ----------------------------------------------------------------------

void Doors::open(const OpenRequest& request, Done<SessionView> done) {
    in_addr address{};
    if (!request.client.empty() && inet_pton(AF_INET, request.client.c_str(), &address) != 1)
        return answer(std::move(done),
                      fail(Errc::invalid_argument,
                           fmt::format("'{}' is no IPv4 address of a client", request.client),
                           "leave it out if no route is wanted"));
    if (request.route == RouteKind::gateway && !request.client.empty())
        return answer(std::move(done),
                      fail(Errc::invalid_argument,
                           "a client's address belongs to the route nat, not to a gateway",
                           "leave the client out, or choose the route nat"));
    const auto user = core_.store.user(request.user);
    if (!user)
        return answer(std::move(done), tl::unexpected(user.error()));
    if (!*user)
        return answer(std::move(done),
                      fail(Errc::not_found,
                           fmt::format("no user is called '{}'", request.user.value),
                           "see them with: baton user list"));
    if ((*user)->disabled)
        return answer(
            std::move(done),
            fail(Errc::forbidden, fmt::format("the user '{}' is disabled", request.user.value)));
    const auto* own = core_.state.session_of(request.user);
    if (own != nullptr)
        return open_again(*own, request, std::move(done));
    open_new(request, std::move(done));
}

/// The person who asks twice gets their own session back, at the client they are at now.
void Doors::open_again(const SessionRow& found, const OpenRequest& request,
                       Done<SessionView> done) {
    const SessionRow row = found; // NOLINT(performance-*): the found one changes meanwhile
    if (row.phase == SessionPhase::closing) {
        reopeners_[row.id].push_back({request, std::move(done)});
        return;
    }
    // A desktop's screen is either a port or a local socket, from its start on.
    if (row.route != request.route)
        return answer(
            std::move(done),
            fail(Errc::conflict,
                 fmt::format("{} has a session already, by the route {}", row.user.value,
                             store::to_string(row.route)),
                 fmt::format("open it by that route, or close it first: baton session close {}",
                             row.user.value)));
    auto changed = row;
    if (!request.client.empty() && request.client != row.client) {
        const auto port = listen_port_for(request.client);
        if (!port)
            return answer(std::move(done), tl::unexpected(port.error()));
        changed.client = request.client;
        changed.listen_port = *port;
    }
    const auto now = core_.clock.wall();
    if (changed.screen_password_until < now + password_must_last) {
        changed.screen_password = core_.new_password();
        changed.screen_password_until = now + core_.settings.screen_password_life;
    }
    if (changed != row) {
        Change change;
        change.sessions.push_back(changed);
        if (auto written = core_.state.commit(change); !written)
            return answer(std::move(done), tl::unexpected(written.error()));
    }
    if (row.phase == SessionPhase::waiting || row.phase == SessionPhase::opening) {
        openers_[row.id].push_back(std::move(done));
        return;
    }
    refresh(row, changed, std::move(done));
}

/// New password, new route: what a served session needs at another client.
void Doors::refresh(const SessionRow& before, const SessionRow& after, Done<SessionView> done) {
    if (before == after)
        return answer(std::move(done), view(after));
    core_.mover->keep_route(
        after.id, before.screen_password != after.screen_password,
        [this, id = after.id, done = std::move(done)](const Result<void>& result) {
            const auto* row = core_.state.session(id);
            if (!result)
                return answer(done, tl::unexpected(result.error()));
            if (row == nullptr)
                return answer(done, fail(Errc::cancelled, "the session has ended"));
            answer(done, view(*row));
        });
}

namespace {

tl::unexpected<Error> is_away(const store::DeskRow& desk) {
    std::string what = fmt::format("the desk '{}' was taken away to {}", desk.name.value,
                                   desk.away_to.empty() ? "a stick" : desk.away_to);
    if (!desk.away_by.empty())
        what += " by " + desk.away_by.value;
    if (desk.away_since != WallTime{})
        what += fmt::format(" on {:%Y-%m-%d at %H:%M} UTC",
                            fmt::gmtime(WallTime::clock::to_time_t(desk.away_since)));
    return fail(Errc::busy, what,
                fmt::format("bring it back: baton desk checkin {} FILE; if that copy is lost, an "
                            "operator says: baton desk checkin {} --lost",
                            desk.name.value, desk.name.value));
}

} // namespace

Result<std::optional<store::DeskRow>> Doors::desk_for(const OpenRequest& request) {
    std::optional<store::DeskRow> desk;
    if (request.without_desk)
        return desk;
    if (!request.desk.empty()) {
        auto named = core_.store.desk(request.desk);
        if (!named)
            return tl::unexpected(named.error());
        if (!*named)
            return fail(Errc::not_found, fmt::format("no desk is called '{}'", request.desk.value),
                        "see them with: baton desk list");
        if ((*named)->owner != request.user)
            return fail(Errc::forbidden,
                        fmt::format("the desk '{}' belongs to somebody else", request.desk.value));
        desk = *named;
    } else {
        auto all = core_.store.desks();
        if (!all)
            return tl::unexpected(all.error());
        for (const auto& row : *all)
            if (row.owner == request.user && (!desk || row.name.value == request.user.value))
                desk = row;
    }
    if (!desk)
        return desk;
    if (desk->state == store::DeskState::damaged)
        return fail(Errc::corrupt, fmt::format("the desk '{}' is damaged", desk->name.value),
                    "look at it with: baton desk check " + desk->name.value);
    if (desk->state == store::DeskState::checked_out)
        return is_away(*desk);
    if (!desk->holder.empty() && core_.state.session(desk->holder) != nullptr)
        return fail(Errc::busy,
                    fmt::format("the desk '{}' is in use by session {}", desk->name.value,
                                desk->holder.value),
                    "close that session first");
    return desk;
}

Result<std::uint16_t> Doors::listen_port_for(const std::string& client) const {
    if (client.empty())
        return std::uint16_t{0};
    std::set<std::uint16_t> taken;
    for (const auto& [id, session] : core_.state.sessions())
        if (session.client == client)
            taken.insert(session.listen_port);
    for (unsigned port = core_.settings.first_listen_port; port <= core_.settings.last_listen_port;
         ++port)
        if (!taken.contains(static_cast<std::uint16_t>(port)))
            return static_cast<std::uint16_t>(port);
    return fail(Errc::full, fmt::format("no port is left for the client {}", client),
                "close a session of this client, or widen the range of ports");
}

Result<SessionRow> Doors::new_session(const OpenRequest& request) {
    const auto port = listen_port_for(request.client);
    if (!port)
        return tl::unexpected(port.error());
    SessionRow row;
    row.id = SessionId(core_.new_id("s-"));
    row.user = request.user;
    row.image = request.image;
    row.route = request.route;
    row.client = request.client;
    row.listen_port = *port;
    row.joined = core_.state.next_joined();
    row.screen_password = core_.new_password();
    row.created = core_.clock.wall();
    row.screen_password_until = row.created + core_.settings.screen_password_life;
    return row;
}

void Doors::open_new(const OpenRequest& request, Done<SessionView> done) {
    const auto desk = desk_for(request);
    if (!desk)
        return answer(std::move(done), tl::unexpected(desk.error()));
    auto made = new_session(request);
    if (!made)
        return answer(std::move(done), tl::unexpected(made.error()));
    MoveRow open;
    open.session = made->id;
    open.kind = MoveKind::open;
    open.reason = reason::open;
    open.started = made->created;
    Change claim;
    if (*desk) {
        made->desk = (*desk)->name;
        auto held = **desk;
        held.holder = made->id;
        claim.desks.push_back(held);
    }
    asked_[made->id] = core_.clock.monotonic();
    auto placing = core_.planner->has_queue() ? Result<Planner::Placing>(Planner::Placing::waits)
                                              : core_.planner->place(*made, open, claim);
    if (placing && *placing == Planner::Placing::waits) {
        auto change = claim;
        change.sessions.push_back(*made);
        change.moves.push_back(open);
        core_.tell(
            change, "session.waiting", made->id.value,
            fmt::format("{} waits for memory that is about to come free.", made->user.value));
        if (auto written = core_.state.commit(change); !written)
            placing = tl::unexpected(written.error());
    }
    if (!placing) {
        asked_.erase(made->id);
        return answer(std::move(done), tl::unexpected(placing.error()));
    }
    openers_[made->id].push_back(std::move(done));
    core_.planner->wake();
}

// ---- close and grow -------------------------------------------------------------------

void Doors::close(const SessionId& id, Done<void> done) {
    const auto* session = core_.state.session(id);
    if (session == nullptr) {
        core_.post([done = std::move(done), id] {
            done(fail(Errc::not_found, fmt::format("no session under way is called '{}'", id.value),
                      "see them with: baton session list"));
        });
        return;
    }
    closers_[id].push_back(std::move(done));
    core_.outcomes->end(id, "closed by request", std::nullopt);
}

void Doors::grow(const SessionId& id, Done<SessionView> done) {
    const auto begun = core_.planner->grow(id);
    if (!begun)
        return answer(std::move(done), tl::unexpected(begun.error()));
    growers_[id].push_back(std::move(done));
}

// ---- how it went ----------------------------------------------------------------------

void Doors::opened(const SessionId& session) {
    asked_.erase(session);
    const auto waiting = openers_.extract(session);
    if (waiting.empty())
        return;
    for (const auto& done : waiting.mapped())
        answer(done, view(*core_.state.session(session)));
}

void Doors::grown(const SessionId& session, const Result<void>& result) {
    const auto waiting = growers_.extract(session);
    if (waiting.empty())
        return;
    const auto* row = core_.state.session(session);
    for (const auto& done : waiting.mapped())
        answer(done,
               result && row != nullptr
                   ? Result<SessionView>(view(*row))
                   : tl::unexpected(result ? Error{Errc::cancelled, "the session has ended", {}, 0}
                                           : result.error()));
}

void Doors::ending(const SessionId& session, const Error& error) {
    asked_.erase(session);
    for (auto* waiters : {&openers_, &growers_}) {
        const auto waiting = waiters->extract(session);
        if (waiting.empty())
            continue;
        for (const auto& done : waiting.mapped())
            answer(done, tl::unexpected(error));
    }
}

void Doors::closed(const SessionId& session) {
    if (const auto waiting = closers_.extract(session); !waiting.empty())
        for (const auto& done : waiting.mapped())
            core_.post([done] { done({}); });
    if (const auto waiting = reopeners_.extract(session); !waiting.empty())
        for (const auto& again : waiting.mapped())
            open(again.request, again.done);
}

} // namespace baton::handoff
