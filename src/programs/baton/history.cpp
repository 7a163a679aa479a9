/// `baton history`: what was measured, as a table, CSV or JSON.
#include "history/codec.h"
#include "programs/baton/output.h"
#include "programs/baton/samples_query.h"

#include <fmt/format.h>

namespace baton::cli {
namespace {

using history::Metric;

struct HistoryOptions {
    SamplesOptions samples;
    std::string who;
    bool csv = false;
    bool as_json = false;
};

std::string cell(const history::Point& point, Metric metric) {
    const auto value = history::in_units(metric, point.values[metric].mean);
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

void print_table(const history::Series& series) {
    Table table({"TIME (UTC)", ">CPU", ">MEMORY", ">USED", ">DISK", ">NETWORK"});
    for (const history::Point& point : series.points)
        table.add({history::time_text(point.at), cell(point, Metric::cpu),
                   cell(point, Metric::memory), cell(point, Metric::memory_used),
                   cell(point, Metric::disk), cell(point, Metric::network)});
    fmt::print("{}\n{}", printable(series.title), table.text());
}

void show(const HistoryOptions& options) {
    const history::Series series =
        series_for(options.samples, options.who, span_of(options.samples));
    if (options.csv)
        fmt::print("{}", history::to_csv(series));
    else if (options.as_json)
        fmt::print("{}", pretty(history::to_json(series)));
    else if (series.points.empty())
        fmt::print("{}: nothing was kept in that time\n", printable(series.title));
    else
        print_table(series);
}

} // namespace

void add_history(CLI::App& app) {
    auto options = std::make_shared<HistoryOptions>();
    CLI::App* command =
        app.add_subcommand("history", "What a host, a session or a desktop has used");
    command->add_option("WHO", options->who, "A host, a session or a desktop")->required();
    add_samples_options(command, options->samples);
    auto* csv = command->add_flag("--csv", options->csv, "Every metric as CSV");
    command->add_flag("--json", options->as_json, "Every metric as JSON")->excludes(csv);
    command->footer("Example: baton history host1 --last 10m");
    command->callback([options] { show(*options); });
}

} // namespace baton::cli
