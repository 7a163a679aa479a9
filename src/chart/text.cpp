#include "chart/axes.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace baton::chart {
namespace {

constexpr std::array<const char*, 6> colours{"\033[34m", "\033[31m", "\033[32m",
                                             "\033[35m", "\033[33m", "\033[36m"};
constexpr const char* plain = "\033[0m";
/// Dots of one character: two across, four down.
constexpr std::array<std::array<unsigned, 2>, 4> dot_bits{
    {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}}};

/// Characters as people count them: bytes that begin one.
std::size_t width_of(const std::string& text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
    }));
}

std::string padded_left(const std::string& text, std::size_t width) {
    const std::size_t have = width_of(text);
    return std::string(width > have ? width - have : 0, ' ') + text;
}

std::string braille(unsigned bits) {
    const unsigned code = 0x2800 + bits;
    return {static_cast<char>(0xe0 | code >> 12), static_cast<char>(0x80 | (code >> 6 & 0x3f)),
            static_cast<char>(0x80 | (code & 0x3f))};
}

class Canvas {
  public:
    Canvas(int columns, int rows)
        : columns_(columns),
          rows_(rows),
          cells_(static_cast<std::size_t>(columns) * static_cast<std::size_t>(rows)) {}

    /// From corner to corner: 0 to 1, y upwards.
    void line(double x0, double y0, double x1, double y1, std::size_t owner) {
        const double wide = (x1 - x0) * columns_ * 2;
        const double high = (y1 - y0) * rows_ * 4;
        const int steps =
            std::max(1, static_cast<int>(std::ceil(std::max(std::abs(wide), std::abs(high)))));
        for (int i = 0; i <= steps; ++i) {
            const double part = static_cast<double>(i) / steps;
            dot(x0 + (x1 - x0) * part, y0 + (y1 - y0) * part, owner);
        }
    }

    [[nodiscard]] std::string row(int number, bool colour) const {
        std::string text;
        for (int column = 0; column < columns_; ++column) {
            const Cell& cell = cells_[index(column, number)];
            if (cell.bits == 0)
                text += ' ';
            else if (colour)
                text += colours[cell.owner % colours.size()] + braille(cell.bits) + plain;
            else
                text += braille(cell.bits);
        }
        return text;
    }

  private:
    struct Cell {
        unsigned bits = 0;
        std::size_t owner = 0;
    };

    [[nodiscard]] std::size_t index(int column, int row) const {
        return static_cast<std::size_t>(row) * static_cast<std::size_t>(columns_) +
               static_cast<std::size_t>(column);
    }

    void dot(double x, double y, std::size_t owner) {
        const int across =
            std::clamp(static_cast<int>(std::lround(x * (columns_ * 2 - 1))), 0, columns_ * 2 - 1);
        const int down =
            std::clamp(static_cast<int>(std::lround((1 - y) * (rows_ * 4 - 1))), 0, rows_ * 4 - 1);
        Cell& cell = cells_[index(across / 2, down / 4)];
        cell.bits |=
            dot_bits[static_cast<std::size_t>(down % 4)][static_cast<std::size_t>(across % 2)];
        cell.owner = owner;
    }

    int columns_, rows_;
    std::vector<Cell> cells_;
};

void draw(Canvas& canvas, const Chart& chart, const Frame& frame) {
    for (std::size_t i = 0; i < chart.lines.size(); ++i) {
        bool pen_down = false;
        double x_before = 0;
        double y_before = 0;
        for (const Point& point : chart.lines[i].points) {
            if (!point.y) {
                pen_down = false;
                continue;
            }
            const double x = frame.across(measured(chart.x_axis, point.x));
            const double y = *point.y / frame.most;
            canvas.line(pen_down ? x_before : x, pen_down ? y_before : y, x, y, i);
            pen_down = true;
            x_before = x;
            y_before = y;
        }
    }
}

std::string x_labels(const Frame& frame, std::size_t margin, int columns) {
    std::string text(margin + static_cast<std::size_t>(columns), ' ');
    std::size_t free_from = 0;
    for (const Mark& mark : frame.x_marks) {
        const auto at =
            margin + static_cast<std::size_t>(std::lround(frame.across(mark.at) * (columns - 1)));
        if (at < free_from || at + mark.label.size() > text.size())
            continue;
        text.replace(at, mark.label.size(), mark.label);
        free_from = at + mark.label.size() + 1;
    }
    text.erase(text.find_last_not_of(' ') + 1);
    return text;
}

} // namespace

std::string to_text(const Chart& chart, int columns, int rows, bool colour) {
    rows = std::max(rows, 4);
    const Frame frame = frame_of(chart, std::max(2, columns / 14), std::max(2, rows / 3));
    std::size_t margin = 0;
    for (const Mark& mark : frame.y_marks)
        margin = std::max(margin, width_of(mark.label));
    const int inside = std::max(8, columns - static_cast<int>(margin) - 2);
    Canvas canvas(inside, rows);
    draw(canvas, chart, frame);

    std::string text = chart.title + "\n";
    for (int row = 0; row < rows; ++row) {
        std::string label;
        for (const Mark& mark : frame.y_marks)
            if (static_cast<int>(std::lround((1 - mark.at / frame.most) * (rows - 1))) == row)
                label = mark.label;
        std::string line =
            padded_left(label, margin) + (label.empty() ? " │" : " ┤") + canvas.row(row, colour);
        if (const auto last = line.find_last_not_of(' '); last != std::string::npos)
            line.erase(last + 1);
        text += line + "\n";
    }
    text += std::string(margin + 1, ' ') + "└";
    for (int i = 0; i < inside; ++i)
        text += "─";
    text += "\n" + x_labels(frame, margin + 2, inside) + "\n";
    if (!chart.lines.empty()) {
        text += std::string(margin + 2, ' ');
        for (std::size_t i = 0; i < chart.lines.size(); ++i) {
            const std::string mark =
                colour ? colours[i % colours.size()] + std::string("━━") + plain : "━━";
            text += (i > 0 ? "   " : "") + mark + " " + chart.lines[i].name;
        }
        text += "\n";
    }
    return text;
}

} // namespace baton::chart
