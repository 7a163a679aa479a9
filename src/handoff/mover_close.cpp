#include "handoff/doors.h"
#include "handoff/mover.h"
#include "handoff/outcomes.h"
#include "handoff/planner.h"
#include "handoff/reconciler.h"

#include <fmt/format.h>

// The steps of close: every desktop lets go of the desk, its export is closed, the route removed,
// the desktops stopped. A step that cannot be done does not keep a session from ending: it is told.
namespace baton::handoff {

using store::Change;
using store::DesktopPhase;
using store::MovePhase;
using store::MoveRow;
using store::SessionPhase;

namespace {

constexpr unsigned close_attempts = 6;

} // namespace

void Mover::drive_close(const MoveRow& move) {
    switch (move.phase) {
    case MovePhase::releasing:
        return close_release(move);
    case MovePhase::leasing:
        return close_export(move);
    case MovePhase::routing:
        return close_route(move);
    case MovePhase::draining:
        return close_drain(move);
    default:
        return;
    }
}

void Mover::close_release(const MoveRow& move) {
    const auto id = move.id;
    for (const auto& desktop : core_.state.desktops_of(move.session)) {
        const bool holds = desktop.phase == DesktopPhase::ready &&
                           !runs_[id].released.contains(desktop.id) &&
                           !core_.reconciler->is_lost(desktop.host);
        if (!holds)
            continue;
        // A host that is away comes back or is lost: both are told.
        if (!core_.reconciler->is_up(desktop.host))
            return;
        core_.fleet.release(
            desktop.host, desktop.id, core_.settings.close_grace, core_.settings.release_deadline,
            completion<void>(id, [this, id, desktop = desktop.id](const Result<void>& result) {
                if (!result && result.error().code == Errc::unavailable)
                    return retry(id, close_attempts, [this, id, desktop] {
                        runs_[id].released.insert(desktop);
                        drive(id);
                    });
                runs_[id].released.insert(desktop);
                drive(id);
            }));
        return;
    }
    advance(id, core_.state.session(move.session)->desk.empty() ? MovePhase::routing
                                                                : MovePhase::leasing);
}

void Mover::close_export(const MoveRow& move) {
    const auto id = move.id;
    const auto& session = *core_.state.session(move.session);
    const auto desk = core_.store.desk(session.desk);
    if (!desk)
        return retry(id, close_attempts, [this, id] { advance(id, MovePhase::routing); });
    if (!*desk || (*desk)->holder != session.id)
        return advance(id, MovePhase::routing);
    core_.desks.close(
        session.desk, (*desk)->fence, completion<void>(id, [this, id](const Result<void>& result) {
            if (result)
                return advance(id, MovePhase::routing);
            retry(id, close_attempts, [this, id, why = result.error().message()] {
                advance(id, MovePhase::routing, [this, why](Change& change, MoveRow& row) {
                    const auto& name = core_.state.session(row.session)->desk.value;
                    core_.tell(change, "desk.export_left", name,
                               fmt::format("The export of the desk '{}' could not be closed; the "
                                           "next session closes it: {}",
                                           name, why));
                });
            });
        }));
}

void Mover::close_route(const MoveRow& move) {
    const auto id = move.id;
    const auto next = [this, id](const std::string& why) {
        advance(
            id, MovePhase::draining,
            [this, why](Change& change, MoveRow& row) {
                core_.outcomes->retire_desktops(change, row.session);
                if (!why.empty())
                    core_.tell(change, "route.left", row.session.value,
                               fmt::format("A route could not be removed: {}", why));
            },
            [this] { core_.reconciler->reap(); });
    };
    if (!has_route(*core_.state.session(move.session)))
        return next({});
    core_.path.remove(
        move.session, completion<void>(id, [this, id, next](const Result<void>& result) {
            if (result)
                return next({});
            retry(id, close_attempts, [next, why = result.error().message()] { next(why); });
        }));
}

void Mover::close_drain(const MoveRow& move) {
    for (const auto& desktop : core_.state.desktops_of(move.session))
        if (!core_.reconciler->is_lost(desktop.host)) {
            core_.reconciler->reap();
            return;
        }
    const auto id = move.id;
    const auto session = move.session;
    runs_[id].busy = true;
    core_.persist(
        [this, id]() -> Built {
            const auto* row = core_.state.move(id);
            if (row == nullptr)
                return std::nullopt;
            Change change;
            auto ended = *core_.state.session(row->session);
            ended.phase = SessionPhase::closed;
            ended.desktop = {};
            ended.screen_password.clear();
            if (!ended.desk.empty()) {
                auto desk = core_.store.desk(ended.desk);
                if (!desk)
                    return tl::unexpected(desk.error());
                if (*desk && (*desk)->holder == ended.id) {
                    (*desk)->holder = {};
                    change.desks.push_back(**desk);
                }
            }
            auto done = *row;
            done.phase = MovePhase::done;
            change.sessions.push_back(ended);
            change.moves.push_back(done);
            core_.tell(change, "session.closed", ended.id.value,
                       fmt::format("The session of {} has ended: {}.", ended.user.value,
                                   ended.ended_because));
            return change;
        },
        [this, session, id] {
            drive(id);
            core_.doors->closed(session);
            core_.planner->wake();
        });
}

} // namespace baton::handoff
