#pragma once

#include "hypervisor/hypervisor.h"
#include "model/types.h"
#include "screenrelay/tickets.h"

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace baton::hostlink {

/// The host's screens for gateways, as its agent keeps them: `baton-hostd screens` reads what is
/// written here (docs/formats/screen-relay.md).
struct ScreenSettings {
    Endpoint relay;      ///< where gateways find that program; no port: this host has none
    std::string tickets; ///< the folder that both know
    /// The socket of a desktop's local screen.
    std::function<std::string(const DesktopId&)> socket;
};

/// Sees to it that a ticket is there before its screen is and goes with it. Copies are alike; the
/// methods block on the disk or the hypervisor, but for shown(). For one desktop one at a time.
class Screens {
  public:
    explicit Screens(ScreenSettings settings)
        : settings_(std::move(settings)), tickets_(settings_.tickets) {}

    /// Starts it: with a ticket, its screen is local. A start that fails leaves the ticket that was
    /// there before, if any. Errc::unsupported: a ticket, and this host has no relay.
    Result<DesktopInfo> start(hypervisor::Hypervisor& hypervisor, hypervisor::DesktopSpec spec,
                              const std::string& ticket) const;
    /// Stops it; its ticket goes with it.
    Result<void> stop(hypervisor::Hypervisor& hypervisor, const DesktopId& desktop) const;
    /// Removes the ticket of a desktop that has ended, if the hypervisor says that it has.
    void ended(hypervisor::Hypervisor& hypervisor, const DesktopId& desktop) const;
    /// Whose tickets are there.
    [[nodiscard]] std::vector<DesktopId> ticketed() const;
    /// When nobody writes yet: what an agent that was killed left half-made.
    void begin() const;

    /// Where the screen of what runs is to be had: the relay, if it is local.
    [[nodiscard]] Endpoint shown(const DesktopInfo& running) const;

  private:
    void drop(const DesktopId& desktop) const;

    ScreenSettings settings_;
    screenrelay::Tickets tickets_;
};

} // namespace baton::hostlink
