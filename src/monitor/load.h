#pragma once

#include "model/load.h"
#include "monitor/rates.h"

/// How loaded a host is, out of its readings: what the allocation asks of the monitor. Pure.
namespace baton::monitor {

/// How much of the host is in use or waited for, 0 to 100: the largest of the CPU's busy share, the
/// busiest disk's, and pressure, of which every percent is somebody who waits: twice the share of
/// time in which tasks waited for the CPU or a disk, four times for memory. None: the CPU is not
/// known.
[[nodiscard]] Value load_percent(const HostRates& rates);

/// Smoothed over ten seconds and cut into the four loads, each of which is left downwards only
/// five points below where it begins: a host at a boundary does not go to and fro.
class LoadMeter {
  public:
    /// Where "usual", "busy" and "swamped" begin.
    static constexpr double usual_from = 40;
    static constexpr double busy_from = 70;
    static constexpr double swamped_from = 90;
    static constexpr double hysteresis = 5;
    static constexpr double smoothing_seconds = 10;
    /// After a gap of so long it begins anew.
    static constexpr double forget_seconds = 60;

    /// None: the reading does not tell.
    std::optional<Load> take(const HostRates& rates, Moment at);

    [[nodiscard]] Value percent() const { return percent_; }

  private:
    Moment at_;
    Value percent_;
    Load load_ = Load::usual;
};

} // namespace baton::monitor
