#pragma once

#include "handoff/ports.h"
#include "store/store.h"

#include <functional>

namespace baton::controller {

/// What those need that look after the site every hour: pruning, certificates.
struct HousekeepingDoors {
    store::Store& store;
    handoff::Clock& clock;
    std::function<void()> events_grew; ///< called after an event of theirs was committed
    std::function<void(const Error&)> log;
};

} // namespace baton::controller
