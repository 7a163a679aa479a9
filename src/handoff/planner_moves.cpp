#include "handoff/doors.h"
#include "handoff/outcomes.h"
#include "handoff/planner.h"
#include "handoff/reconciler.h"

#include <fmt/format.h>

#include <algorithm>

// Handoffs that no newcomer asked for: growing, and emptying a host.
namespace baton::handoff {

using store::Change;
using store::DesktopRow;
using store::MoveKind;
using store::MoveRow;
using store::SessionPhase;

namespace {

/// A handoff that nobody waits for is tried this often, then left until something changes.
constexpr unsigned move_attempts = 3;

} // namespace

void Planner::add_handoff(Change& change, const allocation::Handoff& handoff,
                          const std::string& why) const {
    auto session = *core_.state.session(handoff.session);
    const DesktopRow to = new_desktop(session, handoff.to.host, handoff.to.size);
    MoveRow move;
    move.session = session.id;
    move.kind = MoveKind::handoff;
    move.from = session.desktop;
    move.to = to.id;
    move.reason = why;
    move.started = core_.clock.wall();
    session.phase = SessionPhase::handing_off;
    change.desktops.push_back(to);
    change.moves.push_back(move);
    change.sessions.push_back(session);
    core_.tell(change, "handoff.planned", session.id.value,
               fmt::format("{} is going to be handed off from {} on {} to {} on {} ({}).",
                           session.user.value, to_string(handoff.from.size),
                           handoff.from.host.value, to_string(handoff.to.size),
                           handoff.to.host.value, why));
}

Result<void> Planner::begin(const allocation::Handoff& handoff, const std::string& why) {
    BATON_TRY(allocator_->begin_handoff(handoff));
    Change change;
    add_handoff(change, handoff, why);
    if (auto written = core_.state.commit(change); !written) {
        static_cast<void>(allocator_->cancel_handoff(handoff.session));
        return tl::unexpected(written.error());
    }
    wake();
    return {};
}

bool Planner::failed_too_often(const SessionId& session) const {
    const auto found = failed_moves_.find(session);
    return found != failed_moves_.end() && found->second >= move_attempts;
}

// ---- growing ----------------------------------------------------------------------

Result<void> Planner::grow(const SessionId& id) {
    const auto* session = core_.state.session(id);
    if (session == nullptr)
        return fail(Errc::not_found, fmt::format("no session is called '{}'", id.value),
                    "see them with: baton session list");
    if (session->phase != SessionPhase::serving || core_.state.move_of(id) != nullptr)
        return fail(Errc::busy,
                    fmt::format("the session of {} is being moved just now", session->user.value),
                    "ask again when it is served");
    const auto plan = has_queue() ? std::nullopt : allocator_->plan_grow(id);
    if (plan)
        return begin(*plan, std::string(reason::grow));
    Change change;
    auto wish = *session;
    wish.grow_wanted = true;
    change.sessions.push_back(wish);
    BATON_TRY(core_.state.commit(change));
    return fail(Errc::refused,
                fmt::format("there is no room for a larger desktop for {} now", wish.user.value),
                "it is noted, and done as soon as memory is free");
}

void Planner::let_grow() {
    if (has_queue())
        return;
    for (const auto& session : core_.state.sessions_in_order()) {
        if (!session.grow_wanted || !can_move(session.id) || failed_too_often(session.id))
            continue;
        if (const auto plan = allocator_->plan_grow(session.id))
            if (!begin(*plan, std::string(reason::grow)))
                return wake_later(std::chrono::seconds(1));
    }
    const bool emptying = std::ranges::any_of(
        core_.state.hosts(), [](const auto& entry) { return entry.second.draining; });
    if (!core_.settings.grow_when_leaving || emptying)
        return;
    while (const auto plan = allocator_->plan_grow(std::nullopt)) {
        if (!can_move(plan->session) || failed_too_often(plan->session))
            return;
        if (!begin(*plan, std::string(reason::grow_back)))
            return wake_later(std::chrono::seconds(1));
    }
}

// ---- emptying a host ------------------------------------------------------------------

void Planner::drain(const HostId& host, Done<void> done) {
    failed_moves_.clear();
    drains_[host].push_back(std::move(done));
    host_ready(host);
}

void Planner::cancel_drain(const HostId& host) {
    const auto waiting = drains_.extract(host);
    if (!waiting.empty())
        for (const auto& done : waiting.mapped())
            core_.post([done, host] {
                done(fail(Errc::cancelled,
                          fmt::format("{} is not to be emptied any more", host.value)));
            });
    host_ready(host);
}

void Planner::evacuate_draining() {
    for (const auto& [id, host] : core_.state.hosts())
        if (host.draining)
            evacuate(id);
}

void Planner::evacuate(const HostId& host) {
    for (const auto& session : core_.state.sessions_in_order()) {
        const auto* desktop = core_.state.desktop(session.desktop);
        if (desktop == nullptr || desktop->host != host || !can_move(session.id) ||
            failed_too_often(session.id))
            continue;
        const auto plan = allocator_->plan_evacuate(session.id);
        if (!plan || !can_move(plan->session) || failed_too_often(plan->session))
            continue;
        if (!begin(*plan, std::string(reason::drain) + host.value))
            return wake_later(std::chrono::seconds(1));
    }
}

void Planner::finish_drains() {
    if (woken_)
        return; // something has just changed, and may make room
    std::vector<HostId> ended;
    for (const auto& [host, waiting] : drains_) {
        const auto left = core_.state.desktops_on(host);
        const bool something_moves = !core_.state.moves().empty() || !deferred_.empty() ||
                                     std::ranges::any_of(left, [](const DesktopRow& desktop) {
                                         return desktop.phase != store::DesktopPhase::ready;
                                     });
        if (!left.empty() && something_moves)
            continue;
        for (const auto& done : waiting)
            core_.post([done, host, count = left.size()]() {
                if (count == 0)
                    return done({});
                done(
                    fail(Errc::refused,
                         fmt::format("{} desktops on {} have no room elsewhere", count, host.value),
                         "close some sessions or add a host; nothing new goes there, and they "
                         "move when there is room (baton host undrain takes it back)"));
            });
        ended.push_back(host);
    }
    for (const auto& host : ended)
        drains_.erase(host);
}

} // namespace baton::handoff
