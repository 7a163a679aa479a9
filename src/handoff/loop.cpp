#include "handoff/loop.h"

#include <future>

namespace baton::handoff {

namespace {

std::chrono::nanoseconds steady_now() {
    return std::chrono::steady_clock::now().time_since_epoch();
}

} // namespace

Loop::Loop() : thread_([this] { run(); }) {}

Loop::~Loop() {
    stop();
}

void Loop::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable())
        thread_.join();
}

WallTime Loop::wall() const {
    return std::chrono::time_point_cast<std::chrono::milliseconds>(
        std::chrono::system_clock::now());
}

std::chrono::nanoseconds Loop::monotonic() const {
    return steady_now();
}

Clock::TimerId Loop::after(std::chrono::nanoseconds delay, std::function<void()> action) {
    TimerId id = 0;
    {
        const std::lock_guard lock(mutex_);
        id = ++last_;
        const auto due = steady_now() + std::max(delay, std::chrono::nanoseconds::zero());
        due_[id] = due;
        timers_.emplace(std::pair(due, id), std::move(action));
    }
    changed_.notify_one();
    return id;
}

void Loop::cancel(TimerId timer) {
    std::function<void()> dropped; // destroyed without the lock: it may own what calls us back
    const std::lock_guard lock(mutex_);
    const auto found = due_.find(timer);
    if (found == due_.end())
        return;
    const auto entry = timers_.find(std::pair(found->second, timer));
    dropped = std::move(entry->second);
    timers_.erase(entry);
    due_.erase(found);
}

void Loop::post(std::function<void()> action) {
    {
        const std::lock_guard lock(mutex_);
        queue_.push_back(std::move(action));
    }
    changed_.notify_one();
}

void Loop::run_and_wait(const std::function<void()>& action) {
    std::promise<void> done;
    post([&] {
        action();
        done.set_value();
    });
    done.get_future().wait();
}

/// The next action that is due, waiting for it; empty: stopping.
std::function<void()> Loop::next(std::unique_lock<std::mutex>& lock) {
    while (!stopping_) {
        if (!timers_.empty() && timers_.begin()->first.first <= steady_now()) {
            auto action = std::move(timers_.begin()->second);
            due_.erase(timers_.begin()->first.second);
            timers_.erase(timers_.begin());
            return action;
        }
        if (!queue_.empty()) {
            auto action = std::move(queue_.front());
            queue_.pop_front();
            return action;
        }
        if (timers_.empty())
            changed_.wait(lock);
        else
            changed_.wait_until(
                lock, std::chrono::steady_clock::time_point(timers_.begin()->first.first));
    }
    return {};
}

void Loop::run() {
    std::unique_lock lock(mutex_);
    while (auto action = next(lock)) {
        lock.unlock();
        action();
        action = {}; // what it captured goes without the lock, too
        lock.lock();
    }
}

Pool::Pool(unsigned threads) {
    for (unsigned i = 0; i < threads; ++i)
        threads_.emplace_back([this] {
            std::unique_lock lock(mutex_);
            while (true) {
                changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
                if (stopping_)
                    return;
                auto work = std::move(queue_.front());
                queue_.pop_front();
                lock.unlock();
                work();
                work = {};
                lock.lock();
            }
        });
}

void Pool::run(std::function<void()> work) {
    {
        const std::lock_guard lock(mutex_);
        queue_.push_back(std::move(work));
    }
    changed_.notify_one();
}

void Pool::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
    for (std::thread& thread : threads_)
        if (thread.joinable())
            thread.join();
}

void InOrder::run(const std::string& key, std::function<void()> work) {
    {
        const std::lock_guard lock(mutex_);
        auto& queue = waiting_[key];
        queue.push_back(std::move(work));
        if (queue.size() > 1)
            return;
    }
    pool_.run([this, key] { go_on(key); });
}

void InOrder::go_on(const std::string& key) {
    std::function<void()> work;
    {
        const std::lock_guard lock(mutex_);
        work = std::move(waiting_.at(key).front());
    }
    work();
    work = {};
    {
        const std::lock_guard lock(mutex_);
        auto& queue = waiting_.at(key);
        queue.pop_front();
        if (queue.empty()) {
            waiting_.erase(key);
            return;
        }
    }
    pool_.run([this, key] { go_on(key); });
}

} // namespace baton::handoff
