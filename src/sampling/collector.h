#pragma once

#include "monitor/rates.h"
#include "sampling/clock.h"

#include <chrono>
#include <functional>
#include <memory>
#include <string>

/// The host and all its desktops, measured again and again.
namespace baton::sampling {

struct CollectorSettings {
    HostId host;
    std::string address;     ///< HostIP of the paper's tables
    std::string libvirt_uri; ///< empty: the host alone
    std::string root = "/";  ///< another folder with proc/ and sys/: tests
    std::chrono::milliseconds fast_period{1'000};
    std::chrono::milliseconds slow_period{10'000};
    unsigned disks_every = 3; ///< per-disk counters: every so many slow periods
    std::chrono::milliseconds slow_deadline{3'000};
    /// Something cannot be read; once, until it could be in between.
    std::function<void(const Error&)> complain = [](const Error&) {};
    /// The hypervisor is connected, or why not. Called in collect().
    std::function<void(bool connected, const std::string& why)> connection =
        [](bool, const std::string&) {};
};

/// One thread at a time. collect() waits for nothing but the kernel: libvirt is heard of through
/// threads of its own.
class Collector {
  public:
    explicit Collector(CollectorSettings settings, const Clock& clock = system_clock());
    ~Collector();
    Collector(const Collector&) = delete;
    Collector& operator=(const Collector&) = delete;

    /// Reads everything of the fast tier, and gives usage since the last call; the first call gives
    /// what needs one reading only. Valid until the next call.
    const monitor::Reading& collect();

    /// The last readings as they were read, for counters (`/metrics`).
    [[nodiscard]] const monitor::HostSample& host() const;

    struct Desktop {
        const monitor::DesktopIdentity& who;
        const monitor::DesktopSample& sample;
    };

    [[nodiscard]] std::vector<Desktop> desktops() const;

    /// Whether the hypervisor has been heard of at all: connected, or why not.
    [[nodiscard]] bool heard_of_hypervisor() const;

    /// What libvirt's threads would say, for tests without one.
    [[nodiscard]] class Mailbox& mailbox();

  private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace baton::sampling
