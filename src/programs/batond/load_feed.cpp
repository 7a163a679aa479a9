#include "programs/batond/load_feed.h"

#include <algorithm>
#include <chrono>

namespace baton::controller {

void LoadFeed::take(const monitor::Reading& reading) {
    using std::chrono::nanoseconds;
    const auto load = meters_[reading.host].take(reading.rates, reading.at);
    if (!load)
        return;
    // three intervals of its monitor may be missed
    const auto interval = static_cast<std::int64_t>(reading.rates.seconds * 3e9);
    engine_.host_load(reading.host, *load,
                      std::max(nanoseconds(std::chrono::seconds(10)), nanoseconds(interval)));
}

} // namespace baton::controller
