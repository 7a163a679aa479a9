#pragma once

#include "sampling/collector.h"

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace baton::sampling {

/// Collects at every fast period, in a thread of its own, until it is destroyed.
class SamplingLoop {
  public:
    /// In the loop's thread: the reading, and the collector that made it.
    using Sink = std::function<void(const monitor::Reading&, const Collector&)>;

    SamplingLoop(CollectorSettings settings, Sink sink);
    ~SamplingLoop();
    SamplingLoop(const SamplingLoop&) = delete;
    SamplingLoop& operator=(const SamplingLoop&) = delete;

  private:
    void run(CollectorSettings settings);

    Sink sink_;
    std::mutex mutex_;
    std::condition_variable changed_;
    bool over_ = false;
    std::thread thread_;
};

/// Questions of others (/metrics), answered by the loop with its next reading: nothing is written
/// that nobody asks for.
class Questions {
  public:
    using Answer = std::function<void(const monitor::Reading&, const Collector&)>;

    /// Any thread. `answer` comes once, in the loop's thread.
    void ask(Answer answer);
    /// In the loop's thread.
    void answer_all(const monitor::Reading& reading, const Collector& collector);

  private:
    std::mutex mutex_;
    std::vector<Answer> waiting_;
};

/// /metrics of one host: counters.
std::string metrics_page(const HostId& host, const Collector& collector);

} // namespace baton::sampling
