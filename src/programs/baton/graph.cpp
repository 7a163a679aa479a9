/// `baton graph`: the paper's Figures 10 to 12 as they would be drawn today.
#include "chart/chart.h"
#include "process/run.h"
#include "programs/baton/output.h"
#include "programs/baton/samples_query.h"

#include <fmt/format.h>

#include <cerrno>
#include <fstream>
#include <sys/ioctl.h>
#include <unistd.h>

namespace baton::cli {
namespace {

using history::Metric;

struct GraphOptions {
    SamplesOptions samples{
        .store = {}, .span = {.last = "10m", .until = {}, .every = {}}, .connection = {}};
    std::string who;
    std::string metric = "cpu";
    std::string svg, png;
    std::string theme = "both";
    int columns = 0;
};

struct LineOf {
    const char* name;
    Metric metric;
    Metric minus; ///< the same: nothing is taken off
};

struct Look {
    const char* label;
    const char* unit;
    bool percent;
    std::vector<LineOf> host, desktop;
    std::optional<LineOf> both{}; ///< when the directions cannot be told apart
};

Look look_of(const std::string& metric) {
    if (metric == "cpu")
        return {"CPU usage",
                "%",
                true,
                {{"CPU", Metric::cpu, Metric::cpu},
                 {"waiting for disks", Metric::io_wait, Metric::io_wait}},
                {{"of the host", Metric::cpu, Metric::cpu},
                 {"of its own processors", Metric::cpu_own, Metric::cpu_own}}};
    if (metric == "memory")
        return {"Memory",
                "bytes",
                false,
                {{"installed", Metric::memory_total, Metric::memory_total},
                 {"in use", Metric::memory_used, Metric::memory_used}},
                {{"given", Metric::memory_given, Metric::memory_given},
                 {"in use", Metric::memory_used, Metric::memory_used},
                 {"resident on the host", Metric::resident, Metric::resident}}};
    if (metric == "disk") {
        const std::vector<LineOf> lines{{"read", Metric::disk, Metric::disk_written},
                                        {"written", Metric::disk_written, Metric::disk_written}};
        return {"Disk", "bytes/s", false,
                lines,  lines,     LineOf{"read and written", Metric::disk, Metric::disk}};
    }
    const std::vector<LineOf> lines{
        {"received", Metric::network_received, Metric::network_received},
        {"sent", Metric::network, Metric::network_received}};
    return {"Network", "bit/s", false,
            lines,     lines,   LineOf{"both ways", Metric::network, Metric::network}};
}

std::optional<double> value_at(const history::Point& point, const LineOf& line) {
    const std::int64_t value = point.values[line.metric].mean;
    const std::int64_t less = point.values[line.minus].mean;
    if (value == history::none || less == history::none)
        return std::nullopt;
    const std::int64_t shown =
        line.metric == line.minus ? value : std::max<std::int64_t>(0, value - less);
    return static_cast<double>(shown) * history::info(line.metric).scale;
}

/// Without points: nothing of it was measured.
chart::Line line_of(const history::Series& series, const LineOf& of, const history::Span& span) {
    const history::Seconds step = history::length_of(span.every);
    chart::Line line{of.name, {}};
    history::Seconds before = 0;
    for (const history::Point& point : series.points) {
        const auto value = value_at(point, of);
        if (!value)
            continue;
        // the slow tier's figures come every ten seconds: less than that is no gap
        if (before != 0 && point.at - before > std::max<history::Seconds>(step * 2, 12))
            line.points.push_back({static_cast<double>(before + step), std::nullopt});
        before = point.at;
        line.points.push_back({static_cast<double>(point.at), value});
    }
    return line;
}

chart::Chart chart_of(const history::Series& series, const std::string& metric,
                      const history::Span& span) {
    const Look look = look_of(metric);
    chart::Chart chart;
    chart.title = fmt::format("{} of {}", look.label, series.title);
    chart.y_label = look.label;
    chart.y_unit = look.unit;
    chart.x_label = "time (UTC)";
    if (look.percent)
        chart.y_most = 100;
    const auto& lines = series.kind == history::Kind::host ? look.host : look.desktop;
    for (const LineOf& of : lines)
        if (chart::Line line = line_of(series, of, span); !line.points.empty())
            chart.lines.push_back(std::move(line));
    if (chart.lines.empty() && look.both)
        if (chart::Line line = line_of(series, *look.both, span); !line.points.empty())
            chart.lines.push_back(std::move(line));
    return chart;
}

void write_file(const std::string& path, const std::string& text) {
    std::ofstream file(path, std::ios::binary);
    file << text;
    file.close();
    if (!file)
        throw CommandFailed{fail_errno(errno, fmt::format("cannot write {}", path)).value()};
}

/// rsvg-convert, of Debian's librsvg2-bin.
process::Command png_command(const std::string& svg, const std::string& path) {
    return {.words = {"rsvg-convert", "--format=png", "--zoom=2", "--output=" + path},
            .input = svg};
}

void write_png(const chart::Chart& chart, const std::string& path, chart::Theme theme) {
    // a picture has one paper: the light one unless the dark one is asked for
    const auto svg = value_or_fail(
        chart::to_svg(chart, theme == chart::Theme::both ? chart::Theme::light : theme));
    value_or_fail(process::run_checked(png_command(svg, path), "writing " + path));
}

int terminal_columns() {
    winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return 80;
}

void show(const GraphOptions& options) {
    const history::Span span = span_of(options.samples);
    const history::Series series = series_for(options.samples, options.who, span);
    const chart::Chart chart = chart_of(series, options.metric, span);
    if (chart.lines.empty())
        throw CommandFailed{Error{Errc::not_found,
                                  fmt::format("nothing was measured of {} in that time: {}",
                                              printable(series.title), options.metric),
                                  "look further back: --last 1d", 0}};
    const chart::Theme theme = options.theme == "light"  ? chart::Theme::light
                               : options.theme == "dark" ? chart::Theme::dark
                                                         : chart::Theme::both;
    if (!options.svg.empty())
        write_file(options.svg, value_or_fail(chart::to_svg(chart, theme)));
    if (!options.png.empty())
        write_png(chart, options.png, theme);
    if (options.svg.empty() && options.png.empty())
        fmt::print("{}",
                   chart::to_text(chart, options.columns > 0 ? options.columns : terminal_columns(),
                                  16, ::isatty(STDOUT_FILENO) == 1));
}

} // namespace

void add_graph(CLI::App& app) {
    auto options = std::make_shared<GraphOptions>();
    CLI::App* command = app.add_subcommand("graph", "The same as a drawing, here or in a file");
    command->add_option("WHO", options->who, "A host, a session or a desktop")->required();
    command->add_option("--metric", options->metric, "cpu, memory, disk or net")
        ->check(CLI::IsMember({"cpu", "memory", "disk", "net"}))
        ->capture_default_str();
    add_samples_options(command, options->samples);
    command->add_option("--svg", options->svg, "Write an SVG file");
    command->add_option("--png", options->png, "Write a PNG file (with rsvg-convert)");
    command->add_option("--theme", options->theme, "both (follows the viewer), light or dark")
        ->check(CLI::IsMember({"both", "light", "dark"}))
        ->capture_default_str();
    command->add_option("--columns", options->columns, "Width in the terminal (default: all of it)")
        ->check(CLI::Range(20, 500));
    command->footer("Example: baton graph host1 --metric cpu --last 10m --svg cpu.svg");
    command->callback([options] { show(*options); });
}

} // namespace baton::cli
