#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace baton::hypervisor {

/// One thread that does what it is given, in that order. What is left when it ends is dropped.
class Worker {
  public:
    Worker() : thread_([this] { run(); }) {}

    ~Worker() { stop(); }

    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    void post(std::function<void()> task) {
        {
            const std::scoped_lock lock(mutex_);
            tasks_.push_back(std::move(task));
        }
        changed_.notify_one();
    }

    /// Waits for the task under way and drops the rest. Not from a task.
    void stop() {
        {
            const std::scoped_lock lock(mutex_);
            over_ = true;
        }
        changed_.notify_one();
        if (thread_.joinable())
            thread_.join();
    }

  private:
    void run() {
        std::unique_lock lock(mutex_);
        while (true) {
            changed_.wait(lock, [this] { return over_ || !tasks_.empty(); });
            if (over_)
                return;
            const std::function<void()> task = std::move(tasks_.front());
            tasks_.pop_front();
            lock.unlock();
            task();
            lock.lock();
        }
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::function<void()>> tasks_;
    bool over_ = false;
    std::thread thread_;
};

} // namespace baton::hypervisor
