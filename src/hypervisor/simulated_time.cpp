#include "hypervisor/simulated.h"

#include <condition_variable>
#include <mutex>
#include <thread>

namespace baton::hypervisor {

using std::chrono::nanoseconds;

// ---- manual ---------------------------------------------------------------------------------

WallTime ManualTime::now() const {
    return start_ + std::chrono::duration_cast<std::chrono::milliseconds>(elapsed_);
}

void ManualTime::after(nanoseconds delay, std::function<void()> action) {
    due_.emplace(elapsed_ + std::max(delay, nanoseconds{0}), std::move(action));
}

bool ManualTime::step() {
    if (due_.empty())
        return false;
    auto next = due_.extract(due_.begin());
    elapsed_ = std::max(elapsed_, next.key());
    next.mapped()();
    return true;
}

void ManualTime::advance(nanoseconds duration) {
    const nanoseconds until = elapsed_ + duration;
    while (!due_.empty() && due_.begin()->first <= until)
        step();
    elapsed_ = std::max(elapsed_, until);
}

// ---- real -----------------------------------------------------------------------------------

namespace {

class RealTime final : public SimulatedTime {
  public:
    RealTime() : thread_([this] { run(); }) {}

    ~RealTime() override {
        {
            const std::scoped_lock lock(mutex_);
            over_ = true;
        }
        changed_.notify_all();
        thread_.join();
    }

    RealTime(const RealTime&) = delete;
    RealTime& operator=(const RealTime&) = delete;

    [[nodiscard]] WallTime now() const override {
        return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
    }

    void after(nanoseconds delay, std::function<void()> action) override {
        {
            const std::scoped_lock lock(mutex_);
            due_.emplace(Clock::now() + delay, std::move(action));
        }
        changed_.notify_all();
    }

    void spend(nanoseconds duration) override { std::this_thread::sleep_for(duration); }

  private:
    using Clock = std::chrono::steady_clock;

    void run() {
        std::unique_lock lock(mutex_);
        while (!over_) {
            if (due_.empty()) {
                changed_.wait(lock);
            } else if (const auto next = due_.begin()->first; next > Clock::now()) {
                changed_.wait_until(lock, next);
            } else {
                const std::function<void()> action = std::move(due_.begin()->second);
                due_.erase(due_.begin());
                lock.unlock();
                action();
                lock.lock();
            }
        }
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::multimap<Clock::time_point, std::function<void()>> due_;
    bool over_ = false;
    std::thread thread_;
};

} // namespace

std::shared_ptr<SimulatedTime> real_time() {
    return std::make_shared<RealTime>();
}

} // namespace baton::hypervisor
