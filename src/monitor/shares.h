#pragma once

#include "monitor/rates.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

/// CPU shares that follow measured demand: a busy desktop gets what idle ones leave, and nobody is
/// starved. Pure: readings in, weights out; hostlink/shares.h carries them out.
namespace baton::monitor {

struct ShareSettings {
    /// Everybody's share is at least this part of an equal one, however idle they were.
    double floor = 0.5;
    /// CPUs are short, and weights are set, from this part of the host wanted on...
    double short_from = 0.9;
    /// ...until it is this part; then all are equal again.
    double short_until = 0.7;
    /// Nothing is changed for less than this ratio of the wanted to the present weight (or its
    /// inverse)...
    double hysteresis = 1.25;
    /// ...nor sooner after the last change.
    double least_seconds = 5;
    double smoothing_seconds = 10;
};

struct ShareChange {
    DesktopId desktop;
    unsigned was = 0;
    unsigned weight = 0;
    double wanted_cpus = 0; ///< what it used and what it waited for, smoothed
    bool operator==(const ShareChange&) const = default;
};

/// What is to be changed, and why, in one sentence.
struct ShareChanges {
    std::vector<ShareChange> changes;
    std::string reason;
};

/// The rule. Weights count against one another; 100 is an equal share. With demands d of n desktops
/// on P CPUs, a desktop's share is its floor, P / n * floor, and of what the floors leave a part in
/// proportion to what it wants beyond its floor.
class ShareRule {
  public:
    static constexpr unsigned equal_weight = 100;

    explicit ShareRule(ShareSettings settings = {}) : settings_(settings) {}

    /// None: all is well as it is. What comes back counts as done. Desktops that are not Baton's
    /// are passed over; a desktop that has just come has the weight 100.
    std::optional<ShareChanges> take(const Reading& reading);

    /// It could not be done: the desktop has the weight that it had.
    void undo(const ShareChange& change);

    [[nodiscard]] unsigned weight(const DesktopId& desktop) const;

  private:
    struct Known {
        double demand = 0; ///< CPUs
        unsigned weight = equal_weight;
        bool measured = false;
    };

    void measure(const Reading& reading);
    [[nodiscard]] std::vector<ShareChange> wanted(double processors) const;

    ShareSettings settings_;
    std::map<DesktopId, Known> desktops_;
    Moment at_;
    Moment changed_;
    bool short_ = false;
};

} // namespace baton::monitor
