#pragma once

#include "hypervisor/libvirt_keeper.h"
#include "hypervisor/worker.h"
#include "sampling/news.h"
#include "sampling/slow_tier.h"

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>

namespace baton::sampling {

struct LibvirtWatchSettings {
    std::string uri = "qemu:///system";
    std::string root = "/"; ///< where /proc is
    /// How often a hypervisor whose VMs are no processes here is asked for everything.
    std::chrono::milliseconds fast_period{1'000};
    SlowTierSettings slow;
};

/// Finds libvirt's domains and follows them by its events, and asks the hypervisor in threads of
/// its own for what is not to be seen from outside; all it learns goes to the mailbox.
///
/// QEMU's domains are processes of this host: only the slow tier asks libvirt for them. Those of
/// any other driver are asked for all together at every fast period (virConnectGetAllDomainStats,
/// and virDomainGetInfo where a driver leaves the CPU out of it).
class LibvirtWatch : private hypervisor::LibvirtKeeper::Owner {
  public:
    LibvirtWatch(LibvirtWatchSettings settings, std::shared_ptr<Mailbox> mailbox,
                 const Clock& clock = system_clock());
    ~LibvirtWatch() override;
    LibvirtWatch(const LibvirtWatch&) = delete;
    LibvirtWatch& operator=(const LibvirtWatch&) = delete;

    /// Ends `watch` in a thread of its own and waits so long for it: a libvirtd that hangs may keep
    /// it longer.
    static void end(std::unique_ptr<LibvirtWatch> watch, std::chrono::milliseconds at_most);

    [[nodiscard]] std::size_t stuck() const { return slow_.stuck(); }

  private:
    friend struct WatchCallbacks;

    struct Gate {
        std::mutex mutex;
        LibvirtWatch* watch = nullptr;
    };

    Result<void> on_open(const hypervisor::ConnectionHandle& connection) override;
    void on_ready() override;
    void on_lost() override;
    void on_close(const hypervisor::ConnectionHandle& connection) override;

    Result<void> register_events(const hypervisor::ConnectionHandle& connection);
    Result<void> list_all(const hypervisor::ConnectionHandle& connection);
    /// Something happened to that domain.
    void refresh(const std::string& uuid);
    /// It runs: tells what it is. `domain` becomes ours.
    void found(virDomainPtr domain);
    void gone(const std::string& uuid);
    void ask_all_again_and_again();
    Result<void> ask_all(virConnectPtr connection);

    LibvirtWatchSettings settings_;
    std::shared_ptr<Mailbox> mailbox_;
    const Clock& clock_;
    std::vector<std::string> pid_folders_;
    std::shared_ptr<void> event_loop_;
    std::shared_ptr<Gate> gate_ = std::make_shared<Gate>();
    std::vector<int> callbacks_;
    std::atomic<bool> is_qemu_ = true;

    std::mutex mutex_;
    std::condition_variable changed_;
    std::set<std::string> known_; ///< UUIDs
    bool over_ = false;

    SlowTier slow_;
    hypervisor::Worker worker_;
    std::thread bulk_;
    hypervisor::LibvirtKeeper keeper_;
    std::thread starter_;
};

} // namespace baton::sampling
