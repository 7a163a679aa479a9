#include "store/memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

namespace baton::store {

struct MemoryStore::Data {
    std::map<UserName, UserRow> users;
    std::map<HostId, HostRow> hosts;
    std::map<GatewayId, GatewayRow> gateways;
    std::map<std::string, ClientRow> clients;
    std::map<DeskName, DeskRow> desks;
    std::map<SessionId, SessionRow> sessions;
    std::map<DesktopId, DesktopRow> desktops;
    std::map<std::uint64_t, MoveRow> moves;
    std::map<std::uint64_t, EventRow> events;
    std::map<std::string, TokenRow> tokens;
    std::map<std::string, std::string> settings;
    std::uint64_t last_move = 0;
    std::uint64_t last_event = 0;

    Result<void> apply(const Change& change, std::vector<std::uint64_t>& move_ids,
                       std::vector<std::uint64_t>& event_ids);
    [[nodiscard]] Result<void> check() const;
    Pruned prune(const Bounds& bounds);
    /// What moves, desktops and desks name.
    [[nodiscard]] std::set<SessionId> named_sessions() const;
};

namespace {

template <class Map>
auto values_of(const Map& map) {
    std::vector<typename Map::mapped_type> values;
    values.reserve(map.size());
    for (const auto& [key, value] : map)
        values.push_back(value);
    return values;
}

template <class Map, class Key>
auto value_at(const Map& map, const Key& key) {
    const auto found = map.find(key);
    return found == map.end() ? std::nullopt : std::optional(found->second);
}

} // namespace

Result<void> MemoryStore::Data::apply(const Change& change, std::vector<std::uint64_t>& move_ids,
                                      std::vector<std::uint64_t>& event_ids) {
    for (const auto& row : change.users)
        users[row.name] = row;
    for (const auto& row : change.gateways)
        gateways[row.id] = row;
    for (const auto& row : change.clients)
        clients[row.mac] = row;
    for (const auto& row : change.hosts)
        hosts[row.id] = row;
    for (const auto& row : change.desks) {
        const auto old = desks.find(row.name);
        if (old != desks.end() && row.fence < old->second.fence)
            return fail(Errc::conflict,
                        fmt::format("the desk '{}' has been given a larger fencing number than {} "
                                    "meanwhile",
                                    row.name.value, row.fence.value),
                        "read it again and repeat the change");
        desks[row.name] = row;
    }
    for (const auto& row : change.sessions)
        sessions[row.id] = row;
    for (const auto& row : change.desktops)
        desktops[row.id] = row;
    for (auto row : change.moves) {
        row.id = row.id != 0 ? row.id : last_move + 1;
        last_move = std::max(last_move, row.id);
        moves[row.id] = row;
        move_ids.push_back(row.id);
    }
    for (auto row : change.events) {
        row.seq = row.seq != 0 ? row.seq : last_event + 1;
        last_event = std::max(last_event, row.seq);
        events[row.seq] = row;
        event_ids.push_back(row.seq);
    }
    for (const auto& row : change.tokens)
        tokens[row.token_sha256] = row;
    for (const auto& [key, value] : change.settings)
        settings[key] = value;
    for (const auto& key : change.removed_gateways)
        gateways.erase(key);
    for (const auto& key : change.removed_clients)
        clients.erase(key);
    for (const auto& key : change.removed_hosts)
        hosts.erase(key);
    for (const auto& key : change.removed_desks)
        desks.erase(key);
    for (const auto& key : change.removed_desktops)
        desktops.erase(key);
    for (const auto& key : change.removed_moves)
        moves.erase(key);
    for (const auto& key : change.removed_tokens)
        tokens.erase(key);
    return check();
}

/// The constraints of the SQL schema.
Result<void> MemoryStore::Data::check() const {
    const auto broken = [](const std::string& what) { return fail(Errc::conflict, what); };
    std::set<UserName> people;
    std::set<std::pair<std::string, std::uint16_t>> routes;
    for (const auto& [id, row] : sessions) {
        if (!users.contains(row.user))
            return broken(fmt::format("session {} of an unknown user", id.value));
        if (row.phase == SessionPhase::closed)
            continue;
        if (!people.insert(row.user).second)
            return broken(fmt::format("two sessions of {}", row.user.value));
        if (row.listen_port != 0 && !routes.emplace(row.client, row.listen_port).second)
            return broken(fmt::format("two routes on port {}", row.listen_port));
    }
    for (const auto& [name, row] : desks)
        if (!users.contains(row.owner))
            return broken(fmt::format("desk {} of an unknown user", name.value));
    for (const auto& [id, row] : desktops)
        if (!hosts.contains(row.host))
            return broken(fmt::format("desktop {} on an unknown host", id.value));
    for (const auto& [id, row] : moves)
        if (!sessions.contains(row.session))
            return broken(fmt::format("move {} of an unknown session", id));
    return {};
}

std::set<SessionId> MemoryStore::Data::named_sessions() const {
    std::set<SessionId> named;
    for (const auto& [id, row] : moves)
        named.insert(row.session);
    for (const auto& [id, row] : desktops)
        named.insert(row.session);
    for (const auto& [name, row] : desks)
        named.insert(row.holder);
    return named;
}

Pruned MemoryStore::Data::prune(const Bounds& bounds) {
    Pruned pruned;
    auto left = bounds.rows;
    while (left > 0 && events.size() > 1 &&
           (events.begin()->second.at < bounds.events_before ||
            (bounds.events_kept > 0 && events.size() > bounds.events_kept))) {
        events.erase(events.begin());
        ++pruned.events;
        --left;
    }
    const auto take = [&left](auto& rows, auto old) {
        return std::erase_if(rows, [&](const auto& entry) {
            if (left == 0 || !old(entry.second))
                return false;
            --left;
            return true;
        });
    };
    pruned.moves = take(moves, [&](const MoveRow& row) {
        return (row.phase == MovePhase::done || row.phase == MovePhase::failed) &&
               row.started < bounds.sessions_before;
    });
    const auto named = named_sessions();
    pruned.sessions = take(sessions, [&](const SessionRow& row) {
        return row.phase == SessionPhase::closed && row.created < bounds.sessions_before &&
               !named.contains(row.id);
    });
    pruned.more = left == 0;
    return pruned;
}

MemoryStore::MemoryStore() : data_(std::make_unique<Data>()) {}

MemoryStore::~MemoryStore() = default;

void MemoryStore::set_faults(FaultPlan plan) {
    const std::lock_guard lock(mutex_);
    faults_ = std::move(plan);
}

std::uint64_t MemoryStore::commits() const {
    const std::lock_guard lock(mutex_);
    return commits_;
}

Result<CommitFault> MemoryStore::begin() {
    ++commits_;
    const auto fault = faults_ ? faults_(commits_) : CommitFault::none;
    if (fault == CommitFault::full)
        return fail(Errc::full, "the state database is full (simulated)");
    if (fault == CommitFault::io)
        return fail(Errc::io, "the state database cannot be written (simulated)");
    if (fault == CommitFault::crash_before)
        throw SimulatedCrash{};
    return fault;
}

Result<void> MemoryStore::commit(Change& change) {
    const std::lock_guard lock(mutex_);
    const auto fault = begin();
    if (!fault)
        return tl::unexpected(fault.error());
    auto next = std::make_unique<Data>(*data_);
    std::vector<std::uint64_t> move_ids;
    std::vector<std::uint64_t> event_ids;
    BATON_TRY(next->apply(change, move_ids, event_ids));
    data_ = std::move(next);
    if (*fault == CommitFault::crash_after)
        throw SimulatedCrash{};
    for (std::size_t i = 0; i < move_ids.size(); ++i)
        change.moves[i].id = move_ids[i];
    for (std::size_t i = 0; i < event_ids.size(); ++i)
        change.events[i].seq = event_ids[i];
    return {};
}

Result<Pruned> MemoryStore::prune(const Bounds& bounds) {
    const std::lock_guard lock(mutex_);
    const auto fault = begin();
    if (!fault)
        return tl::unexpected(fault.error());
    auto next = std::make_unique<Data>(*data_);
    const auto pruned = next->prune(bounds);
    BATON_TRY(next->check());
    data_ = std::move(next);
    if (*fault == CommitFault::crash_after)
        throw SimulatedCrash{};
    return pruned;
}

Result<std::vector<UserRow>> MemoryStore::users() {
    const std::lock_guard lock(mutex_);
    return values_of(data_->users);
}

Result<std::optional<UserRow>> MemoryStore::user(const UserName& name) {
    const std::lock_guard lock(mutex_);
    return value_at(data_->users, name);
}

Result<std::vector<GatewayRow>> MemoryStore::gateways() {
    const std::lock_guard lock(mutex_);
    return values_of(data_->gateways);
}

Result<std::vector<ClientRow>> MemoryStore::clients() {
    const std::lock_guard lock(mutex_);
    return values_of(data_->clients);
}

Result<std::vector<HostRow>> MemoryStore::hosts() {
    const std::lock_guard lock(mutex_);
    return values_of(data_->hosts);
}

Result<std::vector<DeskRow>> MemoryStore::desks() {
    const std::lock_guard lock(mutex_);
    return values_of(data_->desks);
}

Result<std::optional<DeskRow>> MemoryStore::desk(const DeskName& name) {
    const std::lock_guard lock(mutex_);
    return value_at(data_->desks, name);
}

Result<std::vector<SessionRow>> MemoryStore::sessions(bool closed_too) {
    const std::lock_guard lock(mutex_);
    auto rows = values_of(data_->sessions);
    if (!closed_too)
        std::erase_if(rows,
                      [](const SessionRow& row) { return row.phase == SessionPhase::closed; });
    std::ranges::sort(rows, {}, [](const SessionRow& row) { return std::tie(row.joined, row.id); });
    return rows;
}

Result<std::vector<DesktopRow>> MemoryStore::desktops() {
    const std::lock_guard lock(mutex_);
    return values_of(data_->desktops);
}

Result<std::vector<MoveRow>> MemoryStore::moves(bool ended_too) {
    const std::lock_guard lock(mutex_);
    auto rows = values_of(data_->moves);
    if (!ended_too)
        std::erase_if(rows, [](const MoveRow& row) {
            return row.phase == MovePhase::done || row.phase == MovePhase::failed;
        });
    return rows;
}

Result<std::vector<EventRow>> MemoryStore::events(std::uint64_t after, std::size_t limit) {
    const std::lock_guard lock(mutex_);
    std::vector<EventRow> rows;
    for (auto at = data_->events.upper_bound(after);
         at != data_->events.end() && rows.size() < limit; ++at)
        rows.push_back(at->second);
    return rows;
}

Result<std::vector<TokenRow>> MemoryStore::tokens() {
    const std::lock_guard lock(mutex_);
    return values_of(data_->tokens);
}

Result<std::optional<std::string>> MemoryStore::setting(const std::string& key) {
    const std::lock_guard lock(mutex_);
    return value_at(data_->settings, key);
}

std::unique_ptr<Store> make_memory_store() {
    return std::make_unique<MemoryStore>();
}

} // namespace baton::store
