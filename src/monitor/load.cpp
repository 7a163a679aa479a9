#include "monitor/load.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace baton::monitor {

Value load_percent(const HostRates& rates) {
    if (!rates.cpu_percent.corrected)
        return std::nullopt;
    double most = *rates.cpu_percent.corrected;
    const auto count = [&most](const Value& value, double weight) {
        if (value)
            most = std::max(most, *value * weight);
    };
    for (const DiskRates& disk : rates.disks)
        count(disk.busy_percent, 1);
    count(rates.pressure.cpu_some_percent, 2);
    count(rates.pressure.io_some_percent, 2);
    count(rates.pressure.memory_some_percent, 4);
    return std::clamp(most, 0.0, 100.0);
}

std::optional<Load> LoadMeter::take(const HostRates& rates, Moment at) {
    const Value now = load_percent(rates);
    const auto load_at = [](double percent) {
        constexpr std::array begins{usual_from, busy_from, swamped_from};
        const auto above =
            std::ranges::count_if(begins, [&](double from) { return percent >= from; });
        return static_cast<Load>(above);
    };
    if (!now || !at.known())
        return std::nullopt;
    if (percent_ && at_ == at)
        return load_;
    const Value seconds = seconds_between(at_, at); // none: the host's clock began anew
    at_ = at;
    if (!percent_ || !seconds || *seconds > forget_seconds) {
        percent_ = now;
        load_ = load_at(*now);
        return load_;
    }
    *percent_ += (*now - *percent_) * (1 - std::exp(-*seconds / smoothing_seconds));
    const Load up = load_at(*percent_);
    const Load down = load_at(*percent_ + hysteresis);
    load_ = up > load_ ? up : std::min(load_, down);
    return load_;
}

} // namespace baton::monitor
