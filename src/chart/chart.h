#pragma once

#include "model/error.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// Line charts: as SVG (light and dark in one file), and in a terminal.
namespace baton::chart {

struct Point {
    double x = 0;
    std::optional<double> y; ///< none: a gap, the line is broken
};

struct Line {
    std::string name; ///< in the legend
    std::vector<Point> points;
};

enum class XAxis : std::uint8_t {
    time,     ///< x is seconds since 1970, shown in UTC
    elapsed,  ///< x is seconds since the beginning
    powers_2, ///< x is bytes; one step for each doubling: "4 KB" to "2 GB"
};

struct Chart {
    std::string title;
    std::string y_label; ///< "CPU usage"
    std::string y_unit;  ///< "%", "bytes", "bytes/s", "bit/s", "1/s", "MB/s"
    XAxis x_axis = XAxis::time;
    std::string x_label;
    std::optional<double> y_most; ///< 100 for percent; none: as the data wants
    std::vector<Line> lines;
};

enum class Theme : std::uint8_t { both, light, dark };

/// An SVG document. Theme::both follows the viewer's setting (prefers-color-scheme); programs that
/// know no style sheets see the light one.
Result<std::string> to_svg(const Chart& chart, Theme theme);

/// Braille dots under a heading, `columns` wide and `rows` high; with `colour`, ANSI colours.
std::string to_text(const Chart& chart, int columns, int rows, bool colour);

/// The marks of an axis: multiples of 1, 2 or 5 times a power of ten (of 1024 for "bytes"), about
/// `wanted` of them, from 0 to at least `most`.
std::vector<double> y_marks(double most, const std::string& unit, int wanted);
/// "1.5 MB/s", "512 MiB", "20 %".
std::string quantity(double value, const std::string& unit);

} // namespace baton::chart
