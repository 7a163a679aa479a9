#pragma once

#include "monitor/sample.h"
#include "sampling/clock.h"

#include <functional>
#include <memory>
#include <string>

namespace baton::sampling {

struct HostReaderSettings {
    /// "/" for this machine; else a folder with proc/ and sys/ in it, whose network interfaces are
    /// those of its proc/net/dev.
    std::string root = "/";
    /// Told when a source fails to be read, and again only after it could be read in between.
    std::function<void(const Error&)> complain = [](const Error&) {};
};

/// Reads the host's sources. What fails is a gap in that source alone. One thread at a time.
class HostReader {
  public:
    explicit HostReader(HostReaderSettings settings = {}, const Clock& clock = system_clock());
    ~HostReader();
    HostReader(const HostReader&) = delete;
    HostReader& operator=(const HostReader&) = delete;

    /// Fills all of `sample`; nothing is allocated in steady state.
    void read(monitor::HostSample& sample);

  private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace baton::sampling
