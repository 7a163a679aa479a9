#pragma once

#include "handoff/ports.h"
#include "programs/batond/housekeeping.h"
#include "store/store.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

namespace baton::controller {

/// How long history is kept. docs/configuration.md, "How long it keeps it".
struct Retention {
    std::chrono::hours events{90 * 24}; ///< 0: whatever their age
    std::uint64_t most_events = 500'000;
    std::chrono::hours sessions{90 * 24}; ///< closed ones, and ended moves; 0: for ever

    bool operator==(const Retention&) const = default;
};

/// Prunes the store soon after it is made and every hour from then on, in short transactions with
/// pauses in between, so that nobody waits longer than for any other commit. What it took away is
/// told in one event a round; a store that fails is told to `log`, and asked again an hour later.
///
/// Thread rules: everything on the clock's executor, or before it runs.
class Historian {
  public:
    using Doors = HousekeepingDoors;

    Historian(Doors doors, Retention retention);

  private:
    struct Round;

    std::shared_ptr<Round> round_;
};

} // namespace baton::controller
