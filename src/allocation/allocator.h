#pragma once

#include "model/error.h"
#include "model/ids.h"
#include "model/load.h"
#include "model/size.h"

#include <cstdint>
#include <memory>
#include <memory_resource>
#include <optional>
#include <span>
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
    Load load = Load::usual;
};

struct Settings {
    Mebibytes largest = 4_GiB; ///< C: the size of level 0
    unsigned levels = 4;       ///< M: sizes are largest / 2^m, m = 0 .. levels-1
    /// Hysteresis of growing back: this many joins after a growth must be possible without a
    /// handoff, so that a person who comes and goes at a boundary costs none each time. (Counted in
    /// newcomers of the size due; "lazy" gives up to twice that.)
    unsigned margin = 1;
    /// Policy "lazy": nobody grows back while this much of the memory or more is in use.
    unsigned grow_below_percent = 75;
    /// Where the tables of the sessions lie, which are read anywhere: best in large pages. None:
    /// the default resource. Outlives the allocator.
    std::pmr::memory_resource* memory = nullptr;
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
///
/// What holds at every instant, handoffs under way included (docs/allocation.md proves it):
/// - a MiB of a host belongs to one block; a handoff's `from` and `to` are both taken until
///   finish_handoff or cancel_handoff;
/// - a plan only uses memory that is free now, with one exception: the newcomer of a join that
///   costs a handoff is promised its block inside that handoff's `from`. Nothing else is ever
///   promised there before the handoff is finished, so plans never depend on one another in chains;
/// - while somebody is larger than the smallest size, a slot for the next handoff is free, or a
///   handoff is under way whose finish and whose cancel both free one.
class Allocator {
  public:
    virtual ~Allocator() = default;

    /// Plans and applies; begins its handoff itself, so finish_handoff or cancel_handoff is owed.
    /// Errc::refused: every place is taken; says how many are in use of how many, and what helps.
    /// Errc::busy: no memory is free at this moment, but will be: a handoff is under way, or those
    /// who could be moved have said "not now". Nothing has changed; join again after the next
    /// finish_handoff, cancel_handoff, leave or set_movable, or tell the person.
    /// Errc::already_exists: the session has a place.
    /// Sessions that said "not now" (set_movable) are not picked for the handoff: the next
    /// candidate is taken; without any, the newcomer gets a smaller level.
    virtual Result<JoinPlan> join(const SessionId& session) = 0;

    /// Frees the session's place at once, both of them during its handoff (nothing is owed then,
    /// and a newcomer who was promised memory there has it now).
    /// Whether others grow back is asked separately: plan_grow. leave(newcomer) followed by
    /// cancel_handoff(plan.handoff->session) takes a join back: all is as it was before it.
    virtual Result<void> leave(const SessionId& session) = 0;

    /// The next handoff that gives somebody more memory, or none: the rule run backwards, smallest
    /// first, then longest connected first, as far as the rule lets them (usually one level), and
    /// only where hysteresis (Settings::margin) lets it. `candidate` restricts it to one session
    /// that asked or is idle ("not now" is then not regarded). Does not apply: call begin_handoff
    /// with it.
    [[nodiscard]] virtual std::optional<Handoff>
    plan_grow(const std::optional<SessionId>& candidate) const = 0;

    /// The next handoff towards moving the session off its host (drain), to the same level or a
    /// smaller one; none = no room. When its `session` is another one, that one has to make room
    /// first: carry it out, finish it, and ask again. Does not apply: call begin_handoff with it.
    [[nodiscard]] virtual std::optional<Handoff> plan_evacuate(const SessionId& session) const = 0;

    /// Takes handoff.to while handoff.from stays taken. Errc::conflict if either no longer fits.
    virtual Result<void> begin_handoff(const Handoff& handoff) = 0;
    /// The old desktop is gone: frees `from`; the newcomer promised memory there may start.
    virtual Result<void> finish_handoff(const SessionId& session) = 0;
    /// The new desktop is gone: frees `to`, the session keeps `from`. Errc::conflict while a
    /// newcomer is promised memory in `from`: leave(newcomer) first, and join it again after.
    virtual Result<void> cancel_handoff(const SessionId& session) = 0;
    /// The newcomer who waits for what the session's handoff will free.
    [[nodiscard]] virtual std::optional<SessionId> promised_to(const SessionId& session) const = 0;

    /// Errc::already_exists; Errc::invalid_argument: it cannot hold one desktop of the smallest
    /// size, or more than 2^20 of them.
    virtual Result<void> add_host(const HostCapacity& host) = 0;
    /// A host's `accepts` changed (drain, undrain, back again).
    virtual Result<void> set_accepts(const HostId& host, bool accepts) = 0;
    /// From now on plans prefer less loaded hosts, where there is a choice: an input of the plans
    /// as joins and leaves are. Without it, and while all are equal, hosts are taken in the order
    /// in which they were added. Loads refuse nobody and cost no join a second handoff.
    virtual Result<void> set_load(const HostId& host, Load load) = 0;
    /// The host is lost, or taken out: its places are gone. Returns the sessions that had one
    /// there, or were promised one in memory that goes (in join order), to be joined again by the
    /// caller. A handoff whose `to` was there is cancelled (a newcomer who waited for it is
    /// returned too); one whose `from` was there is finished.
    virtual Result<std::vector<SessionId>> lose_host(const HostId& host) = 0;

    /// Re-creates a place known from the store or from a hypervisor (start-up). A size between two
    /// levels takes the larger. Errc::conflict if it does not fit. Adopting everything that runs,
    /// before any join, fits in any order.
    virtual Result<void> adopt(const SessionId& session, const HostId& host, Mebibytes size,
                               std::uint64_t joined) = 0;
    /// Re-creates a handoff under way of an adopted session: its new desktop of `size` is on
    /// `host`. finish_handoff or cancel_handoff is owed. Errc::conflict if it does not fit.
    virtual Result<void> adopt_handoff(const SessionId& session, const HostId& host,
                                       Mebibytes size) = 0;

    [[nodiscard]] virtual std::optional<SessionPlacement> find(const SessionId& session) const = 0;
    /// In join order. During a handoff a session is listed once, at its `to`.
    [[nodiscard]] virtual std::vector<SessionPlacement> placements() const = 0;
    /// Free now on the hosts that accept.
    [[nodiscard]] virtual Mebibytes free_total() const = 0;
    /// Taken on the host, both blocks of every handoff under way included.
    [[nodiscard]] virtual Mebibytes used(const HostId& host) const = 0;
    /// The most sessions that the hosts that accept can hold at once (the last slot included).
    [[nodiscard]] virtual std::size_t capacity() const = 0;

    /// What this session needs at least (it may have a place, or join later); none: nothing is
    /// known. Sizes go by it with the policy "advised" alone. Forgotten when the session leaves.
    virtual void set_floor(const SessionId& session, std::optional<Mebibytes> least) = 0;

    /// "Not now": the session is not picked for a join's handoff while set.
    virtual void set_movable(const SessionId& session, bool movable) = 0;
};

/// A policy's name and, in one sentence, what it does.
struct PolicyInfo {
    std::string_view name;
    std::string_view what;
};

/// Every policy there is; the first is the default.
std::span<const PolicyInfo> policies();

/// A policy by its name. Errc::invalid_argument for impossible settings (levels of 0 or over 16, a
/// smallest size under 1 MiB or not whole, a host that add_host refuses) or an unknown policy; the
/// message names the known ones.
Result<std::unique_ptr<Allocator>> make_allocator(std::string_view policy, const Settings& settings,
                                                  const std::vector<HostCapacity>& hosts);

/// U(m) = 2^m * S - 1 of equation (1): with up to U(m) users everyone can have C/2^m and one slot
/// of that size stays free.
[[nodiscard]] std::uint64_t users_at_level(unsigned level, std::uint64_t hosts);

} // namespace baton::allocation
