#pragma once

#include "allocation/allocator.h"
#include "handoff/core.h"
#include "handoff/loads.h"

#include <map>
#include <memory>
#include <set>

namespace baton::handoff {

/// Turns what people want into places and moves, by the allocator's plans. Newcomers are planned
/// strictly in the order of joining; who cannot be planned now, but will be, holds up those behind.
class Planner {
  public:
    explicit Planner(Core& core) : core_(core) {}

    /// Builds the allocator anew from the hosts that are known and the desktops that there are.
    Result<void> rebuild();
    /// Soon, once: places newcomers, empties draining hosts, lets sessions grow, drives moves.
    void wake();
    /// As wake(), after a pause: a failed plan would be made again at once.
    void wake_later(std::chrono::nanoseconds delay);

    enum class Placing : std::uint8_t { placed, waits };
    /// Places the newcomer if that can be done now, and commits both rows with the place (and the
    /// handoff it costs) and what else is in `change`. Errc::refused: no room, and none to come;
    /// nothing has changed.
    Result<Placing> place(const store::SessionRow& newcomer, const store::MoveRow& open,
                          store::Change change = {});
    /// Somebody waits for a place already.
    [[nodiscard]] bool has_queue() const;

    /// The start of this desktop can be given its memory: nothing promised is still in use.
    [[nodiscard]] bool admits(const store::MoveRow& move) const;

    // ---- what the allocator is told (each wakes the planner) ------------------------------
    void left(const SessionId& session);
    void handoff_finished(const SessionId& session);
    /// `newcomer`: who was promised the memory and has been unplaced.
    void handoff_cancelled(const SessionId& session, const std::optional<SessionId>& newcomer);
    [[nodiscard]] std::optional<SessionId> promised_to(const SessionId& session) const;
    /// Whether the newcomer's place cost a handoff.
    [[nodiscard]] bool needed_handoff(const SessionId& newcomer) const;
    /// Not picked for a handoff until the delay has passed.
    void defer(const SessionId& session);
    /// The host is up and listed, or its row has changed.
    void host_ready(const HostId& host);
    void host_away(const HostId& host);
    void host_lost(const HostId& host);

    /// The host's monitor says so. Plans go by it until it is stale.
    void heard_load(const HostId& host, Load load, std::chrono::nanoseconds valid_for);

    [[nodiscard]] std::optional<Load> load_of(const HostId& host) const {
        return loads_.known(host);
    }

    // ---- what people ask for --------------------------------------------------------------
    Result<void> grow(const SessionId& session);
    void drain(const HostId& host, Done<void> done);
    void cancel_drain(const HostId& host);

    [[nodiscard]] Mebibytes free_memory() const;

  private:
    void pump();
    void take_loads();
    /// Asks for what the person needs; tells it in `told`, if given.
    void take_advice(const store::SessionRow& session, store::Change* told);
    void expire_load(const HostId& host);
    void place_newcomers();
    void evacuate_draining();
    void evacuate(const HostId& host);
    void let_grow();
    void finish_drains();
    [[nodiscard]] std::vector<store::SessionRow> queue() const;
    [[nodiscard]] bool can_move(const SessionId& session) const;
    [[nodiscard]] bool failed_too_often(const SessionId& session) const;
    [[nodiscard]] bool hosts_may_come_back() const;
    bool may_wait_on(const store::SessionRow& session, const Error& refusal);
    /// Begins the handoff in the allocator and commits its move.
    Result<void> begin(const allocation::Handoff& handoff, const std::string& why);
    void add_handoff(store::Change& change, const allocation::Handoff& handoff,
                     const std::string& why) const;
    /// A row for one that is planned; a gateway's session has a ticket for its screen.
    [[nodiscard]] store::DesktopRow new_desktop(const store::SessionRow& session,
                                                const HostId& host, Mebibytes memory) const;
    void add_place(store::Change& change, store::SessionRow newcomer, store::MoveRow open,
                   const allocation::JoinPlan& plan) const;
    void take_back(const allocation::JoinPlan& plan);
    /// What was planned and has not begun is planned anew.
    [[nodiscard]] store::Change unplan_all() const;
    void add_host(const store::HostRow& host, store::Change& told);
    void adopt(const store::SessionRow& session, store::Change& told);

    Core& core_;
    std::unique_ptr<allocation::Allocator> allocator_;
    std::map<HostId, Mebibytes> known_; ///< hosts that the allocator has, and what they lend
    HostLoads loads_;
    /// Newcomer -> whose handoff frees its memory.
    std::map<SessionId, SessionId> waits_for_;
    std::set<SessionId> needed_handoff_;
    std::set<SessionId> told_to_wait_;
    std::set<SessionId> deferred_;
    std::map<HostId, std::vector<Done<void>>> drains_;
    std::map<SessionId, unsigned> failed_moves_;
    bool woken_ = false;
    bool rebuild_wanted_ = false;
};

} // namespace baton::handoff
