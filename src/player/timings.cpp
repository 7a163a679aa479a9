#include "player/timings.h"

#include <fmt/format.h>

#include <array>

namespace baton::player {

namespace {

struct PaperRow {
    Row row;
    const char* name;
    const char* here;
    double milliseconds;
};

constexpr std::array<PaperRow, 5> paper{
    {{Row::information, "environment information", "policy, base, header, check", 0.471},
     {Row::image, "registry hives", "lease, loop device, file system", 735.756},
     {Row::layer, "kernel driver", "namespaces, id map, overlays, masks", 269.556},
     {Row::desktop, "desktop object", "nested display (--graphical)", 0.0155},
     {Row::environment, "environment", "first program started", 10.111}}};
constexpr double paper_total = 1015.909;

} // namespace

std::string table_1(const Timings& opening, const Timings& closing) {
    std::string text = fmt::format("{:<26}{:<38}{:>12}{:>22}\n", "Table 1 of the paper", "here",
                                   "here, ms", "paper, its PC, ms");
    double total = 0;
    for (const auto& row : paper) {
        const bool done = row.row != Row::desktop || opening.milliseconds(row.row) > 0;
        total += opening.milliseconds(row.row);
        text += fmt::format("{:<26}{:<38}{:>12}{:>22}\n", row.name, row.here,
                            done ? fmt::format("{:.3f}", opening.milliseconds(row.row)) : "-",
                            fmt::format("{}", row.milliseconds));
    }
    text += fmt::format("{:<64}{:>12.3f}{:>22}\n", "total", total, paper_total);
    text += "\nopening, step by step\n";
    for (const auto& step : opening.steps())
        text += fmt::format("  {:<62}{:>12.3f}\n", step.name, step.took.count());
    if (!closing.steps().empty())
        text += "closing, step by step\n";
    for (const auto& step : closing.steps())
        text += fmt::format("  {:<62}{:>12.3f}\n", step.name, step.took.count());
    return text;
}

} // namespace baton::player
