#include "handoff/reconciler.h"

#include "handoff/doors.h"
#include "handoff/mover.h"
#include "handoff/outcomes.h"
#include "handoff/planner.h"

#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <set>

namespace baton::handoff {

using store::Change;
using store::DesktopPhase;
using store::DesktopRow;
using store::MoveKind;
using store::MovePhase;
using store::MoveRow;
using store::SessionPhase;

namespace {

std::string facts_as_json(const HostFacts& facts) {
    return boost::json::serialize(boost::json::object{
        {"address", facts.address},
        {"memory_mib", facts.memory.count},
        {"processors", facts.processors},
        {"kvm", facts.acceleration.kvm},
        {"acceleration", facts.acceleration.reason},
        {"agent_version", facts.agent_version},
    });
}

} // namespace

// ---- hosts ----------------------------------------------------------------------

void Reconciler::begin() {
    for (const auto& [id, host] : core_.state.hosts())
        if (host.joined)
            await_return(id);
}

bool Reconciler::is_up(const HostId& host) const {
    const auto found = hosts_.find(host);
    return found != hosts_.end() && found->second.connected && found->second.listed;
}

bool Reconciler::is_connected(const HostId& host) const {
    const auto found = hosts_.find(host);
    return found != hosts_.end() && found->second.connected;
}

bool Reconciler::is_lost(const HostId& host) const {
    const auto found = hosts_.find(host);
    return found != hosts_.end() && found->second.lost;
}

void Reconciler::forget_host(const HostId& host) {
    if (const auto found = hosts_.find(host); found != hosts_.end()) {
        if (found->second.lost_timer)
            core_.clock.cancel(*found->second.lost_timer);
        hosts_.erase(found);
    }
    core_.planner->host_lost(host);
}

void Reconciler::host_up(const HostFacts& facts) {
    if (core_.state.host(facts.id) == nullptr)
        return; // not invited, or removed while it was connected
    // A host that comes again without having gone: its connection is a new one.
    if (is_connected(facts.id))
        host_down(facts.id);
    auto& presence = hosts_[facts.id];
    presence.connected = true;
    presence.listed = false;
    const auto turn = ++presence.turn;
    if (presence.lost_timer)
        core_.clock.cancel(*presence.lost_timer);
    presence.lost_timer.reset();
    core_.persist(
        [this, facts]() -> Built {
            const auto* known = core_.state.host(facts.id);
            if (known == nullptr)
                return std::nullopt;
            Change change;
            auto row = *known;
            row.joined = true;
            row.memory = facts.memory;
            if (!facts.address.empty())
                row.address = facts.address;
            row.facts_json = facts_as_json(facts);
            row.last_seen = core_.clock.wall();
            change.hosts.push_back(row);
            core_.tell(change, "host.up", facts.id.value,
                       fmt::format("{} is connected and lends {}.", facts.id.value,
                                   to_string(row.memory - row.reserve)));
            return change;
        },
        [this, host = facts.id, turn] { list(host, turn, 0); });
}

void Reconciler::list(const HostId& host, std::uint64_t turn, unsigned attempt) {
    if (hosts_[host].turn != turn)
        return;
    core_.fleet.list(
        host, core_.guarded<std::vector<DesktopInfo>>(
                  [this, host, turn, attempt](const Result<std::vector<DesktopInfo>>& result) {
                      if (hosts_[host].turn != turn || hosts_[host].listed)
                          return;
                      if (result)
                          return listed(host, turn, *result);
                      core_.later(Core::backoff(attempt),
                                  [this, host, turn, attempt] { list(host, turn, attempt + 1); });
                  }));
}

/// The difference between what runs there and what should: what nobody knows is to be stopped,
/// what should run and does not is gone.
void Reconciler::listed(const HostId& host, std::uint64_t turn,
                        const std::vector<DesktopInfo>& desktops) {
    std::set<DesktopId> running;
    for (const auto& info : desktops)
        if (info.running)
            running.insert(info.id);
    core_.persist(
        [this, host, turn, desktops]() -> Built {
            if (hosts_[host].turn != turn)
                return std::nullopt;
            Change change;
            for (const auto& info : desktops) {
                const auto* known = core_.state.desktop(info.id);
                if (known != nullptr && known->phase != DesktopPhase::planned)
                    continue;
                change.desktops.push_back({info.id,
                                           info.session,
                                           host,
                                           info.memory,
                                           info.image,
                                           DesktopPhase::stopping,
                                           info.screen,
                                           {}});
                core_.tell(change, "desktop.unknown", info.id.value,
                           fmt::format("Desktop {} on {} belongs to nobody and is stopped.",
                                       info.id.value, host.value));
            }
            return change;
        },
        [this, host, turn, running, desktops] {
            if (hosts_[host].turn != turn)
                return;
            hosts_[host].listed = true;
            hosts_[host].lost = false;
            for (const auto& row : core_.state.desktops_on(host)) {
                if (running.contains(row.id))
                    continue;
                if (row.phase == DesktopPhase::ready)
                    desktop_gone(row.id, "it did not run any more when its host came back");
                else if (row.phase == DesktopPhase::stopping)
                    stop(row); // not running is not yet "confirmed gone": an overlay may be left
            }
            for (const auto& info : desktops) {
                check_desk(info);
                check_screen(info);
            }
            core_.planner->host_ready(host);
            reap();
            core_.planner->wake();
        });
}

/// A session that serves must have its desk in its desktop under the last number.
void Reconciler::check_desk(const DesktopInfo& info) {
    const auto* row = core_.state.desktop(info.id);
    const auto* session = row == nullptr ? nullptr : core_.state.session(row->session);
    if (session == nullptr || session->desktop != info.id || session->desk.empty() ||
        session->phase != SessionPhase::serving || core_.state.move_of(session->id) != nullptr)
        return;
    const auto desk = core_.store.desk(session->desk);
    if (!desk || !*desk)
        return;
    const bool stale = info.desk_fence.value != 0 && info.desk_fence != (*desk)->fence;
    if (!info.desk_attached || stale)
        core_.outcomes->replace(session->id, "its desktop does not hold the desk any more");
}

/// A password may have been written down and not have reached the screen.
void Reconciler::check_screen(const DesktopInfo& info) {
    const auto* row = core_.state.desktop(info.id);
    const auto* session = row == nullptr ? nullptr : core_.state.session(row->session);
    if (session != nullptr && session->desktop == info.id)
        core_.mover->keep_route(session->id, true);
}

void Reconciler::host_down(const HostId& host) {
    const auto found = hosts_.find(host);
    if (found == hosts_.end() || !found->second.connected)
        return;
    found->second.connected = false;
    found->second.listed = false;
    ++found->second.turn;
    for (const auto& desktop : core_.state.desktops_on(host))
        reaping_.erase(desktop.id);
    core_.planner->host_away(host);
    await_return(host);
    // What has not begun to serve is tried elsewhere at once; what serves may well still run.
    const Error error{Errc::unavailable, fmt::format("{} cannot be reached", host.value), {}, 0};
    for (const auto& desktop : core_.state.desktops_on(host)) {
        const auto* move = core_.state.move_of(desktop.session);
        if (move == nullptr || move->to != desktop.id || move->kind == MoveKind::close)
            continue;
        if (move->phase == MovePhase::planned || move->phase == MovePhase::preparing)
            core_.outcomes->start_failed(move->id, error);
        else if (move->phase == MovePhase::announcing)
            core_.outcomes->abandon(move->id, error, false);
    }
}

void Reconciler::await_return(const HostId& host) {
    auto& presence = hosts_[host];
    const auto turn = presence.turn;
    presence.lost_timer = core_.later(core_.settings.host_lost_after, [this, host, turn] {
        if (hosts_[host].turn == turn && !hosts_[host].connected)
            lose(host);
    });
}

void Reconciler::lose(const HostId& host) {
    hosts_[host].lost_timer.reset();
    hosts_[host].lost = true;
    const auto before = core_.state.desktops_on(host);
    core_.persist(
        [this, host, before]() -> Built {
            if (!is_lost(host))
                return std::nullopt;
            Change change;
            for (const auto& desktop : before)
                core_.outcomes->retire(change, desktop.id);
            core_.tell(change, "host.lost", host.value,
                       fmt::format("{} has been away for {} s: {} desktops are placed anew.",
                                   host.value, core_.settings.host_lost_after.count() / 1000,
                                   before.size()));
            return change;
        },
        [this, host, before] {
            core_.planner->host_lost(host);
            const auto why = fmt::format("{} is lost", host.value);
            for (const auto& desktop : before)
                consequences(desktop, why);
            core_.planner->wake();
        });
}

// ---- desktops ----------------------------------------------------------------------

void Reconciler::desktop_gone(const DesktopId& id, const std::string& why) {
    const auto* row = core_.state.desktop(id);
    if (row == nullptr || row->phase == DesktopPhase::planned)
        return;
    if (row->phase == DesktopPhase::stopping)
        return stopped(id);
    core_.persist(
        [this, id]() -> Built {
            if (core_.state.desktop(id) == nullptr)
                return std::nullopt;
            // A start may be on its way to the host a second time, from before a restart of the
            // controller, and an overlay may be left: only a stop, which comes after both,
            // confirms that nothing is there.
            Change change;
            core_.outcomes->retire(change, id);
            return change;
        },
        [this, gone = *row, why] {
            consequences(gone, why);
            reap();
            core_.planner->wake();
        });
}

void Reconciler::finish_losses() {
    std::vector<std::pair<MoveRow, DesktopRow>> lost;
    for (const auto& [id, move] : core_.state.moves()) {
        if (move.kind == MoveKind::close || move.to.empty())
            continue;
        const auto* to = core_.state.desktop(move.to);
        if (to == nullptr) {
            DesktopRow gone;
            gone.id = move.to;
            gone.session = move.session;
            lost.emplace_back(move, gone);
        } else if (to->phase == DesktopPhase::stopping && move.phase != MovePhase::returning)
            lost.emplace_back(move, *to);
    }
    for (const auto& [move, desktop] : lost)
        consequences_for_move(move, desktop, "it was lost before the controller started");
}

void Reconciler::consequences(const DesktopRow& desktop, const std::string& why) {
    const auto* session = core_.state.session(desktop.session);
    if (session == nullptr)
        return;
    const auto* move = core_.state.move_of(session->id);
    if (move == nullptr) {
        if (session->desktop == desktop.id)
            core_.outcomes->replace(session->id, why);
        return;
    }
    consequences_for_move(*move, desktop, why);
}

void Reconciler::consequences_for_move(const MoveRow& found, const DesktopRow& desktop,
                                       const std::string& why) {
    const MoveRow move = found; // NOLINT(performance-*): the found one changes meanwhile
    const Error error{
        Errc::unavailable,
        fmt::format("desktop {} on {} was lost", desktop.id.value, desktop.host.value), why, 0};
    const bool is_to = move.to == desktop.id && move.kind != MoveKind::close;
    const bool is_from = move.from == desktop.id && move.kind == MoveKind::handoff;
    if (is_from && move.phase != MovePhase::preparing && move.phase != MovePhase::planned) {
        core_.mover->interrupt_for_loss(move.id);
        return;
    }
    if (!is_to)
        return core_.mover->drive(move.id);
    switch (move.phase) {
    case MovePhase::planned:
    case MovePhase::preparing:
        return core_.outcomes->start_failed(move.id, error);
    case MovePhase::announcing:
        return core_.outcomes->abandon(move.id, error, false);
    case MovePhase::releasing: {
        const auto* from = core_.state.desktop(move.from);
        if (from != nullptr && from->phase == DesktopPhase::ready)
            return core_.outcomes->return_desk(move.id, error);
        return core_.outcomes->replace(move.session, why);
    }
    case MovePhase::leasing:
    case MovePhase::attaching:
    case MovePhase::routing:
    case MovePhase::draining:
        return core_.outcomes->replace(move.session, why);
    case MovePhase::returning:
    case MovePhase::done:
    case MovePhase::failed:
        return;
    }
}

void Reconciler::reap() {
    std::vector<DesktopRow> rows;
    for (const auto& [id, row] : core_.state.desktops())
        if (row.phase == DesktopPhase::stopping && is_up(row.host))
            rows.push_back(row);
    for (const auto& row : rows)
        stop(row);
}

void Reconciler::stop(const DesktopRow& row) {
    auto& reaping = reaping_[row.id];
    if (reaping.busy || !is_up(row.host))
        return;
    reaping.busy = true;
    const auto turn = ++turns_;
    reaping.turn = turn;
    const auto attempt = reaping.attempts++;
    core_.fleet.stop(
        row.host, row.id,
        core_.guarded<void>([this, id = row.id, turn, attempt](const Result<void>& result) {
            const auto found = reaping_.find(id);
            if (found == reaping_.end() || found->second.turn != turn)
                return;
            found->second.turn = 0;
            if (result)
                return stopped(id);
            core_.later(Core::backoff(attempt), [this, id] {
                if (const auto again = reaping_.find(id);
                    again != reaping_.end() && again->second.turn == 0)
                    again->second.busy = false;
                if (const auto* left = core_.state.desktop(id))
                    stop(*left);
            });
        }));
}

void Reconciler::stopped(const DesktopId& id) {
    core_.persist(
        [this, id]() -> Built {
            if (core_.state.desktop(id) == nullptr)
                return std::nullopt;
            Change change;
            change.removed_desktops.push_back(id);
            return change;
        },
        [this, id] {
            reaping_.erase(id);
            core_.planner->wake();
        });
}

} // namespace baton::handoff
