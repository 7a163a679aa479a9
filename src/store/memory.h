#pragma once

#include "store/store.h"

#include <cstdint>
#include <memory>
#include <mutex>

namespace baton::store {

/// What a MemoryStore is told to do at a commit or a prune, which count as one from 1.
enum class CommitFault : std::uint8_t {
    none,
    full,         ///< Errc::full, nothing written
    io,           ///< Errc::io, nothing written
    crash_before, ///< throws SimulatedCrash, nothing written
    crash_after,  ///< throws SimulatedCrash, all written
};

/// Stands for the death of the process in a test: nothing may catch it but the test.
struct SimulatedCrash {};

/// The store in memory, with the rules of the real one and faults on request. What it holds
/// outlives the engine that wrote it, as a database does.
class MemoryStore final : public Store {
  public:
    MemoryStore();
    ~MemoryStore() override;

    /// Asked before each commit, with its number.
    using FaultPlan = std::function<CommitFault(std::uint64_t commit)>;
    void set_faults(FaultPlan plan);
    [[nodiscard]] std::uint64_t commits() const;

    Result<void> commit(Change& change) override;
    Result<Pruned> prune(const Bounds& bounds) override; ///< counts as a commit
    Result<std::vector<UserRow>> users() override;
    Result<std::optional<UserRow>> user(const UserName& name) override;
    Result<std::vector<HostRow>> hosts() override;
    Result<std::vector<GatewayRow>> gateways() override;
    Result<std::vector<ClientRow>> clients() override;
    Result<std::vector<DeskRow>> desks() override;
    Result<std::optional<DeskRow>> desk(const DeskName& name) override;
    Result<std::vector<SessionRow>> sessions(bool closed_too) override;
    Result<std::vector<DesktopRow>> desktops() override;
    Result<std::vector<MoveRow>> moves(bool ended_too) override;
    Result<std::vector<EventRow>> events(std::uint64_t after, std::size_t limit) override;
    Result<std::vector<TokenRow>> tokens() override;
    Result<std::optional<std::string>> setting(const std::string& key) override;

  private:
    struct Data;
    /// The fault that is planned before anything is written. Counts.
    Result<CommitFault> begin();

    mutable std::mutex mutex_;
    std::unique_ptr<Data> data_;
    FaultPlan faults_;
    std::uint64_t commits_ = 0;
};

} // namespace baton::store
