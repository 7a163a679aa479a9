#include "handoff/state.h"

#include <algorithm>

namespace baton::handoff {
namespace {

template <class Map, class Key>
auto find_in(const Map& map, const Key& key) -> const typename Map::mapped_type* {
    const auto found = map.find(key);
    return found == map.end() ? nullptr : &found->second;
}

bool ended(const store::MoveRow& move) {
    return move.phase == store::MovePhase::done || move.phase == store::MovePhase::failed;
}

} // namespace

Result<void> State::load() {
    const auto hosts = store_->hosts();
    const auto sessions = store_->sessions(true);
    const auto desktops = store_->desktops();
    const auto moves = store_->moves(false);
    for (const auto* error :
         {hosts ? nullptr : &hosts.error(), sessions ? nullptr : &sessions.error(),
          desktops ? nullptr : &desktops.error(), moves ? nullptr : &moves.error()})
        if (error != nullptr)
            return tl::unexpected(error->in("loading the state"));
    for (const auto& row : *hosts)
        hosts_[row.id] = row;
    for (const auto& row : *sessions)
        put(row);
    for (const auto& row : *desktops)
        put(row);
    for (const auto& row : *moves)
        put(row);
    return {};
}

Result<void> State::commit(store::Change& change) {
    BATON_TRY(store_->commit(change));
    apply(change);
    if (!change.events.empty() && on_events)
        on_events(change.events);
    return {};
}

void State::apply(const store::Change& change) {
    for (const auto& row : change.hosts)
        hosts_[row.id] = row;
    for (const auto& row : change.sessions)
        put(row);
    for (const auto& row : change.desktops)
        put(row);
    for (const auto& row : change.moves)
        put(row);
    for (const auto& id : change.removed_hosts)
        hosts_.erase(id);
    for (const auto& id : change.removed_desktops) {
        const auto found = desktops_.find(id);
        if (found == desktops_.end())
            continue;
        ledger_.remove(found->second);
        const auto [begin, end] = desktops_of_session_.equal_range(found->second.session);
        const auto link =
            std::find_if(begin, end, [&](const auto& entry) { return entry.second == id; });
        if (link != end)
            desktops_of_session_.erase(link);
        desktops_.erase(found);
    }
}

void State::put(const store::SessionRow& row) {
    last_joined_ = std::max(last_joined_, row.joined);
    if (row.phase != store::SessionPhase::closed) {
        sessions_[row.id] = row;
        session_of_user_[row.user] = row.id;
        return;
    }
    sessions_.erase(row.id);
    const auto owner = session_of_user_.find(row.user);
    if (owner != session_of_user_.end() && owner->second == row.id)
        session_of_user_.erase(owner);
}

void State::put(const store::DesktopRow& row) {
    const auto found = desktops_.find(row.id);
    if (found == desktops_.end()) {
        desktops_of_session_.emplace(row.session, row.id);
        desktops_[row.id] = row;
    } else {
        ledger_.remove(found->second);
        found->second = row;
    }
    ledger_.add(row);
}

void State::put(const store::MoveRow& row) {
    if (!ended(row)) {
        moves_[row.id] = row;
        move_of_session_[row.session] = row.id;
        return;
    }
    moves_.erase(row.id);
    const auto current = move_of_session_.find(row.session);
    if (current != move_of_session_.end() && current->second == row.id)
        move_of_session_.erase(current);
}

const store::HostRow* State::host(const HostId& id) const {
    return find_in(hosts_, id);
}

const store::SessionRow* State::session(const SessionId& id) const {
    return find_in(sessions_, id);
}

const store::SessionRow* State::session_of(const UserName& user) const {
    const auto* id = find_in(session_of_user_, user);
    return id == nullptr ? nullptr : session(*id);
}

const store::DesktopRow* State::desktop(const DesktopId& id) const {
    return find_in(desktops_, id);
}

const store::MoveRow* State::move(std::uint64_t id) const {
    return find_in(moves_, id);
}

const store::MoveRow* State::move_of(const SessionId& session) const {
    const auto* id = find_in(move_of_session_, session);
    return id == nullptr ? nullptr : move(*id);
}

std::vector<store::DesktopRow> State::desktops_of(const SessionId& session) const {
    std::vector<store::DesktopRow> rows;
    const auto [begin, end] = desktops_of_session_.equal_range(session);
    for (auto at = begin; at != end; ++at)
        rows.push_back(desktops_.at(at->second));
    return rows;
}

std::vector<store::DesktopRow> State::desktops_on(const HostId& host) const {
    std::vector<store::DesktopRow> rows;
    for (const auto& [id, row] : desktops_)
        if (row.host == host)
            rows.push_back(row);
    return rows;
}

std::vector<store::SessionRow> State::sessions_in_order() const {
    std::vector<store::SessionRow> rows;
    rows.reserve(sessions_.size());
    for (const auto& [id, row] : sessions_)
        rows.push_back(row);
    std::ranges::sort(rows, {}, &store::SessionRow::joined);
    return rows;
}

Mebibytes State::lends(const HostId& host) const {
    const auto* row = this->host(host);
    return row == nullptr || row->memory < row->reserve ? Mebibytes() : row->memory - row->reserve;
}

} // namespace baton::handoff
