#include "chart/axes.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <ctime>

namespace baton::chart {
namespace {

/// "1.5", "20": at most three digits that matter, no zeros at the end.
std::string digits(double value) {
    return fmt::format("{:.4g}", value);
}

std::string scaled(double value, double step, const std::vector<const char*>& names) {
    std::size_t i = 0;
    while (std::abs(value) >= step && i + 1 < names.size()) {
        value /= step;
        ++i;
    }
    return fmt::format("{} {}", digits(std::round(value * 100) / 100), names[i]);
}

std::string time_label(double at, double step) {
    const auto seconds = static_cast<std::time_t>(at);
    const std::tm time = fmt::gmtime(seconds);
    if (step >= 86'400)
        return fmt::format("{:%m-%d}", time);
    return step >= 60 ? fmt::format("{:%H:%M}", time) : fmt::format("{:%H:%M:%S}", time);
}

std::string elapsed_label(double at, double step) {
    if (step < 60)
        return fmt::format("{:g} s", at);
    return step < 3600 ? fmt::format("{:g} min", at / 60) : fmt::format("{:g} h", at / 3600);
}

double time_step(double span, int wanted) {
    constexpr std::array<double, 18> steps{1,    2,    5,      10,     15,     30,
                                           60,   120,  300,    600,    900,    1800,
                                           3600, 7200, 21'600, 43'200, 86'400, 604'800};
    for (const double step : steps)
        if (span / step <= wanted)
            return step;
    return std::ceil(span / wanted / 604'800) * 604'800;
}

std::vector<Mark> x_marks_of(XAxis axis, double from, double to, int wanted) {
    std::vector<Mark> marks;
    if (axis == XAxis::powers_2) {
        const double step = std::max(1.0, std::ceil((to - from) / wanted));
        for (double at = from; at <= to + 1e-9; at += step)
            marks.push_back({at, scaled(std::exp2(at), 1024, {"B", "KB", "MB", "GB", "TB"})});
        return marks;
    }
    const double step = time_step(to - from, wanted);
    for (double at = std::ceil(from / step) * step; at <= to + 1e-9; at += step)
        marks.push_back({at, axis == XAxis::time ? time_label(at, step) : elapsed_label(at, step)});
    return marks;
}

} // namespace

std::string quantity(double value, const std::string& unit) {
    if (unit == "bytes")
        return scaled(value, 1024, {"B", "KiB", "MiB", "GiB", "TiB"});
    if (unit == "bytes/s")
        return scaled(value, 1000, {"B/s", "kB/s", "MB/s", "GB/s"});
    if (unit == "bit/s")
        return scaled(value, 1000, {"bit/s", "kbit/s", "Mbit/s", "Gbit/s"});
    if (unit == "1/s")
        return scaled(value, 1000, {"/s", "k/s", "M/s"});
    return fmt::format("{} {}", digits(value), unit);
}

std::vector<double> y_marks(double most, const std::string& unit, int wanted) {
    if (!(most > 0))
        most = 1;
    double power = 1;
    if (unit == "bytes")
        while (power * 1024 <= most)
            power *= 1024;
    const double rough = most / power / std::max(1, wanted);
    const double ten = std::pow(10, std::floor(std::log10(rough)));
    double step = ten * 10;
    for (const double factor : {1.0, 2.0, 5.0})
        if (factor * ten >= rough * 0.999) {
            step = factor * ten;
            break;
        }
    std::vector<double> marks;
    for (int i = 0; marks.empty() || marks.back() < most * 0.999; ++i)
        marks.push_back(i * step * power);
    return marks;
}

double measured(XAxis axis, double x) {
    return axis == XAxis::powers_2 ? std::log2(std::max(1.0, x)) : x;
}

Frame frame_of(const Chart& chart, int x_wanted, int y_wanted) {
    Frame frame;
    double most = 0;
    bool any = false;
    for (const Line& line : chart.lines)
        for (const Point& point : line.points) {
            const double x = measured(chart.x_axis, point.x);
            frame.from = any ? std::min(frame.from, x) : x;
            frame.to = any ? std::max(frame.to, x) : x;
            any = true;
            most = std::max(most, point.y.value_or(0));
        }
    if (frame.to <= frame.from)
        frame.to = frame.from + 1;
    if (chart.y_most)
        most = std::max(most, *chart.y_most);
    const auto marks = y_marks(most, chart.y_unit, y_wanted);
    frame.most = marks.back();
    for (const double mark : marks)
        frame.y_marks.push_back({mark, quantity(mark, chart.y_unit)});
    frame.x_marks = x_marks_of(chart.x_axis, frame.from, frame.to, x_wanted);
    return frame;
}

} // namespace baton::chart
