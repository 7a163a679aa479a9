#include "handoff/outcomes.h"

#include "handoff/doors.h"
#include "handoff/mover.h"
#include "handoff/planner.h"
#include "handoff/reconciler.h"

#include <fmt/format.h>

namespace baton::handoff {

using store::Change;
using store::DesktopPhase;
using store::MoveKind;
using store::MovePhase;
using store::MoveRow;
using store::SessionPhase;

namespace {

constexpr unsigned start_attempts = 3;
constexpr std::size_t losses_allowed = 3;
constexpr std::chrono::minutes losses_within{10};

/// Whether another desktop, perhaps elsewhere, may do better.
bool worth_another_try(Errc code) {
    switch (code) {
    case Errc::timeout:
    case Errc::unavailable:
    case Errc::io:
    case Errc::busy:
    case Errc::full:
    case Errc::internal:
    case Errc::conflict:
        return true;
    default:
        return false;
    }
}

} // namespace

void Outcomes::retire(Change& change, const DesktopId& id) const {
    const auto* desktop = core_.state.desktop(id);
    if (desktop == nullptr || desktop->phase == DesktopPhase::stopping)
        return;
    if (desktop->phase == DesktopPhase::planned) {
        change.removed_desktops.push_back(id);
        return;
    }
    auto row = *desktop;
    row.phase = DesktopPhase::stopping;
    change.desktops.push_back(row);
}

void Outcomes::retire_desktops(Change& change, const SessionId& session) const {
    for (const auto& desktop : core_.state.desktops_of(session))
        retire(change, desktop.id);
}

void Outcomes::unplace(Change& change, const SessionId& newcomer) const {
    const auto* move = core_.state.move_of(newcomer);
    if (move == nullptr || move->kind != MoveKind::open)
        return;
    retire(change, move->to);
    auto row = *move;
    row.phase = MovePhase::planned;
    row.to = {};
    change.moves.push_back(row);
    auto session = *core_.state.session(newcomer);
    session.phase = SessionPhase::waiting;
    session.desktop = {};
    change.sessions.push_back(session);
}

void Outcomes::start_failed(std::uint64_t id, const Error& error) {
    const auto* found = core_.state.move(id);
    if (found == nullptr)
        return;
    const MoveRow move = *found;
    if (move.kind == MoveKind::open) {
        if (worth_another_try(error.code) && ++failed_starts_[move.session] < start_attempts)
            return try_elsewhere(move, error);
        failed_starts_.erase(move.session);
        return end(move.session, error.message(), error);
    }
    const auto* from = core_.state.desktop(move.from);
    if (from != nullptr && from->phase == DesktopPhase::ready)
        return abandon(id, error, false);
    replace(move.session, error.message());
}

void Outcomes::try_elsewhere(const MoveRow& move, const Error& error) {
    const auto hold = core_.mover->hold(move.id);
    core_.persist(
        [this, id = move.id, hold, to = move.to, error]() -> Built {
            if (!core_.mover->holds(id, hold))
                return std::nullopt;
            const auto* row = core_.state.move(id);
            if (row->to != to) { // the place was given up meanwhile, with the handoff it needed
                core_.mover->interrupt(id);
                core_.planner->wake();
                return std::nullopt;
            }
            Change change;
            unplace(change, row->session);
            core_.tell(change, "desktop.failed", row->session.value,
                       fmt::format("Desktop {} did not come up, another one is tried: {}",
                                   row->to.value, error.message()));
            return change;
        },
        [this, session = move.session, id = move.id] {
            core_.mover->interrupt(id);
            core_.planner->left(session);
            core_.reconciler->reap();
            core_.planner->wake_later(Core::backoff(failed_starts_[session]));
        });
}

void Outcomes::abandon(std::uint64_t id, const Error& error, bool deferred) {
    const auto* found = core_.state.move(id);
    if (found == nullptr)
        return;
    const auto session = found->session;
    const auto* from = core_.state.desktop(found->from);
    if (from == nullptr || from->phase != DesktopPhase::ready)
        return replace(session, error.message());
    const auto hold = core_.mover->hold(id);
    const auto newcomer = core_.planner->promised_to(session);
    core_.persist(
        [this, id, hold, error, deferred, newcomer]() -> Built {
            if (!core_.mover->holds(id, hold))
                return std::nullopt;
            const auto* row = core_.state.move(id);
            const auto* kept_one = core_.state.desktop(row->from);
            if (kept_one == nullptr || kept_one->phase != DesktopPhase::ready) {
                core_.post([this, session = row->session, why = error.message()] {
                    replace(session, why);
                });
                return std::nullopt;
            }
            Change change;
            retire(change, row->to);
            auto move = *row;
            move.phase = MovePhase::failed;
            move.error = error.message();
            change.moves.push_back(move);
            auto kept = *core_.state.session(move.session);
            kept.phase = SessionPhase::serving;
            kept.deferred = kept.deferred || deferred;
            change.sessions.push_back(kept);
            core_.tell(change, deferred ? "handoff.deferred" : "handoff.failed", kept.id.value,
                       fmt::format("{} keeps the present desktop ({}): {}", kept.user.value,
                                   move.reason, error.message()));
            if (newcomer) {
                unplace(change, *newcomer);
                core_.tell(change, "session.waiting", newcomer->value,
                           deferred ? "Somebody whose desktop was to become smaller needs more "
                                      "time; another place is looked for."
                                    : "A handoff that was to free memory failed; another place is "
                                      "looked for.");
            }
            return change;
        },
        [this, session, newcomer, deferred, error] {
            core_.planner->handoff_cancelled(session, newcomer);
            if (deferred)
                core_.planner->defer(session);
            core_.reconciler->reap();
            core_.doors->grown(session, tl::unexpected(error));
            if (newcomer && !deferred && ++failed_starts_[*newcomer] >= start_attempts)
                return end(*newcomer, error.message(), error);
            if (deferred)
                core_.planner->wake();
            else
                core_.planner->wake_later(Core::backoff(newcomer ? failed_starts_[*newcomer] : 1));
        });
}

void Outcomes::return_desk(std::uint64_t id, const Error& error) {
    const auto* found = core_.state.move(id);
    if (found == nullptr)
        return;
    const auto session = found->session;
    const auto newcomer = core_.planner->promised_to(session);
    core_.mover->interrupt(id);
    core_.mover->go_back(
        id,
        [this, newcomer, error](Change& change, MoveRow& row) {
            retire(change, row.to);
            row.error = error.message();
            if (newcomer)
                unplace(change, *newcomer);
        },
        [this, session, newcomer] {
            core_.planner->handoff_cancelled(session, newcomer);
            core_.reconciler->reap();
        });
}

Outcomes::Held Outcomes::hold_move_of(const SessionId& session) const {
    const auto* move = core_.state.move_of(session);
    return move == nullptr ? Held{} : Held{{move->id, core_.mover->hold(move->id)}};
}

bool Outcomes::overtaken(const SessionId& session, const Held& held) const {
    if (held)
        return !core_.mover->holds(held->first, held->second);
    const auto* move = core_.state.move_of(session);
    return move != nullptr && move->kind != MoveKind::handoff;
}

void Outcomes::settled(const SessionId& session) {
    failed_starts_.erase(session);
}

bool Outcomes::lost_too_often(const SessionId& session) {
    auto& times = losses_[session];
    const auto now = core_.clock.monotonic();
    times.push_back(now);
    while (now - times.front() > losses_within)
        times.pop_front();
    return times.size() > losses_allowed;
}

void Outcomes::replace(const SessionId& id, const std::string& why) {
    const auto* session = core_.state.session(id);
    if (session == nullptr || session->phase == SessionPhase::closing)
        return;
    const Error error{Errc::unavailable,
                      fmt::format("the desktop of {} was lost", session->user.value), why, 0};
    if (lost_too_often(id))
        return end(id, error.message(), error);
    core_.persist(
        [this, id, why, held = hold_move_of(id)]() -> Built {
            const auto* row = core_.state.session(id);
            if (row == nullptr || row->phase == SessionPhase::closing || overtaken(id, held))
                return std::nullopt;
            Change change;
            retire_desktops(change, id);
            if (const auto* move = core_.state.move_of(id)) {
                auto failed = *move;
                failed.phase = MovePhase::failed;
                failed.error = why;
                change.moves.push_back(failed);
            }
            MoveRow open;
            open.session = id;
            open.kind = MoveKind::open;
            open.reason = std::string(reason::replace) + why;
            open.started = core_.clock.wall();
            change.moves.push_back(open);
            auto waiting = *row;
            waiting.phase = SessionPhase::waiting;
            waiting.desktop = {};
            change.sessions.push_back(waiting);
            core_.tell(change, "desktop.lost", id.value,
                       fmt::format("{} has lost the desktop and gets another one, with the desk "
                                   "as it was last flushed: {}",
                                   waiting.user.value, why));
            return change;
        },
        [this, id, error] {
            core_.planner->left(id);
            core_.reconciler->reap();
            core_.doors->grown(id, tl::unexpected(error));
            core_.planner->wake();
        });
}

void Outcomes::end(const SessionId& id, const std::string& because,
                   const std::optional<Error>& error) {
    const auto* session = core_.state.session(id);
    if (session == nullptr || session->phase == SessionPhase::closing)
        return;
    // Whatever else is decided meanwhile, the session ends: this is not overtaken.
    static_cast<void>(hold_move_of(id));
    core_.persist(
        [this, id, because, failed = error.has_value()]() -> Built {
            const auto* row = core_.state.session(id);
            if (row == nullptr || row->phase == SessionPhase::closing)
                return std::nullopt;
            Change change;
            for (const auto& desktop : core_.state.desktops_of(id))
                if (desktop.phase != DesktopPhase::ready)
                    retire(change, desktop.id);
            if (const auto* move = core_.state.move_of(id)) {
                auto ended = *move;
                ended.phase = MovePhase::failed;
                ended.error = because;
                change.moves.push_back(ended);
            }
            MoveRow close;
            close.session = id;
            close.kind = MoveKind::close;
            close.phase = MovePhase::releasing;
            close.reason = std::string(reason::close);
            close.started = core_.clock.wall();
            change.moves.push_back(close);
            auto closing = *row;
            closing.phase = SessionPhase::closing;
            closing.ended_because = because;
            change.sessions.push_back(closing);
            if (failed)
                core_.tell(
                    change, "session.failed", id.value,
                    fmt::format("The session of {} is ended: {}", closing.user.value, because));
            return change;
        },
        [this, id, because, error] {
            failed_starts_.erase(id);
            losses_.erase(id);
            core_.doors->ending(
                id,
                error.value_or(Error{Errc::cancelled, "the session is being closed", because, 0}));
            core_.planner->left(id);
            core_.reconciler->reap();
            if (const auto* move = core_.state.move_of(id))
                core_.mover->drive(move->id);
        });
}

} // namespace baton::handoff
