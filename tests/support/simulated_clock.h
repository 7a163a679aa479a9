#pragma once

#include "handoff/ports.h"

#include <cstdint>
#include <functional>
#include <map>
#include <utility>

namespace baton::testing {

/// Time and executor in one: time stands still until the next event is run. Events of one moment
/// run in the order in which they were made.
class SimulatedClock final : public handoff::Clock {
  public:
    [[nodiscard]] WallTime wall() const override {
        return WallTime(std::chrono::milliseconds(1'700'000'000'000) + wall_offset_ +
                        std::chrono::duration_cast<std::chrono::milliseconds>(now_));
    }

    [[nodiscard]] std::chrono::nanoseconds monotonic() const override { return now_; }

    TimerId after(std::chrono::nanoseconds delay, std::function<void()> action) override {
        const Key key{now_ + std::max(delay, std::chrono::nanoseconds(0)), ++last_};
        queue_.emplace(key, std::move(action));
        due_[last_] = key;
        return last_;
    }

    void cancel(TimerId timer) override {
        const auto found = due_.find(timer);
        if (found == due_.end())
            return;
        queue_.erase(found->second);
        due_.erase(found);
    }

    void post(std::function<void()> action) override {
        after(std::chrono::nanoseconds(0), std::move(action));
    }

    /// Runs the next event. false: there is none (due before `until`).
    bool run_one(std::chrono::nanoseconds until = std::chrono::hours(10'000)) {
        if (queue_.empty() || queue_.begin()->first.first > until)
            return false;
        auto entry = queue_.extract(queue_.begin());
        now_ = std::max(now_, entry.key().first);
        due_.erase(entry.key().second);
        entry.mapped()();
        return true;
    }

    /// The wall clock jumps; nothing that measures time may notice.
    void jump_wall(std::chrono::milliseconds by) { wall_offset_ += by; }

    void advance_to(std::chrono::nanoseconds time) { now_ = std::max(now_, time); }

  private:
    using Key = std::pair<std::chrono::nanoseconds, TimerId>;

    std::chrono::nanoseconds now_{};
    std::chrono::milliseconds wall_offset_{};
    TimerId last_ = 0;
    std::map<Key, std::function<void()>> queue_;
    std::map<TimerId, Key> due_;
};

} // namespace baton::testing
