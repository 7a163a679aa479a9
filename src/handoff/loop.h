#pragma once

#include "handoff/ports.h"

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

namespace baton::handoff {

/// The engine's executor: one thread, what was posted in order, timers by the monotonic clock.
/// Thread rules: any thread. Actions that are queued when it stops are dropped.
class Loop : public Clock {
  public:
    Loop();
    ~Loop() override; ///< waits for the action that is running

    [[nodiscard]] WallTime wall() const override;
    [[nodiscard]] std::chrono::nanoseconds monotonic() const override;
    TimerId after(std::chrono::nanoseconds delay, std::function<void()> action) override;
    void cancel(TimerId timer) override;
    void post(std::function<void()> action) override;

    /// Runs `action` on the loop and waits for it. Not from the loop itself.
    void run_and_wait(const std::function<void()>& action);

    /// No more actions begin; returns when none is running. Idempotent.
    void stop();

  private:
    void run();
    std::function<void()> next(std::unique_lock<std::mutex>& lock);

    std::mutex mutex_;
    std::condition_variable changed_;
    bool stopping_ = false;
    std::deque<std::function<void()>> queue_;
    std::map<std::pair<std::chrono::nanoseconds, TimerId>, std::function<void()>> timers_;
    std::map<TimerId, std::chrono::nanoseconds> due_;
    TimerId last_ = 0;
    std::thread thread_;
};

/// A few threads for calls that block. What is queued when it stops is dropped; what runs is waited
/// for.
class Pool {
  public:
    explicit Pool(unsigned threads);

    ~Pool() { stop(); }

    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;

    void run(std::function<void()> work);
    void stop();

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool stopping_ = false;
    std::deque<std::function<void()>> queue_;
    std::vector<std::thread> threads_;
};

/// Calls under one key run one after the other, in the order they were made; different keys side by
/// side. For adapters that owe the engine "in the order in which they were made". Thread-safe.
class InOrder {
  public:
    explicit InOrder(Pool& pool) : pool_(pool) {}

    void run(const std::string& key, std::function<void()> work);

  private:
    void go_on(const std::string& key);

    Pool& pool_;
    std::mutex mutex_;
    std::map<std::string, std::deque<std::function<void()>>> waiting_; ///< front: running
};

} // namespace baton::handoff
