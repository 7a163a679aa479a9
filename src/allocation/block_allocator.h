#pragma once

#include "allocation/allocator.h"
#include "allocation/memory_map.h"
#include "allocation/policy.h"
#include "allocation/session_table.h"

#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

namespace baton::allocation {

/// The bookkeeping under every policy: who has which block, handoffs under way, what is promised.
class BlockAllocator final : public Allocator {
  public:
    /// `settings` are valid (make_allocator has looked).
    BlockAllocator(const Settings& settings, std::unique_ptr<Policy> policy);

    Result<JoinPlan> join(const SessionId& session) override;
    Result<void> leave(const SessionId& session) override;
    std::optional<Handoff> plan_grow(const std::optional<SessionId>& candidate) const override;
    std::optional<Handoff> plan_evacuate(const SessionId& session) const override;
    Result<void> begin_handoff(const Handoff& handoff) override;
    Result<void> finish_handoff(const SessionId& session) override;
    Result<void> cancel_handoff(const SessionId& session) override;
    std::optional<SessionId> promised_to(const SessionId& session) const override;
    Result<void> add_host(const HostCapacity& host) override;
    Result<void> set_accepts(const HostId& host, bool accepts) override;
    Result<void> set_load(const HostId& host, Load load) override;
    Result<std::vector<SessionId>> lose_host(const HostId& host) override;
    Result<void> adopt(const SessionId& session, const HostId& host, Mebibytes size,
                       std::uint64_t joined) override;
    Result<void> adopt_handoff(const SessionId& session, const HostId& host,
                               Mebibytes size) override;
    std::optional<SessionPlacement> find(const SessionId& session) const override;
    std::vector<SessionPlacement> placements() const override;
    Mebibytes free_total() const override;
    Mebibytes used(const HostId& host) const override;
    std::size_t capacity() const override;
    void set_movable(const SessionId& session, bool movable) override;
    void set_floor(const SessionId& session, std::optional<Mebibytes> least) override;

  private:
    struct Host {
        HostId id;
        Mebibytes capacity;
    };

    [[nodiscard]] State state() const { return State{settings_, memory_, sessions_, floors_}; }

    /// With what the newcomer needs.
    [[nodiscard]] State state_for(const SessionId& newcomer) const;

    [[nodiscard]] Mebibytes size_of(unsigned level) const {
        return settings_.largest.halved(level);
    }

    [[nodiscard]] Mebibytes smallest() const { return size_of(settings_.levels - 1); }

    [[nodiscard]] Block block(const Spot& spot) const;
    [[nodiscard]] SessionPlacement placement(SessionIndex session) const;
    /// The smallest size that holds `size`.
    [[nodiscard]] Result<unsigned> level_of(Mebibytes size) const;
    [[nodiscard]] Result<std::uint32_t> host_number(const HostId& host) const;
    [[nodiscard]] Result<SessionIndex> known(const SessionId& session) const;
    /// A session whose handoff is under way.
    [[nodiscard]] Result<SessionIndex> moving(const SessionId& session) const;
    /// A session that may begin a handoff.
    [[nodiscard]] Result<SessionIndex> settled(const SessionId& session) const;

    [[nodiscard]] tl::unexpected<Error> no_place_left() const;
    [[nodiscard]] tl::unexpected<Error> nothing_free_now() const;

    void begin(SessionIndex session, const Spot& to);
    void end(SessionIndex session);
    void free_old_block(SessionIndex mover);
    [[nodiscard]] Handoff handoff(SessionIndex session, const Spot& to) const;

    [[nodiscard]] bool may_grow(SessionIndex session, unsigned level) const;
    [[nodiscard]] std::optional<Handoff> growth_of(SessionIndex session,
                                                   const GrowthLimit& limit) const;
    [[nodiscard]] std::optional<Handoff> growth_to_floor(const GrowthLimit& limit) const;
    [[nodiscard]] std::optional<Spot> would_take(unsigned level) const;
    [[nodiscard]] bool leaves_room(const Spot& from, const Spot& to) const;

    Settings settings_;
    std::unique_ptr<Policy> policy_;
    /// Plans are tried on it and undone, which leaves no trace (see MemoryMap).
    mutable MemoryMap memory_;
    SessionTable sessions_;
    std::vector<Host> hosts_; ///< by the memory map's number; a lost one has an empty id
    std::unordered_map<HostId, std::uint32_t> numbers_;
    std::size_t handoffs_ = 0; ///< under way
    Floors floors_;
};

} // namespace baton::allocation
