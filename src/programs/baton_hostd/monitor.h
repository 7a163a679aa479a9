#pragma once

#include "sampling/loop.h"

#include <functional>
#include <memory>
#include <string>

namespace baton::hostd {

struct MonitorSettings {
    sampling::CollectorSettings collector;
    /// ADDRESS:PORT of /metrics and /v1/readings, without TLS: for loopback; empty: nowhere.
    std::string listen;
    /// Each reading, in the monitor's thread.
    std::function<void(const monitor::Reading&)> told = [](const monitor::Reading&) {};
};

/// Measures until it is destroyed.
class Monitor {
  public:
    static Result<std::unique_ptr<Monitor>> start(MonitorSettings settings);
    virtual ~Monitor() = default;
    /// "http://127.0.0.1:9178"; empty: nowhere.
    [[nodiscard]] virtual std::string url() const = 0;
};

} // namespace baton::hostd
