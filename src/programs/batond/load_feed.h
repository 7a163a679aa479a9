#pragma once

#include "handoff/engine.h"
#include "monitor/load.h"

#include <map>

namespace baton::controller {

/// The monitor feeds the middleware: each host's readings become the load that placement goes by.
/// On the engine's executor.
class LoadFeed {
  public:
    explicit LoadFeed(handoff::Engine& engine) : engine_(engine) {}

    void take(const monitor::Reading& reading);

    void forget(const HostId& host) { meters_.erase(host); }

  private:
    handoff::Engine& engine_;
    std::map<HostId, monitor::LoadMeter> meters_;
};

} // namespace baton::controller
