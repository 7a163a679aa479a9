#pragma once

#include "handoff/ports.h"
#include "hostlink/agent.h"
#include "hypervisor/hypervisor.h"
#include "model/cpu_shares.h"
#include "monitor/shares.h"

#include <functional>
#include <memory>
#include <set>
#include <vector>

namespace baton::hostlink {

/// Carries out on this host's hypervisor what monitor::ShareRule makes of the readings, and tells
/// of it. A host that cannot says so once. On the executor.
class ShareKeeper {
  public:
    struct Ports {
        hypervisor::Hypervisor& hypervisor;
        handoff::Clock& clock;
        Workers workers;
        std::function<void(const CpuSharesTold&)> tell;
    };

    ShareKeeper(Ports ports, bool wanted);
    ~ShareKeeper();
    ShareKeeper(const ShareKeeper&) = delete;
    ShareKeeper& operator=(const ShareKeeper&) = delete;

    void take(const monitor::Reading& reading);

    /// The hypervisor is another one, or was away: what could not be done may be possible now, and
    /// what was done may be gone.
    void begin_anew();

    /// For a controller that has not heard it yet.
    [[nodiscard]] CpuSharesTold status() const;

  private:
    /// One round: weights to be set, one after the other, by a worker.
    struct Round {
        std::vector<DesktopId> fresh; ///< not seen before: they get an equal weight
        monitor::ShareChanges plan;
    };

    struct Done {
        Round round;
        std::vector<Result<void>> fresh, changes;
    };

    void carry_out(Round round);
    void done(const Done& done);
    void become(CpuSharesState state, const std::string& why);

    Ports ports_;
    std::shared_ptr<ShareKeeper*> life_ = std::make_shared<ShareKeeper*>(this);
    monitor::ShareRule rule_;
    std::set<DesktopId> seen_;
    CpuSharesState state_;
    std::string why_;
    bool busy_ = false;
    std::uint64_t turn_ = 0; ///< grows when all begins anew
};

} // namespace baton::hostlink
