#include "sampling/clock.h"

#include <chrono>
#include <ctime>

namespace baton::sampling {

namespace {

class SystemClock : public Clock {
  public:
    [[nodiscard]] monitor::Moment now() const override {
        timespec time{};
        ::clock_gettime(CLOCK_MONOTONIC, &time);
        return {std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec};
    }

    [[nodiscard]] WallTime wall() const override {
        return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
    }
};

} // namespace

const Clock& system_clock() {
    static const SystemClock clock;
    return clock;
}

} // namespace baton::sampling
