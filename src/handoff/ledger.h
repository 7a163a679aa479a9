#pragma once

#include "model/ids.h"
#include "model/size.h"
#include "store/store.h"

#include <map>

namespace baton::handoff {

/// Physical memory, host by host: what every desktop takes from the moment its start has been
/// decided until the hypervisor has confirmed that it is gone. A handoff's old and new desktop
/// both count. The allocator plans; the ledger admits.
class Ledger {
  public:
    void add(const store::DesktopRow& desktop) { count(desktop, desktop.memory); }

    void remove(const store::DesktopRow& desktop) { count(desktop, Mebibytes() - desktop.memory); }

    void clear() { used_.clear(); }

    [[nodiscard]] Mebibytes used(const HostId& host) const {
        const auto found = used_.find(host);
        return found == used_.end() ? Mebibytes() : found->second;
    }

    /// Whether `more` fits beside everything that is there now.
    [[nodiscard]] bool admits(const HostId& host, Mebibytes lends, Mebibytes more) const {
        return used(host) + more <= lends;
    }

    [[nodiscard]] static bool takes_memory(const store::DesktopRow& desktop) {
        return desktop.phase == store::DesktopPhase::starting ||
               desktop.phase == store::DesktopPhase::ready ||
               desktop.phase == store::DesktopPhase::stopping;
    }

  private:
    void count(const store::DesktopRow& desktop, Mebibytes change) {
        if (takes_memory(desktop))
            used_[desktop.host] += change;
    }

    std::map<HostId, Mebibytes> used_;
};

} // namespace baton::handoff
