#pragma once

#include "handoff/core.h"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <utility>

namespace baton::handoff {

/// How a move ends when it does not end well. Each of these commits one change that leaves the
/// session either served, or on its way to another desktop, or closing with the reason told.
class Outcomes {
  public:
    explicit Outcomes(Core& core) : core_(core) {}

    /// The new desktop did not come up. open: another attempt elsewhere, or the person is told;
    /// handoff: given up, the old desktop never noticed.
    void start_failed(std::uint64_t move, const Error& error);
    /// A handoff is given up before the desk has left the old desktop. `deferred`: because the
    /// person said "not now". The newcomer who was promised the memory is planned anew.
    void abandon(std::uint64_t move, const Error& error, bool deferred);
    /// The old desktop has let go or may have, the new one cannot take over: the desk goes back to
    /// the old one under a new number (phase `returning`).
    void return_desk(std::uint64_t move, const Error& error);
    /// The session has lost its desktop: another one is started, with the desk. Given up, and told,
    /// when it happens too often.
    void replace(const SessionId& session, const std::string& why);
    /// The session ends. `error`: what ended it, told to whoever waits for it; none: as asked.
    void end(const SessionId& session, const std::string& because,
             const std::optional<Error>& error);

    /// The session serves: its failed starts are forgotten.
    void settled(const SessionId& session);

    /// Takes what the session's desktops are out of use: planned ones are forgotten, others are to
    /// be stopped.
    void retire_desktops(store::Change& change, const SessionId& session) const;
    void retire(store::Change& change, const DesktopId& desktop) const;
    /// A newcomer who was placed and has not started goes back to waiting for a place.
    void unplace(store::Change& change, const SessionId& newcomer) const;

  private:
    using Held = std::optional<std::pair<std::uint64_t, std::uint64_t>>; ///< move, its hold

    void try_elsewhere(const store::MoveRow& move, const Error& error);
    /// Of a session that is not being moved: nothing.
    [[nodiscard]] Held hold_move_of(const SessionId& session) const;
    /// Somebody else has decided meanwhile what becomes of the session's move.
    [[nodiscard]] bool overtaken(const SessionId& session, const Held& held) const;
    [[nodiscard]] bool lost_too_often(const SessionId& session);

    Core& core_;
    std::map<SessionId, unsigned> failed_starts_;
    std::map<SessionId, std::deque<std::chrono::nanoseconds>> losses_;
};

} // namespace baton::handoff
