#include "handoff/planner.h"

#include "handoff/doors.h"
#include "handoff/mover.h"
#include "handoff/outcomes.h"
#include "handoff/reconciler.h"

#include <fmt/format.h>

#include <algorithm>

// Places for newcomers, and the allocator's books.
namespace baton::handoff {

using store::Change;
using store::DesktopPhase;
using store::DesktopRow;
using store::MoveKind;
using store::MovePhase;
using store::MoveRow;
using store::SessionPhase;
using store::SessionRow;

// ---- the allocator's books ------------------------------------------------------------

Result<void> Planner::rebuild() {
    auto made = allocation::make_allocator(core_.settings.policy, core_.settings.sizes, {});
    if (!made)
        return tl::unexpected(made.error());
    if (auto change = unplan_all(); !change.moves.empty()) {
        BATON_TRY(core_.state.commit(change));
        const Error again{Errc::busy, "memory is being planned anew", "ask again", 0};
        for (const auto& move : change.moves)
            if (move.kind == MoveKind::handoff)
                core_.doors->grown(move.session, tl::unexpected(again));
    }
    allocator_ = *std::move(made);
    known_.clear();
    loads_.unplan_all();
    waits_for_.clear();
    Change told;
    for (const auto& [id, host] : core_.state.hosts()) {
        const auto lends = core_.state.lends(id);
        if (!host.joined || core_.reconciler->is_lost(id))
            continue;
        const auto added =
            allocator_->add_host({id, lends, core_.reconciler->is_up(id) && !host.draining});
        if (added)
            known_[id] = lends;
        else
            core_.tell(
                told, "host.lends_nothing", id.value,
                fmt::format("No desktop is started on {}: {}", id.value, added.error().message()));
    }
    for (const auto& session : core_.state.sessions_in_order())
        adopt(session, told);
    for (const auto& session : deferred_)
        allocator_->set_movable(session, false);
    rebuild_wanted_ = false;
    if (!told.events.empty())
        static_cast<void>(core_.state.commit(told)); // only told: nothing hangs on it
    return {};
}

void Planner::add_host(const store::HostRow& host, Change& told) {
    const auto lends = core_.state.lends(host.id);
    const bool accepts = core_.reconciler->is_up(host.id) && !host.draining;
    if (const auto added = allocator_->add_host({host.id, lends, accepts}); !added)
        core_.tell(
            told, "host.lends_nothing", host.id.value,
            fmt::format("No desktop is started on {}: {}", host.id.value, added.error().message()));
    known_[host.id] = lends;
}

Change Planner::unplan_all() const {
    Change change;
    for (const auto& [id, move] : core_.state.moves()) {
        if (move.phase != MovePhase::planned || move.to.empty())
            continue;
        if (move.kind == MoveKind::open) {
            core_.outcomes->unplace(change, move.session);
            continue;
        }
        core_.outcomes->retire(change, move.to);
        auto row = move;
        row.phase = MovePhase::failed;
        row.error = "planned anew";
        change.moves.push_back(row);
        auto session = *core_.state.session(move.session);
        session.phase = SessionPhase::serving;
        change.sessions.push_back(session);
    }
    return change;
}

void Planner::adopt(const SessionRow& session, Change& told) {
    if (session.phase == SessionPhase::closing)
        return;
    const auto in_use = [&](const DesktopId& id) -> const DesktopRow* {
        const auto* desktop = core_.state.desktop(id);
        return desktop != nullptr && Ledger::takes_memory(*desktop) ? desktop : nullptr;
    };
    const auto* move = core_.state.move_of(session.id);
    const auto* from = in_use(move == nullptr ? session.desktop : move->from);
    const auto* to = move == nullptr ? nullptr : in_use(move->to);
    if (from != nullptr && from->phase == DesktopPhase::stopping &&
        (move == nullptr || move->phase != MovePhase::draining))
        from = nullptr;
    if (to != nullptr && to->phase == DesktopPhase::stopping)
        to = nullptr;
    const auto* first = from != nullptr ? from : to;
    if (first == nullptr)
        return;
    take_advice(session, nullptr);
    auto done = allocator_->adopt(session.id, first->host, first->memory, session.joined);
    if (done && from != nullptr && to != nullptr)
        done = allocator_->adopt_handoff(session.id, to->host, to->memory);
    if (!done)
        core_.tell(told, "allocation.mismatch", session.id.value,
                   fmt::format("The desktop of {} does not fit the present sizes and hosts; it "
                               "runs on, and new desktops wait for its memory: {}",
                               session.user.value, done.error().message()));
}

void Planner::left(const SessionId& session) {
    static_cast<void>(allocator_->leave(session)); // not_found: had no place
    waits_for_.erase(session);
    needed_handoff_.erase(session);
    told_to_wait_.erase(session);
    failed_moves_.erase(session);
    std::erase_if(waits_for_, [&](const auto& entry) { return entry.second == session; });
    wake();
}

void Planner::handoff_finished(const SessionId& session) {
    static_cast<void>(allocator_->finish_handoff(session)); // not under way: its host was lost
    std::erase_if(waits_for_, [&](const auto& entry) { return entry.second == session; });
    failed_moves_.erase(session);
    wake();
}

void Planner::handoff_cancelled(const SessionId& session,
                                const std::optional<SessionId>& newcomer) {
    ++failed_moves_[session];
    if (newcomer) {
        static_cast<void>(allocator_->leave(*newcomer));
        waits_for_.erase(*newcomer);
    }
    static_cast<void>(allocator_->cancel_handoff(session));
}

std::optional<SessionId> Planner::promised_to(const SessionId& session) const {
    for (const auto& [newcomer, whose] : waits_for_)
        if (whose == session)
            return newcomer;
    return std::nullopt;
}

bool Planner::needed_handoff(const SessionId& newcomer) const {
    return needed_handoff_.contains(newcomer);
}

void Planner::defer(const SessionId& session) {
    deferred_.insert(session);
    allocator_->set_movable(session, false);
    core_.later(core_.settings.not_now_delay, [this, session] {
        deferred_.erase(session);
        failed_moves_.erase(session);
        allocator_->set_movable(session, true);
        wake();
    });
}

void Planner::host_ready(const HostId& host) {
    const auto* row = core_.state.host(host);
    if (row == nullptr || !row->joined)
        return;
    const auto found = known_.find(host);
    if (found == known_.end()) {
        Change told;
        add_host(*row, told);
        if (!told.events.empty())
            static_cast<void>(core_.state.commit(told)); // only told: nothing hangs on it
    } else if (found->second != core_.state.lends(host)) {
        rebuild_wanted_ = true;
    } else {
        static_cast<void>(
            allocator_->set_accepts(host, core_.reconciler->is_up(host) && !row->draining));
    }
    wake();
}

void Planner::host_away(const HostId& host) {
    if (known_.contains(host))
        static_cast<void>(allocator_->set_accepts(host, false));
}

void Planner::host_lost(const HostId& host) {
    // Whose place was there is told by the reconciler, desktop by desktop.
    if (known_.erase(host) == 0)
        return;
    static_cast<void>(allocator_->lose_host(host));
    loads_.unplan(host);
}

Mebibytes Planner::free_memory() const {
    return allocator_ ? allocator_->free_total() : Mebibytes();
}

// ---- newcomers ----------------------------------------------------------------------

void Planner::wake() {
    if (std::exchange(woken_, true))
        return;
    core_.post([this] {
        woken_ = false;
        pump();
    });
}

void Planner::wake_later(std::chrono::nanoseconds delay) {
    core_.later(delay, [this] { wake(); });
}

void Planner::pump() {
    if (rebuild_wanted_ && !rebuild())
        return wake_later(std::chrono::seconds(1));
    take_loads();
    place_newcomers();
    evacuate_draining();
    let_grow();
    core_.mover->drive_all();
    finish_drains();
}

std::vector<SessionRow> Planner::queue() const {
    std::vector<SessionRow> rows;
    for (const auto& [id, move] : core_.state.moves())
        if (move.kind == MoveKind::open && move.phase == MovePhase::planned && move.to.empty())
            rows.push_back(*core_.state.session(move.session));
    std::ranges::sort(rows, {}, &SessionRow::joined);
    return rows;
}

bool Planner::has_queue() const {
    return std::ranges::any_of(core_.state.moves(), [](const auto& entry) {
        const MoveRow& move = entry.second;
        return move.kind == MoveKind::open && move.phase == MovePhase::planned && move.to.empty();
    });
}

void Planner::place_newcomers() {
    for (const auto& newcomer : queue()) {
        const auto placing = place(newcomer, *core_.state.move_of(newcomer.id));
        if (placing && *placing == Placing::placed)
            continue;
        if (!placing && placing.error().code == Errc::refused) {
            if (!may_wait_on(newcomer, placing.error()))
                core_.outcomes->end(newcomer.id, placing.error().message(), placing.error());
            continue;
        }
        if (!placing)
            wake_later(std::chrono::seconds(1)); // the store failed
        return; // those behind wait too: plans are made in the order of joining
    }
}

/// Who had a desktop and lost it is not sent away for want of room: the host may come back, or
/// somebody leave, before waiting_deadline.
bool Planner::may_wait_on(const SessionRow& session, const Error& refusal) {
    const auto* move = core_.state.move_of(session.id);
    if (move == nullptr || !move->reason.starts_with(reason::replace))
        return false;
    if (told_to_wait_.insert(session.id).second) {
        Change change;
        core_.tell(change, "session.waiting", session.id.value,
                   fmt::format("{} waits for another desktop, at most {} s: {}", session.user.value,
                               core_.settings.waiting_deadline.count() / 1000, refusal.message()));
        static_cast<void>(core_.state.commit(change)); // only told: nothing hangs on it
    }
    return true;
}

bool Planner::hosts_may_come_back() const {
    return std::ranges::any_of(core_.state.hosts(), [&](const auto& entry) {
        return entry.second.joined && !entry.second.draining &&
               !core_.reconciler->is_up(entry.first) && !core_.reconciler->is_lost(entry.first);
    });
}

bool Planner::can_move(const SessionId& id) const {
    const auto* session = core_.state.session(id);
    return session != nullptr && session->phase == SessionPhase::serving &&
           core_.state.move_of(id) == nullptr && !deferred_.contains(id);
}

Result<Planner::Placing> Planner::place(const SessionRow& newcomer, const MoveRow& open,
                                        Change change) {
    take_loads();
    take_advice(newcomer, &change);
    auto plan = allocator_->join(newcomer.id);
    if (!plan && plan.error().code == Errc::busy)
        return Placing::waits;
    if (!plan && plan.error().code == Errc::refused && hosts_may_come_back())
        return Placing::waits;
    if (!plan)
        return tl::unexpected(plan.error());
    // Who is to be handed off has to be served first: one move at a time for each session.
    if (plan->handoff && !can_move(plan->handoff->session)) {
        take_back(*plan);
        return Placing::waits;
    }
    add_place(change, newcomer, open, *plan);
    if (auto written = core_.state.commit(change); !written) {
        take_back(*plan);
        return tl::unexpected(written.error());
    }
    if (plan->handoff) {
        waits_for_[newcomer.id] = plan->handoff->session;
        needed_handoff_.insert(newcomer.id);
    }
    wake();
    return Placing::placed;
}

void Planner::take_back(const allocation::JoinPlan& plan) {
    static_cast<void>(allocator_->leave(plan.session));
    if (plan.handoff)
        static_cast<void>(allocator_->cancel_handoff(plan.handoff->session));
}

DesktopRow Planner::new_desktop(const SessionRow& session, const HostId& host,
                                Mebibytes memory) const {
    DesktopRow desktop;
    desktop.id = DesktopId(core_.new_id("d-"));
    desktop.session = session.id;
    desktop.host = host;
    desktop.memory = memory;
    desktop.image = session.image;
    if (session.route == RouteKind::gateway)
        desktop.screen_ticket = core_.new_ticket();
    return desktop;
}

void Planner::add_place(Change& change, SessionRow newcomer, MoveRow open,
                        const allocation::JoinPlan& plan) const {
    const DesktopRow to = new_desktop(newcomer, plan.block.host, plan.block.size);
    newcomer.desktop = to.id;
    newcomer.phase = SessionPhase::waiting;
    open.to = to.id;
    change.desktops.push_back(to);
    change.sessions.push_back(newcomer);
    change.moves.push_back(open);
    if (plan.handoff) {
        add_handoff(change, *plan.handoff, std::string(reason::join) + newcomer.user.value);
        core_.tell(change, "session.waiting", newcomer.id.value,
                   fmt::format("{} gets {} as soon as another desktop has become smaller; its "
                               "person is given up to {} s to save.",
                               newcomer.user.value, to_string(to.memory),
                               core_.settings.grace.count() / 1000));
    }
}

bool Planner::admits(const MoveRow& move) const {
    const auto* to = core_.state.desktop(move.to);
    if (to == nullptr || waits_for_.contains(move.session))
        return false;
    return core_.state.ledger().admits(to->host, core_.state.lends(to->host), to->memory);
}

} // namespace baton::handoff
