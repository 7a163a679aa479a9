#pragma once

#include "monitor/sample.h"

namespace baton::sampling {

/// Where moments come from; tests have their own.
class Clock {
  public:
    virtual ~Clock() = default;
    [[nodiscard]] virtual monitor::Moment now() const = 0;
    [[nodiscard]] virtual WallTime wall() const = 0;
};

/// CLOCK_MONOTONIC and CLOCK_REALTIME.
const Clock& system_clock();

} // namespace baton::sampling
