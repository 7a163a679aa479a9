#include "handoff/mover.h"

#include "handoff/doors.h"
#include "handoff/outcomes.h"
#include "handoff/planner.h"
#include "handoff/reconciler.h"

#include <fmt/format.h>

#include <utility>

namespace baton::handoff {

using store::Change;
using store::DesktopPhase;
using store::MoveKind;
using store::MovePhase;
using store::MoveRow;

Mover::Run& Mover::run_of(const MoveRow& move) {
    Run& run = runs_[move.id];
    if (run.phase != move.phase) {
        run.phase = move.phase;
        run.attempts = 0;
        run.entered.emplace(move.phase, core_.clock.monotonic());
        clear_timers(run);
    }
    return run;
}

bool Mover::current(std::uint64_t move, std::uint64_t generation) const {
    const auto found = runs_.find(move);
    return found != runs_.end() && found->second.generation == generation &&
           core_.state.move(move) != nullptr;
}

void Mover::clear_timers(Run& run) {
    for (auto* timer : {&run.pause, &run.deadline}) {
        if (*timer)
            core_.clock.cancel(**timer);
        timer->reset();
    }
}

void Mover::drive(std::uint64_t id) {
    const auto* found = core_.state.move(id);
    if (found == nullptr) {
        if (const auto run = runs_.find(id); run != runs_.end()) {
            clear_timers(run->second);
            runs_.erase(run);
        }
        return;
    }
    const MoveRow move = *found;
    const Run& run = run_of(move);
    if (run.busy || run.pause)
        return;
    if (move.kind == MoveKind::close)
        drive_close(move);
    else
        drive_open_or_handoff(move);
}

void Mover::drive_open_or_handoff(const MoveRow& move) {
    switch (move.phase) {
    case MovePhase::planned:
        return wait_for_memory(move);
    case MovePhase::preparing:
        return prepare(move);
    case MovePhase::announcing:
        return announce(move);
    case MovePhase::releasing:
        return release(move);
    case MovePhase::leasing:
        return lease(move);
    case MovePhase::attaching:
        return attach(move);
    case MovePhase::routing:
        return route(move);
    case MovePhase::draining:
        return drain(move);
    case MovePhase::returning:
        return give_back(move);
    case MovePhase::done:
    case MovePhase::failed:
        return;
    }
}

void Mover::drive_all() {
    std::vector<std::uint64_t> ids;
    for (const auto& [id, move] : core_.state.moves())
        ids.push_back(id);
    for (const auto id : ids)
        drive(id);
    std::vector<std::uint64_t> ended;
    for (const auto& [id, run] : runs_)
        if (core_.state.move(id) == nullptr)
            ended.push_back(id);
    for (const auto id : ended)
        drive(id);
}

void Mover::interrupt(std::uint64_t move) {
    const auto found = runs_.find(move);
    if (found == runs_.end())
        return;
    ++found->second.generation;
    found->second.busy = false;
    found->second.held = false;
    clear_timers(found->second);
}

std::uint64_t Mover::hold(std::uint64_t move) {
    Run& run = runs_[move];
    interrupt(move);
    run.busy = true;
    run.held = true;
    return run.generation;
}

void Mover::advance_while(std::uint64_t id, MovePhase next,
                          std::function<bool(const MoveRow&)> still, Also also,
                          std::function<void()> then) {
    Run& run = runs_[id];
    run.busy = true;
    const auto generation = ++run.generation;
    core_.persist(
        [this, id, next, still = std::move(still), also = std::move(also), generation]() -> Built {
            if (!current(id, generation))
                return std::nullopt;
            Change change;
            auto move = *core_.state.move(id);
            if (still && !still(move)) {
                runs_[id].busy = false;
                core_.planner->wake();
                return std::nullopt;
            }
            move.phase = next;
            if (also)
                also(change, move);
            // A new number is written down before anybody is told of it, together with the step
            // that needs it; written twice it could only be given twice.
            if (next == MovePhase::leasing || next == MovePhase::returning) {
                const auto* session = core_.state.session(move.session);
                auto desk = core_.store.desk(session->desk);
                if (!desk)
                    return tl::unexpected(desk.error());
                if (*desk) {
                    (*desk)->fence.value += runs_[id].fence_step;
                    (*desk)->holder = session->id;
                    move.fence = (*desk)->fence;
                    change.desks.push_back(**desk);
                }
            }
            change.moves.push_back(move);
            return change;
        },
        [this, id, generation, then = std::move(then)] {
            if (const auto found = runs_.find(id);
                found != runs_.end() && found->second.generation == generation)
                found->second.busy = false;
            if (then)
                then();
            drive(id);
        });
}

void Mover::retry(std::uint64_t id, unsigned limit, const std::function<void()>& exhausted) {
    Run& run = runs_[id];
    if (++run.attempts >= limit) {
        exhausted();
        return;
    }
    run.pause = core_.later(Core::backoff(run.attempts - 1), [this, id] {
        runs_[id].pause.reset();
        drive(id);
    });
}

void Mover::set_deadline(Run& run, Nanoseconds delay, std::function<void()> action) {
    if (!run.deadline)
        run.deadline = core_.later(delay, std::move(action));
}

bool Mover::is_alive(const DesktopId& id) const {
    const auto* desktop = core_.state.desktop(id);
    return desktop != nullptr && desktop->phase == DesktopPhase::ready &&
           core_.reconciler->is_up(desktop->host);
}

MovePhase Mover::after_release(const MoveRow& move) const {
    const auto* session = core_.state.session(move.session);
    return session->desk.empty() ? MovePhase::routing : MovePhase::leasing;
}

MovePhase Mover::after_ready(const MoveRow& move) const {
    const auto* from = core_.state.desktop(move.from);
    if (from == nullptr || from->phase != DesktopPhase::ready)
        return after_release(move);
    if (may_be_deferred(move) && core_.settings.grace.count() > 0)
        return MovePhase::announcing;
    return core_.state.session(move.session)->desk.empty() ? MovePhase::routing
                                                           : MovePhase::releasing;
}

void Mover::answer(const DesktopId& desktop, bool now) {
    for (const auto& [id, move] : core_.state.moves()) {
        if (move.from != desktop || move.phase != MovePhase::announcing ||
            move.kind != MoveKind::handoff)
            continue;
        if (runs_[id].busy)
            return;
        const auto* session = core_.state.session(move.session);
        if (now)
            return announced(id);
        if (!session->deferred && may_be_deferred(move))
            core_.outcomes->abandon(
                id, Error{Errc::cancelled, "the person asked for more time ('not now')", {}, 0},
                true);
        return;
    }
}

boost::json::object Mover::figures(const MoveRow& move, const Run& run) const {
    // Each figure is the time from entering one phase to entering the next that was entered; what
    // this life of the controller has not seen whole is null.
    const auto span = [&](MovePhase from,
                          std::initializer_list<MovePhase> until) -> boost::json::value {
        const auto begin = run.entered.find(from);
        if (begin == run.entered.end())
            return nullptr;
        for (const auto phase : until)
            if (const auto end = run.entered.find(phase); end != run.entered.end())
                return std::chrono::duration<double, std::milli>(end->second - begin->second)
                    .count();
        return nullptr;
    };
    using enum MovePhase;
    boost::json::value released_at = nullptr; // a viewer on this machine measures from here
    if (const auto begin = run.entered.find(releasing); begin != run.entered.end())
        released_at = begin->second.count();
    return {{"fence", move.fence.value},
            {"released_at_ns", std::move(released_at)},
            {"prepare_ms", span(preparing, {announcing, releasing, leasing, routing})},
            {"release_ms", span(releasing, {leasing, routing})},
            {"lease_ms", span(leasing, {attaching})},
            {"attach_ms", span(attaching, {routing})},
            {"route_ms", span(routing, {draining, done})},
            {"drain_ms", span(draining, {done})},
            {"interruption_ms", run.entered.contains(releasing) ? span(releasing, {draining})
                                                                : span(routing, {draining})}};
}

// ---- the route of a session that serves -----------------------------------------------

void Mover::keep_route(const SessionId& session, bool new_password, Done<void> done) {
    Kept& kept = routes_[session];
    kept.password_owed = kept.password_owed || new_password;
    Routing routing;
    routing.turn = ++kept.turn;
    routing.done = std::move(done);
    try_route(session, std::move(routing));
}

void Mover::try_route(const SessionId& id, Routing routing) {
    const auto* session = core_.state.session(id);
    const auto* desktop = session == nullptr ? nullptr : core_.state.desktop(session->desktop);
    // A move that has taken the desk away points the route itself, at the new desktop.
    const auto* move = core_.state.move_of(id);
    const bool moved_by_another =
        move != nullptr && move->phase != MovePhase::draining && !is_before_lease(move->phase);
    const bool wanted = desktop != nullptr && session->phase != store::SessionPhase::closing &&
                        desktop->phase == DesktopPhase::ready && !moved_by_another &&
                        routes_[id].turn == routing.turn;
    if (!wanted) {
        if (session == nullptr)
            routes_.erase(id);
        return route_tried(id, std::move(routing), {});
    }
    if (!routes_[id].password_owed)
        return point_route(id, std::move(routing));
    core_.fleet.set_screen_password(
        desktop->host, desktop->id, session->screen_password, session->screen_password_until,
        core_.guarded<void>([this, id, routing,
                             given = session->screen_password](const Result<void>& result) mutable {
            if (!result)
                return route_tried(id, std::move(routing), result);
            const auto* now = core_.state.session(id);
            if (now != nullptr && now->screen_password == given)
                routes_[id].password_owed = false;
            point_route(id, std::move(routing));
        }));
}

void Mover::point_route(const SessionId& id, Routing routing) {
    const auto* session = core_.state.session(id);
    const auto* desktop = session == nullptr ? nullptr : core_.state.desktop(session->desktop);
    if (desktop == nullptr || !has_route(*session) || routes_[id].turn != routing.turn)
        return route_tried(id, std::move(routing), {});
    core_.path.point(path_to(*session, *desktop),
                     core_.guarded<void>([this, id, routing](const Result<void>& result) {
                         route_tried(id, routing, result);
                     }));
}

/// Who waits for it is told of the first failure at once; the route itself is not given up.
void Mover::route_tried(const SessionId& id, Routing routing, const Result<void>& result) {
    if (const auto done = std::exchange(routing.done, {}))
        done(result);
    if (result)
        return;
    core_.later(Core::backoff(++routing.attempt), [this, id, routing] { try_route(id, routing); });
}

} // namespace baton::handoff
