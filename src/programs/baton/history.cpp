/// `baton history`: what was measured, as a table, CSV or JSON.
#include "programs/baton/output.h"
#include "programs/baton/samples_query.h"

#include <boost/json.hpp>
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <array>
#include <cmath>

namespace json = boost::json;

namespace baton::cli {
namespace {

using history::Metric;

struct Options {
    SamplesOptions samples;
    std::string who;
    bool csv = false;
    bool as_json = false;
};

std::optional<double> in_units(Metric metric, std::int64_t value) {
    if (value == history::none)
        return std::nullopt;
    return static_cast<double>(value) * history::info(metric).scale;
}

std::string time_text(history::Seconds at) {
    return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(static_cast<std::time_t>(at)));
}

/// Hundredths at most, without zeros at the end; empty: cannot be told.
std::string number_text(const std::optional<double>& value) {
    return value ? fmt::format("{}", std::round(*value * 100) / 100) : std::string();
}

Metric metric_at(std::size_t index) {
    return static_cast<Metric>(index);
}

/// "cpu_percent", "disk_bytes_per_second": the unit is in the name.
std::string column_name(Metric metric) {
    const auto& info = history::info(metric);
    switch (info.unit) {
    case history::Unit::percent:
        return fmt::format("{}_percent", info.name);
    case history::Unit::bytes:
        return fmt::format("{}_bytes", info.name);
    case history::Unit::bytes_per_second:
        return fmt::format("{}_bytes_per_second", info.name);
    case history::Unit::bits_per_second:
        return fmt::format("{}_bits_per_second", info.name);
    case history::Unit::per_second:
        return fmt::format("{}_per_second", info.name);
    }
    return std::string(info.name);
}

void print_csv(const Series& series, bool rolled) {
    std::string line = "time";
    for (std::size_t i = 0; i < history::metric_count; ++i)
        for (const char* part : {"min", "mean", "max", "p95"})
            if (rolled)
                line += fmt::format(",{}_{}", column_name(metric_at(i)), part);
            else if (std::string_view(part) == "mean")
                line += "," + column_name(metric_at(i));
    fmt::print("{}\n", line);
    for (const history::Point& point : series.points) {
        line = time_text(point.at);
        for (std::size_t i = 0; i < history::metric_count; ++i) {
            const auto& one = point.values.of[i];
            if (!rolled) {
                line += "," + number_text(in_units(metric_at(i), one.mean));
                continue;
            }
            for (const std::int64_t value : {one.least, one.mean, one.greatest, one.p95})
                line += "," + number_text(in_units(metric_at(i), value));
        }
        fmt::print("{}\n", line);
    }
}

json::value json_number(const std::optional<double>& value) {
    return value ? json::value(std::round(*value * 100) / 100) : json::value(nullptr);
}

void print_json(const Series& series, const Span& span, bool rolled) {
    json::array points;
    for (const history::Point& point : series.points) {
        json::object object{{"time", time_text(point.at)}};
        for (std::size_t i = 0; i < history::metric_count; ++i) {
            const Metric metric = metric_at(i);
            const auto& one = point.values.of[i];
            if (!rolled)
                object[column_name(metric)] = json_number(in_units(metric, one.mean));
            else if (one.mean == history::none)
                object[column_name(metric)] = nullptr;
            else
                object[column_name(metric)] =
                    json::object{{"min", json_number(in_units(metric, one.least))},
                                 {"mean", json_number(in_units(metric, one.mean))},
                                 {"max", json_number(in_units(metric, one.greatest))},
                                 {"p95", json_number(in_units(metric, one.p95))}};
        }
        points.push_back(std::move(object));
    }
    fmt::print("{}", pretty(json::object{{"of", series.title},
                                         {"every_seconds", history::length_of(span.every)},
                                         {"points", std::move(points)}}));
}

std::string cell(const history::Point& point, Metric metric) {
    const auto value = in_units(metric, point.values[metric].mean);
    if (!value)
        return "-";
    switch (history::info(metric).unit) {
    case history::Unit::percent:
        return fmt::format("{:.1f} %", *value);
    case history::Unit::bytes:
        return human_bytes(static_cast<std::int64_t>(*value));
    case history::Unit::bytes_per_second:
        return human_bytes(static_cast<std::int64_t>(*value)) + "/s";
    default:
        return fmt::format("{:.0f} kbit/s", *value / 1000);
    }
}

void print_table(const Series& series) {
    Table table({"TIME (UTC)", ">CPU", ">MEMORY", ">USED", ">DISK", ">NETWORK"});
    for (const history::Point& point : series.points)
        table.add({time_text(point.at), cell(point, Metric::cpu), cell(point, Metric::memory),
                   cell(point, Metric::memory_used), cell(point, Metric::disk),
                   cell(point, Metric::network)});
    fmt::print("{}\n{}", printable(series.title), table.text());
}

void show(const Options& options) {
    const Span span = span_of(options.samples);
    const auto samples = open_samples_for_reading(options.samples);
    const Series series = series_of(*samples, options.who, span);
    const bool rolled = span.every != history::Resolution::second;
    if (options.csv)
        print_csv(series, rolled);
    else if (options.as_json)
        print_json(series, span, rolled);
    else if (series.points.empty())
        fmt::print("{}: nothing was kept in that time\n", printable(series.title));
    else
        print_table(series);
}

} // namespace

void add_history(CLI::App& app) {
    auto options = std::make_shared<Options>();
    CLI::App* command =
        app.add_subcommand("history", "What a host, a session or a desktop has used");
    command->add_option("WHO", options->who, "A host, a session or a desktop")->required();
    add_samples_options(command, options->samples);
    auto* csv = command->add_flag("--csv", options->csv, "Every metric as CSV");
    command->add_flag("--json", options->as_json, "Every metric as JSON")->excludes(csv);
    command->footer("Example: baton history host1 --last 10m --store /var/lib/baton/samples.db");
    command->callback([options] { show(*options); });
}

} // namespace baton::cli
