#include "handoff/doors.h"
#include "handoff/mover.h"
#include "handoff/outcomes.h"
#include "handoff/planner.h"
#include "handoff/reconciler.h"

#include <fmt/format.h>

#include <algorithm>

// The steps of open and handoff, in their order.
namespace baton::handoff {

using store::Change;
using store::DesktopPhase;
using store::MoveKind;
using store::MovePhase;
using store::MoveRow;
using store::SessionPhase;

namespace {

/// Attempts of one step before it counts as failed; with Core::backoff about half a minute.
constexpr unsigned step_attempts = 8;

} // namespace

void Mover::wait_for_memory(const MoveRow& move) {
    const auto id = move.id;
    set_deadline(runs_[id], core_.settings.waiting_deadline, [this, id] {
        const auto* late = core_.state.move(id);
        if (late == nullptr || late->phase != MovePhase::planned)
            return;
        const Error error{Errc::timeout,
                          fmt::format("no memory came free within {} s",
                                      core_.settings.waiting_deadline.count() / 1000),
                          "try again when somebody has left, or add a host", 0};
        if (late->kind == MoveKind::open)
            core_.outcomes->end(late->session, error.message(), error);
        else
            core_.outcomes->abandon(id, error, false);
    });
    // Whoever's commit comes first has the memory: while a store fails, others are admitted.
    const auto admitted = [this](const MoveRow& row) {
        const auto* to = core_.state.desktop(row.to);
        return to != nullptr && core_.reconciler->is_up(to->host) && core_.planner->admits(row);
    };
    if (!admitted(move))
        return;
    // From this commit on the ledger counts the desktop.
    advance_while(id, MovePhase::preparing, admitted,
                  [this](Change& change, MoveRow& row) {
                      auto desktop = *core_.state.desktop(row.to);
                      desktop.phase = DesktopPhase::starting;
                      change.desktops.push_back(desktop);
                      auto session = *core_.state.session(row.session);
                      if (row.kind == MoveKind::open)
                          session.phase = SessionPhase::opening;
                      // The viewer has to log in again at the new desktop, with the password it
                      // has.
                      const auto now = core_.clock.wall();
                      session.screen_password_until =
                          std::max(session.screen_password_until, now + password_must_last);
                      change.sessions.push_back(session);
                  },
                  {});
}

void Mover::prepare(const MoveRow& move) {
    const auto* to = core_.state.desktop(move.to);
    if (to == nullptr || to->phase != DesktopPhase::starting)
        return core_.outcomes->start_failed(
            move.id, Error{Errc::unavailable, "the new desktop was lost", {}, 0});
    if (!core_.reconciler->is_up(to->host))
        return;
    const auto& session = *core_.state.session(move.session);
    StartOrder order;
    order.desktop = to->id;
    order.session = session.id;
    order.person = session.user;
    order.image = to->image;
    order.memory = to->memory;
    order.screen_password = session.screen_password;
    order.screen_ticket = to->screen_ticket;
    order.without_desk = session.desk.empty();
    runs_[move.id].password = session.screen_password;
    order.screen_password_until = session.screen_password_until;
    order.ready_deadline = core_.settings.ready_deadline;
    core_.fleet.start(to->host, order,
                      completion<Started>(move.id, [this, id = move.id](const auto& started) {
                          prepared(id, started);
                      }));
}

void Mover::prepared(std::uint64_t id, const Result<Started>& started) {
    if (!started)
        return core_.outcomes->start_failed(id, started.error());
    const auto& move = *core_.state.move(id);
    advance(id, after_ready(move), [this, started = *started](Change& change, MoveRow& row) {
        auto desktop = *core_.state.desktop(row.to);
        desktop.phase = DesktopPhase::ready;
        desktop.screen = started.screen;
        if (started.memory != desktop.memory)
            core_.tell(
                change, "desktop.memory_differs", desktop.id.value,
                fmt::format("The hypervisor of {} says that desktop {} has {} instead of {}.",
                            desktop.host.value, desktop.id.value, to_string(started.memory),
                            to_string(desktop.memory)));
        desktop.memory = std::max(desktop.memory, started.memory);
        change.desktops.push_back(desktop);
    });
}

void Mover::announce(const MoveRow& move) {
    Run& run = runs_[move.id];
    if (run.deadline)
        return;
    const auto* from = core_.state.desktop(move.from);
    if (from == nullptr || from->phase != DesktopPhase::ready)
        return announced(move.id);
    const auto& session = *core_.state.session(move.session);
    const auto* to = core_.state.desktop(move.to);
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(core_.settings.grace);
    // Whether the person could be told is not waited for: the grace period runs either way.
    core_.fleet.notify(
        from->host, from->id,
        fmt::format("Your desktop is going to be replaced by one with {} in {} s. Save your work: "
                    "programs are closed, your files stay.",
                    to == nullptr ? "another size" : to_string(to->memory), seconds.count()),
        seconds, !session.deferred, core_.guarded<void>([](const Result<void>&) {}));
    set_deadline(run, core_.settings.grace, [this, id = move.id] { announced(id); });
}

void Mover::announced(std::uint64_t id) {
    const auto* move = core_.state.move(id);
    if (move == nullptr || move->phase != MovePhase::announcing || runs_[id].busy)
        return;
    clear_timers(runs_[id]);
    if (!is_alive(move->to) && core_.state.desktop(move->from) != nullptr)
        return core_.outcomes->abandon(
            id, Error{Errc::unavailable, "the host of the new desktop cannot be reached", {}, 0},
            false);
    const auto* from = core_.state.desktop(move->from);
    const bool serves = from != nullptr && from->phase == DesktopPhase::ready;
    const bool has_desk = !core_.state.session(move->session)->desk.empty();
    advance(id, serves && has_desk ? MovePhase::releasing : after_release(*move));
}

void Mover::release(const MoveRow& move) {
    const auto id = move.id;
    const auto* from = core_.state.desktop(move.from);
    if (from == nullptr || from->phase != DesktopPhase::ready)
        return take_by_force(id, "its desktop is gone");
    if (!core_.reconciler->is_up(from->host)) {
        // The host may come back; it has the deadline of any release to do so.
        set_deadline(runs_[id], core_.settings.release_deadline, [this, id] {
            const auto* late = core_.state.move(id);
            if (late != nullptr && late->phase == MovePhase::releasing && !runs_[id].busy)
                take_by_force(id, "its host cannot be reached");
        });
        return;
    }
    core_.fleet.release(
        from->host, from->id, core_.settings.close_grace, core_.settings.release_deadline,
        completion<void>(id, [this, id](const auto& result) { released(id, result); }));
}

void Mover::released(std::uint64_t id, const Result<void>& result) {
    const auto& move = *core_.state.move(id);
    const auto* from = core_.state.desktop(move.from);
    if (!result && result.error().code == Errc::busy)
        return core_.outcomes->abandon(id, result.error(), false);
    if (!result && result.error().code == Errc::unavailable && from != nullptr)
        return retry(id, step_attempts,
                     [this, id] { take_by_force(id, "its host cannot be reached"); });
    if (!is_alive(move.to)) {
        const Error error{Errc::unavailable, "the new desktop was lost", {}, 0};
        if (from != nullptr && from->phase == DesktopPhase::ready)
            return core_.outcomes->return_desk(id, error);
        return core_.outcomes->replace(move.session, error.what);
    }
    if (!result)
        return take_by_force(id, result.error().message());
    advance(id, MovePhase::leasing);
}

/// The old desktop has not let go in time: closing its export (lease does that first) and stopping
/// it is to the desk what a power cut is; its journal is made for that.
void Mover::take_by_force(std::uint64_t id, const std::string& why) {
    const auto& move = *core_.state.move(id);
    if (!is_alive(move.to))
        return core_.outcomes->replace(move.session, why);
    advance(
        id, MovePhase::leasing,
        [this, why](Change& change, MoveRow& row) {
            core_.outcomes->retire(change, row.from);
            const auto& session = *core_.state.session(row.session);
            core_.tell(change, "desk.taken", session.desk.value,
                       fmt::format("The desk '{}' was taken from desktop {}, which had not let it "
                                   "go: {}.",
                                   session.desk.value, row.from.value, why));
        },
        [this] { core_.reconciler->reap(); });
}

void Mover::lease(const MoveRow& move) {
    const auto* to = core_.state.desktop(move.to);
    if (to == nullptr || to->phase != DesktopPhase::ready)
        return core_.outcomes->replace(move.session, "the new desktop was lost");
    const auto& session = *core_.state.session(move.session);
    if (move.fence.value == 0)
        return core_.outcomes->end(
            session.id, "the desk is not in the store any more",
            Error{Errc::not_found,
                  fmt::format("the desk '{}' of this session is gone", session.desk.value),
                  {},
                  0});
    core_.desks.lease(session.desk, move.fence, to->host,
                      completion<DeskExport>(move.id, [this, id = move.id](const auto& result) {
                          leased(id, result);
                      }));
}

void Mover::leased(std::uint64_t id, const Result<DeskExport>& result) {
    const auto move = *core_.state.move(id);
    if (result) {
        runs_[id].desk_export = *result;
        if (move.phase == MovePhase::leasing)
            return advance(id, MovePhase::attaching);
        return drive(id);
    }
    const auto& error = result.error();
    const auto give_up = [this, session = move.session, error] {
        core_.outcomes->end(session, error.message(), error);
    };
    // A damaged image is never attached, and asking again makes it no better.
    if (error.code == Errc::corrupt || error.code == Errc::not_found)
        return give_up();
    // The server has given out a larger number than the store knows (a store restored from a
    // backup): numbers only grow, so ours has to.
    if (error.code == Errc::conflict && ++runs_[id].attempts < step_attempts) {
        runs_[id].fence_step = std::uint64_t{1} << (4 * runs_[id].attempts);
        return advance(id, move.phase == MovePhase::returning ? MovePhase::returning
                                                              : MovePhase::leasing);
    }
    retry(id, step_attempts, give_up);
}

void Mover::attach(const MoveRow& move) {
    const auto id = move.id;
    const auto* to = core_.state.desktop(move.to);
    if (to == nullptr || to->phase != DesktopPhase::ready)
        return core_.outcomes->replace(move.session, "the new desktop was lost");
    if (!core_.reconciler->is_up(to->host))
        return;
    // After a restart the export is not known: asked for again, under the same number.
    if (!runs_[id].desk_export || runs_[id].desk_export->fence != move.fence)
        return lease(move);
    if (const auto& session = *core_.state.session(move.session);
        move.kind == MoveKind::handoff && session.route == RouteKind::gateway)
        core_.path.prepare(path_to(session, *to));
    core_.fleet.attach(to->host, to->id, *runs_[id].desk_export, core_.settings.attach_deadline,
                       completion<MountReport>(id, [this, id](const Result<MountReport>& result) {
                           if (result)
                               return advance(id, MovePhase::routing);
                           const auto session = core_.state.move(id)->session;
                           const auto why = result.error().message();
                           retry(id, step_attempts / 2, [this, session, why] {
                               core_.outcomes->replace(session,
                                                       "its desk could not be attached: " + why);
                           });
                       }));
}

void Mover::route(const MoveRow& move) {
    const auto id = move.id;
    Run& run = runs_[id];
    const auto& session = *core_.state.session(move.session);
    const auto* to = core_.state.desktop(move.to);
    if (to == nullptr || to->phase != DesktopPhase::ready)
        return core_.outcomes->replace(move.session, "the new desktop was lost");
    // The person may have come from another client meanwhile, with a new password.
    if (run.password != session.screen_password && core_.reconciler->is_up(to->host)) {
        core_.fleet.set_screen_password(
            to->host, to->id, session.screen_password, session.screen_password_until,
            completion<void>(
                id, [this, id, given = session.screen_password](const Result<void>& result) {
                    if (result) {
                        runs_[id].password = given;
                        return drive(id);
                    }
                    retry(id, step_attempts,
                          [this, id, why = result.error().message()] { served(id, why); });
                }));
        return;
    }
    run.routed = {session.route, session.client, session.listen_port, run.password.value_or("")};
    if (!has_route(session))
        return served(id, {});
    core_.path.point(path_to(session, *to),
                     completion<void>(id, [this, id](const Result<void>& result) {
                         if (result)
                             return is_routed(id) ? served(id, {}) : drive(id);
                         const auto& error = result.error();
                         retry(id, step_attempts, [this, id, error] {
                             const auto& late = *core_.state.move(id);
                             if (late.kind == MoveKind::open)
                                 return core_.outcomes->end(late.session, error.message(), error);
                             served(id, error.message());
                         });
                     }));
}

/// What the route and the screen were given is still what the session wants.
bool Mover::is_routed(std::uint64_t id) const {
    return runs_.at(id).routed == wanted_route(*core_.state.session(core_.state.move(id)->session));
}

void Mover::served(std::uint64_t id, const std::string& route_error) {
    const auto move = *core_.state.move(id);
    if (move.kind == MoveKind::open) {
        runs_[id].entered.emplace(MovePhase::done, core_.clock.monotonic());
        return advance(
            id, MovePhase::done,
            [this, id](Change& change, MoveRow& row) { tell_opened(change, row, runs_[id]); },
            [this, session = move.session, routed = runs_[id].routed] {
                check_route(session, routed, false);
                core_.outcomes->settled(session);
                core_.doors->opened(session);
                core_.planner->wake();
            });
    }
    runs_[id].entered.emplace(MovePhase::draining, core_.clock.monotonic());
    advance(
        id, MovePhase::draining,
        [this, route_error](Change& change, MoveRow& row) {
            auto session = *core_.state.session(row.session);
            session.phase = SessionPhase::serving;
            session.desktop = row.to;
            session.deferred = false;
            session.grow_wanted = session.grow_wanted && row.reason != reason::grow;
            change.sessions.push_back(session);
            core_.outcomes->retire(change, row.from);
            if (!route_error.empty())
                core_.tell(change, "route.failed", session.id.value,
                           fmt::format("The route of {} could not be pointed at the new desktop "
                                       "and is tried again: {}",
                                       session.user.value, route_error));
        },
        [this, route_error, session = move.session, routed = runs_[id].routed] {
            check_route(session, routed, !route_error.empty());
        });
}

/// The store may have been slow to take the last phase, and the person quick to change clients.
void Mover::check_route(const SessionId& id, const Routed& routed, bool failed) {
    const auto* session = core_.state.session(id);
    if (session != nullptr && (failed || routed != wanted_route(*session)))
        keep_route(id, routed.password != session->screen_password);
}

Mover::Routed Mover::wanted_route(const store::SessionRow& session) {
    return {session.route, session.client, session.listen_port, session.screen_password};
}

void Mover::tell_opened(Change& change, const MoveRow& move, const Run& run) const {
    auto session = *core_.state.session(move.session);
    session.phase = SessionPhase::serving;
    session.desktop = move.to;
    change.sessions.push_back(session);
    const auto& desktop = *core_.state.desktop(move.to);
    auto data = figures(move, run);
    data["total_ms"] = nullptr;
    if (const auto asked = core_.doors->asked_at(session.id))
        data["total_ms"] =
            std::chrono::duration<double, std::milli>(core_.clock.monotonic() - *asked).count();
    data["handoff"] = core_.planner->needed_handoff(session.id);
    data["host"] = desktop.host.value;
    data["memory_mib"] = desktop.memory.count;
    data["image"] = desktop.image.value;
    core_.tell(change, "session.opened", session.id.value,
               fmt::format("{} has a desktop with {} on {}.", session.user.value,
                           to_string(desktop.memory), desktop.host.value),
               data);
}

void Mover::drain(const MoveRow& move) {
    const auto* from = core_.state.desktop(move.from);
    if (from != nullptr && !core_.reconciler->is_lost(from->host)) {
        core_.reconciler->reap();
        return;
    }
    const auto id = move.id;
    runs_[id].entered.emplace(MovePhase::done, core_.clock.monotonic());
    advance(
        id, MovePhase::done,
        [this, id](Change& change, MoveRow& row) {
            const auto& session = *core_.state.session(row.session);
            auto data = figures(row, runs_[id]);
            data["reason"] = row.reason;
            std::string what = "a desktop";
            if (const auto* to = core_.state.desktop(row.to)) {
                data["host"] = to->host.value;
                data["memory_mib"] = to->memory.count;
                what =
                    fmt::format("a desktop with {} on {}", to_string(to->memory), to->host.value);
            }
            core_.tell(
                change, "handoff.done", session.id.value,
                fmt::format("{} was handed off to {} ({}).", session.user.value, what, row.reason),
                data);
        },
        [this, session = move.session] {
            core_.planner->handoff_finished(session);
            core_.doors->grown(session, {});
        });
}

/// Rolling back: a new number for the old desktop, which plugs the desk in again.
void Mover::give_back(const MoveRow& move) {
    const auto id = move.id;
    const auto* from = core_.state.desktop(move.from);
    if (from == nullptr || from->phase != DesktopPhase::ready)
        return core_.outcomes->replace(move.session, "both its desktops were lost");
    if (!core_.reconciler->is_up(from->host))
        return;
    const auto& session = *core_.state.session(move.session);
    // It may not have let go yet, and a desk is plugged in once: first out, then in again.
    if (!runs_[id].released.contains(from->id)) {
        const auto next = [this, id, desktop = from->id](const Result<void>&) {
            runs_[id].released.insert(desktop);
            drive(id);
        };
        core_.fleet.release(from->host, from->id, core_.settings.close_grace,
                            core_.settings.release_deadline, completion<void>(id, next));
        return;
    }
    if (!runs_[id].desk_export || runs_[id].desk_export->fence != move.fence) {
        core_.desks.lease(
            session.desk, move.fence, from->host,
            completion<DeskExport>(id, [this, id](const auto& result) { leased(id, result); }));
        return;
    }
    core_.fleet.attach(from->host, from->id, *runs_[id].desk_export, core_.settings.attach_deadline,
                       completion<MountReport>(id, [this, id](const Result<MountReport>& result) {
                           if (result)
                               return given_back(id);
                           const auto back_to = core_.state.move(id)->session;
                           const auto why = result.error().message();
                           retry(id, step_attempts / 2, [this, back_to, why] {
                               core_.outcomes->replace(back_to,
                                                       "its desk could not be given back: " + why);
                           });
                       }));
}

void Mover::given_back(std::uint64_t id) {
    const auto session = core_.state.move(id)->session;
    const Error error{Errc::unavailable, core_.state.move(id)->error, {}, 0};
    advance(
        id, MovePhase::failed,
        [this](Change& change, MoveRow& row) {
            auto back = *core_.state.session(row.session);
            back.phase = SessionPhase::serving;
            back.desktop = row.from;
            change.sessions.push_back(back);
            core_.tell(change, "handoff.failed", back.id.value,
                       fmt::format("{} was not handed off and is back on the former desktop: {}",
                                   back.user.value, row.error));
        },
        [this, session, error] {
            keep_route(session, true); // the person may be at another client by now
            core_.doors->grown(session, tl::unexpected(error));
            core_.planner->wake();
        });
}

} // namespace baton::handoff
