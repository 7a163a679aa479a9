#pragma once

#include "handoff/ledger.h"
#include "model/error.h"
#include "store/store.h"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <vector>

namespace baton::handoff {

/// What is in the store and still lives, mirrored in memory: hosts, sessions that are not closed,
/// desktops, moves under way. Changed by commit() alone, and only after the store has it.
class State {
  public:
    explicit State(store::Store& store) : store_(&store) {}

    Result<void> load();

    /// Writes to the store, then to the mirror. On failure neither has changed.
    Result<void> commit(store::Change& change);
    /// Called after each commit that appended events.
    std::function<void(const std::vector<store::EventRow>&)> on_events;

    [[nodiscard]] const std::map<HostId, store::HostRow>& hosts() const { return hosts_; }

    [[nodiscard]] const std::map<SessionId, store::SessionRow>& sessions() const {
        return sessions_;
    }

    [[nodiscard]] const std::map<DesktopId, store::DesktopRow>& desktops() const {
        return desktops_;
    }

    /// Under way, by number.
    [[nodiscard]] const std::map<std::uint64_t, store::MoveRow>& moves() const { return moves_; }

    [[nodiscard]] const Ledger& ledger() const { return ledger_; }

    // Pointers are good until the next commit. nullptr: no such thing.
    [[nodiscard]] const store::HostRow* host(const HostId& id) const;
    [[nodiscard]] const store::SessionRow* session(const SessionId& id) const;
    [[nodiscard]] const store::SessionRow* session_of(const UserName& user) const;
    [[nodiscard]] const store::DesktopRow* desktop(const DesktopId& id) const;
    [[nodiscard]] const store::MoveRow* move(std::uint64_t id) const;
    /// The one move that a session can have under way.
    [[nodiscard]] const store::MoveRow* move_of(const SessionId& session) const;
    [[nodiscard]] std::vector<store::DesktopRow> desktops_of(const SessionId& session) const;
    [[nodiscard]] std::vector<store::DesktopRow> desktops_on(const HostId& host) const;
    /// In order of joining.
    [[nodiscard]] std::vector<store::SessionRow> sessions_in_order() const;

    [[nodiscard]] std::uint64_t next_joined() const { return last_joined_ + 1; }

    /// What the host lends to desktops: memory - reserve.
    [[nodiscard]] Mebibytes lends(const HostId& host) const;

  private:
    void apply(const store::Change& change);
    void put(const store::SessionRow& row);
    void put(const store::DesktopRow& row);
    void put(const store::MoveRow& row);

    store::Store* store_;
    std::map<HostId, store::HostRow> hosts_;
    std::map<SessionId, store::SessionRow> sessions_;
    std::map<UserName, SessionId> session_of_user_;
    std::map<DesktopId, store::DesktopRow> desktops_;
    std::multimap<SessionId, DesktopId> desktops_of_session_;
    std::map<std::uint64_t, store::MoveRow> moves_;
    std::map<SessionId, std::uint64_t> move_of_session_;
    Ledger ledger_;
    std::uint64_t last_joined_ = 0;
};

} // namespace baton::handoff
