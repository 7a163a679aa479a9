#pragma once

#include "sampling/clock.h"
#include "sampling/news.h"

#include <libvirt/libvirt.h>

#include <chrono>
#include <memory>
#include <string>

namespace baton::sampling {

struct SlowTierSettings {
    std::chrono::milliseconds period{10'000};
    /// Per-disk counters cost as much again as the guest's memory: every so many periods.
    unsigned disks_every = 3;
    /// A call that takes longer is left to itself, and another thread goes on with the others.
    std::chrono::milliseconds deadline{3'000};
    /// So many calls may be left to themselves at a time.
    unsigned most_threads = 4;
};

/// Asks the hypervisor, one domain after the other and staggered over the period, for what only the
/// guest and QEMU know: the guest's memory and per-disk counters. In threads of its own: a QEMU or
/// a libvirtd that does not answer holds up nobody. Any thread may call.
class SlowTier {
  public:
    using DomainPtr = std::shared_ptr<virDomain>;

    /// `mailbox` gets a Told for each answer; both outlive the last call under way.
    SlowTier(SlowTierSettings settings, std::shared_ptr<Mailbox> mailbox,
             const Clock& clock = system_clock());
    /// Does not wait for calls that are under way.
    ~SlowTier();
    SlowTier(const SlowTier&) = delete;
    SlowTier& operator=(const SlowTier&) = delete;

    /// From now on this domain too; it is asked at once, and then at its place in the period.
    void add(const std::string& uuid, DomainPtr domain);
    void remove(const std::string& uuid);

    /// Domains whose call is overdue.
    [[nodiscard]] std::size_t stuck() const;

  private:
    struct State;
    std::shared_ptr<State> state_;
};

} // namespace baton::sampling
