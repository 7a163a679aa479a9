#pragma once

#include "handoff/ports.h"
#include "model/cpu_shares.h"
#include "monitor/rates.h"
#include "net/http.h"

#include <chrono>
#include <functional>
#include <memory>
#include <string>

/// The controller's side of the link: handoff::Fleet over the hosts that have dialled in.
namespace baton::hostlink {

struct FleetSettings {
    std::string version = "0.1.0"; ///< told to hosts, for their logs
    std::chrono::milliseconds hello_deadline{10'000};
    /// Calls without a deadline of their own (stop, list, ...): a host that is connected and does
    /// not answer for so long is at fault.
    std::chrono::milliseconds call_deadline{60'000};
    /// Added to the deadlines that the host itself keeps.
    std::chrono::milliseconds slack{10'000};
    /// For the OS image to be brought to a host that does not have it.
    std::chrono::milliseconds image_deadline{900'000};
};

/// Thread rules: accept() from any thread, everything else on the executor, where it is also to be
/// destroyed (or after the executor's end). Every `done` and every event comes by Clock::post.
class HostFleet : public handoff::Fleet {
  public:
    /// May this certificate speak for the host of that name? Errc::forbidden and others say why
    /// not. Called on the executor.
    using Admit = std::function<Result<void>(const HostId& host, const net::Peer& peer)>;

    static std::unique_ptr<HostFleet> make(handoff::Clock& clock, Admit admit,
                                           FleetSettings settings = {});

    /// Told what the hosts' monitors have read, on the executor. A host speaks for itself alone,
    /// and names only desktops that are on it. Before the first accept().
    virtual void on_reading(std::function<void(monitor::Reading)> told) = 0;

    /// Told what the hosts do about their CPU shares, on the executor. Before the first accept().
    virtual void
    on_cpu_shares(std::function<void(const HostId& host, const CpuSharesTold& told)> told) = 0;

    /// Before the first accept(). Must outlive the fleet.
    virtual void set_events(handoff::FleetEvents& events) = 0;

    /// For net::serve's OnWebSocket: takes the connection if it is one of a host's (its path is
    /// hostlink::target). Who it is, is decided by its certificate, whose CN is the host's id.
    virtual bool accept(const net::Request& request, std::shared_ptr<net::WebSocket> socket) = 0;

    /// Closes the host's link, if it has one: it was removed.
    virtual void expel(const HostId& host) = 0;
};

} // namespace baton::hostlink
