#pragma once

#include "model/error.h"
#include "model/ids.h"
#include "model/size.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

/// Memory allocation of paper 1, section 3.3: which host gives how much to whom, and which handoff
/// a join or a leave costs. Pure: no I/O, no clock, the same calls give the same plans.
namespace baton::allocation {

/// What one host lends to desktops. `capacity` is what is left after its reserve.
struct HostCapacity {
    HostId id;
    Mebibytes capacity;
    bool accepts = true; ///< false: draining, or not reachable; keeps what it has, gets nothing new
};

struct Settings {
    Mebibytes largest = 4_GiB; ///< C: the size of level 0
    unsigned levels = 4;       ///< M: sizes are largest / 2^m, m = 0 .. levels-1
};

/// A place: `size` MiB on `host`. `offset` is the buddy block's address within the host; planning
/// only, it has no meaning to a hypervisor.
struct Block {
    HostId host;
    unsigned level = 0;
    Mebibytes size;
    Mebibytes offset;
    bool operator==(const Block&) const = default;
};

/// Start `to`, hand `session` over, stop `from`. Both blocks are taken until the old desktop is
/// gone.
struct Handoff {
    SessionId session;
    Block from;
    Block to;
    bool operator==(const Handoff&) const = default;
};

/// What one join costs. The handoff (at most one) comes first: `newcomer.block` may lie in the
/// memory that it frees, so the newcomer is started after handoff->from is confirmed free.
struct JoinPlan {
    SessionId session;
    Block block;
    std::optional<Handoff> handoff;
    bool operator==(const JoinPlan&) const = default;
};

struct SessionPlacement {
    SessionId session;
    Block block;
    std::uint64_t joined = 0; ///< order of joining; larger = later
};

/// The bookkeeping and the policy. Not thread-safe. Every call either succeeds and is applied, or
/// fails and changes nothing. Cost of join and leave: O(log hosts).
class Allocator {
  public:
    virtual ~Allocator() = default;

    /// Plans and applies. Errc::refused when nothing is left: the message says how many sessions
    /// are in use of how many possible and what would help. Errc::already_exists: the session has a
    /// place. `may_move(session) == false` keeps a session from being picked for the handoff (it
    /// said "not now"): the next candidate is taken, or the newcomer gets a smaller level, or is
    /// refused.
    virtual Result<JoinPlan> join(const SessionId& session) = 0;

    /// Frees the session's place at once, both of them during its handoff (nothing is owed then).
    /// Whether others grow back is asked separately: plan_grow. leave(newcomer) followed by
    /// cancel_handoff(plan.handoff->session) takes a join back: all is as it was before it.
    virtual Result<void> leave(const SessionId& session) = 0;

    /// The next handoff that gives somebody more memory (level - 1), or none: the rule run
    /// backwards with hysteresis (one user coming and going at a boundary causes none). `candidate`
    /// restricts it to one session that asked or is idle. Does not apply: call begin_handoff with
    /// it.
    [[nodiscard]] virtual std::optional<Handoff>
    plan_grow(const std::optional<SessionId>& candidate) const = 0;

    /// A handoff for moving a session off its host (drain), same level or smaller; none = no room.
    [[nodiscard]] virtual std::optional<Handoff> plan_evacuate(const SessionId& session) const = 0;

    /// Takes handoff.to while handoff.from stays taken. Errc::conflict if either no longer fits.
    virtual Result<void> begin_handoff(const Handoff& handoff) = 0;
    /// The old desktop is gone: frees `from`.
    virtual Result<void> finish_handoff(const SessionId& session) = 0;
    /// The new desktop is gone: frees `to`, the session keeps `from`.
    virtual Result<void> cancel_handoff(const SessionId& session) = 0;

    /// join() begins its handoff itself: after it, finish_handoff or cancel_handoff is owed.

    virtual Result<void> add_host(const HostCapacity& host) = 0;
    /// A host's `accepts` changed (drain, undrain, back again).
    virtual Result<void> set_accepts(const HostId& host, bool accepts) = 0;
    /// The host is lost: its places are gone. Returns the sessions that had one there (in join
    /// order), to be joined again by the caller. A handoff whose `to` was there is cancelled; one
    /// whose `from` was there is finished.
    virtual Result<std::vector<SessionId>> lose_host(const HostId& host) = 0;

    /// Re-creates a place known from the store or from a hypervisor (start-up). Errc::conflict if
    /// it does not fit.
    virtual Result<void> adopt(const SessionId& session, const HostId& host, Mebibytes size,
                               std::uint64_t joined) = 0;
    /// Re-creates a handoff under way of an adopted session: its new desktop of `size` is on
    /// `host`. finish_handoff or cancel_handoff is owed. Errc::conflict if it does not fit.
    virtual Result<void> adopt_handoff(const SessionId& session, const HostId& host,
                                       Mebibytes size) = 0;

    [[nodiscard]] virtual std::optional<SessionPlacement> find(const SessionId& session) const = 0;
    /// In join order. During a handoff a session is listed once, at its `to`.
    [[nodiscard]] virtual std::vector<SessionPlacement> placements() const = 0;
    [[nodiscard]] virtual Mebibytes free_total() const = 0;
    /// Taken on the host, both blocks of every handoff under way included.
    [[nodiscard]] virtual Mebibytes used(const HostId& host) const = 0;
    /// The most sessions that can be held at once (the last slot included).
    [[nodiscard]] virtual std::size_t capacity() const = 0;

    /// "Not now": the session is not picked for a join's handoff while set.
    virtual void set_movable(const SessionId& session, bool movable) = 0;
};

/// The paper's rule ("paper"), or another policy by name ("lazy": fewer handoffs, see
/// docs/allocation.md). Errc::invalid_argument for impossible settings (levels of 0 or over 16, a
/// smallest size under 1 MiB or not whole) or an unknown policy; the message names the known ones.
Result<std::unique_ptr<Allocator>> make_allocator(std::string_view policy, const Settings& settings,
                                                  const std::vector<HostCapacity>& hosts);

/// U(m) = 2^m * S - 1 of equation (1): with up to U(m) users everyone can have C/2^m and one slot
/// of that size stays free.
[[nodiscard]] std::uint64_t users_at_level(unsigned level, std::uint64_t hosts);

} // namespace baton::allocation
