#pragma once

#include "chart/chart.h"

namespace baton::chart {

struct Mark {
    double at = 0; ///< in the axis's own measure
    std::string label;
};

/// What is shown: x from..to in the axis's own measure (powers_2: logarithm), y 0..most.
struct Frame {
    double from = 0, to = 1, most = 1;
    std::vector<Mark> x_marks, y_marks;

    /// 0 to 1 across, or nothing.
    [[nodiscard]] double across(double x) const { return (x - from) / (to - from); }
};

/// x in the axis's own measure.
double measured(XAxis axis, double x);
Frame frame_of(const Chart& chart, int x_marks, int y_marks);

} // namespace baton::chart
