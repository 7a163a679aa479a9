#pragma once

#include "allocation/allocator.h"
#include "allocation/trace.h"

#include <cstddef>
#include <span>

namespace baton::allocation {

struct SimulationSettings {
    /// Events before this one only bring the system to its load; they are not counted.
    std::size_t warm_up = 0;
    /// Everybody agrees to grow back whenever a plan offers it; otherwise nobody does.
    bool grow = true;
};

/// What a trace cost and gave. Means are over the counted events after which somebody was there.
struct Outcome {
    std::size_t joins = 0;
    std::size_t leaves = 0;
    std::size_t refused = 0;
    std::size_t handoffs_at_joins = 0;
    std::size_t handoffs_at_leaves = 0; ///< growing back
    double mean_utilisation = 0;        ///< memory given to desktops, of what the hosts lend
    double mean_jain = 0;               ///< Jain's index of the sizes: 1 = all are equal
    double worst_max_over_min = 0;      ///< largest size over smallest, the worst moment
    double mean_smallest_mib = 0;       ///< what the one with the least had

    [[nodiscard]] double handoffs_per_join() const;
    [[nodiscard]] double handoffs_per_leave() const;
};

/// Plays the trace; every handoff is finished before the next event. `allocator` begins empty, and
/// all of its hosts accept.
/// Errors are those of the allocator that no trace explains (Errc::internal in practice).
Result<Outcome> simulate(Allocator& allocator, std::span<const TraceEvent> trace,
                         const SimulationSettings& settings);

} // namespace baton::allocation
