/// `baton advise`: how much memory each person needs, and why.
#include "model/size.h"
#include "monitor/sizing.h"
#include "programs/baton/output.h"
#include "programs/baton/samples_query.h"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>

namespace json = boost::json;

namespace baton::cli {
namespace {

using history::Metric;

struct Options {
    SamplesOptions samples{.store = {}, .last = "30d", .until = {}, .every = {}};
    std::string session;
    std::string curve;
    std::vector<std::string> sizes{"512MiB", "1GiB", "2GiB", "4GiB", "8GiB"};
    double tolerance = 5;
    bool as_json = false;
};

/// One person with one OS image; a VM that is nobody's stands for itself.
struct Someone {
    std::string name, image;
    std::vector<history::Point> points; ///< ascending in time
};

struct Row {
    Someone who;
    std::optional<Mebibytes> present;
    monitor::Advice advice;
};

std::vector<Mebibytes> sizes_of(const Options& options) {
    std::vector<Mebibytes> sizes;
    for (const std::string& text : options.sizes)
        sizes.push_back(value_or_fail(parse_mebibytes(text)));
    return sizes;
}

std::vector<monitor::CurvePoint> curve_of(const Options& options) {
    if (options.curve.empty())
        return {};
    std::ifstream file(options.curve);
    if (!file)
        throw CommandFailed{
            fail_errno(errno, fmt::format("cannot open the curve {}", options.curve)).value()};
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    auto curve = value_or_fail(monitor::parse_curve(text));
    value_or_fail(monitor::from_curve(curve, Mebibytes(0), 0)); // told now, not left out later
    return curve;
}

std::vector<Someone> everybody(history::Samples& samples, const Options& options,
                               const Span& span) {
    std::map<std::int64_t, history::Subject> subjects;
    for (history::Subject& subject : value_or_fail(samples.subjects()))
        subjects[subject.id] = std::move(subject);
    std::map<std::string, history::Person> people;
    for (history::Person& person : value_or_fail(samples.people()))
        people[person.session] = std::move(person);
    std::map<std::pair<std::string, std::string>, Someone> found;
    const auto add = [&](const std::string& name, const std::string& image, std::int64_t subject,
                         history::Seconds from, history::Seconds until) {
        Someone& someone = found[{name, image}];
        someone.name = name;
        someone.image = image;
        const auto points =
            value_or_fail(samples.read(subject, from, until, history::Resolution::minute));
        someone.points.insert(someone.points.end(), points.begin(), points.end());
    };
    for (const history::Stay& stay : value_or_fail(samples.stays())) {
        subjects.erase(stay.subject); // somebody's
        if (!options.session.empty() && stay.session != options.session)
            continue;
        const auto person = people.find(stay.session);
        const bool known = person != people.end();
        add(known ? person->second.user : stay.session, known ? person->second.image : "",
            stay.subject, std::max(span.from, stay.since), std::min(span.until, stay.until + 1));
    }
    for (const auto& [id, subject] : subjects)
        if (options.session.empty() && subject.kind == history::Kind::desktop)
            add(subject.name, "", id, span.from, span.until);
    std::vector<Someone> all;
    for (auto& [key, someone] : found) {
        std::sort(someone.points.begin(), someone.points.end(),
                  [](const history::Point& a, const history::Point& b) { return a.at < b.at; });
        all.push_back(std::move(someone));
    }
    return all;
}

std::optional<double> largest_in_units(const history::Point& point, Metric metric) {
    const std::int64_t value = point.values[metric].greatest;
    if (value == history::none)
        return std::nullopt;
    return static_cast<double>(value) * history::info(metric).scale;
}

Row advice_for(Someone someone, const std::vector<Mebibytes>& sizes,
               const std::vector<monitor::CurvePoint>& curve, double tolerance) {
    constexpr double mebibyte = 1024.0 * 1024.0;
    monitor::SizingRule rule;
    rule.curve_tolerance = tolerance;
    monitor::Sizing sizing(sizes, rule);
    sizing.set_curve(curve);
    std::optional<Mebibytes> present;
    double hour = 0;
    for (const history::Point& point : someone.points) {
        hour = static_cast<double>(point.at) / 3600;
        monitor::NeedSample sample;
        sample.hour = hour;
        if (const auto need = largest_in_units(point, Metric::memory_used))
            sample.need_mebibytes = *need / mebibyte;
        sample.pressure_percent = largest_in_units(point, Metric::memory_pressure);
        sample.swap_in_bytes_per_second = largest_in_units(point, Metric::swap_in);
        sample.major_faults_per_second = largest_in_units(point, Metric::major_faults);
        if (const auto given = largest_in_units(point, Metric::memory_given))
            present = Mebibytes(static_cast<std::int64_t>(*given / mebibyte));
        sizing.observe(sample);
    }
    Row row{std::move(someone), present, sizing.advise(hour, present)};
    row.who.points.clear();
    return row;
}

std::string size_text(const std::optional<Mebibytes>& size) {
    return size ? to_string(*size) : "-";
}

monitor::Spread spread_over(const std::vector<Row>& rows) {
    std::vector<double> needs;
    for (const Row& row : rows)
        if (row.advice.base_mebibytes > 0)
            needs.push_back(row.advice.base_mebibytes);
    return monitor::spread_of(needs);
}

/// What the pool would gain (or, negative, has to give), over those whose present size is known.
std::int64_t gain_of(const std::vector<Row>& rows) {
    std::int64_t gain = 0;
    for (const Row& row : rows)
        if (row.present && row.advice.size)
            gain += row.present->count - row.advice.size->count;
    return gain;
}

void print_json(const std::vector<Row>& rows) {
    json::array people;
    const auto size = [](const std::optional<Mebibytes>& value) {
        return value ? json::value(value->count) : json::value(nullptr);
    };
    for (const Row& row : rows)
        people.push_back(json::object{{"who", row.who.name},
                                      {"image", row.who.image},
                                      {"present_mib", size(row.present)},
                                      {"advised_mib", size(row.advice.size)},
                                      {"base_mib", row.advice.base_mebibytes},
                                      {"peak_mib", row.advice.peak_mebibytes},
                                      {"shortage", row.advice.shortage},
                                      {"waits", row.advice.waits_quietly},
                                      {"why", row.advice.why}});
    const auto spread = spread_over(rows);
    fmt::print("{}",
               pretty(json::object{{"people", std::move(people)},
                                   {"gain_mib", gain_of(rows)},
                                   {"spread", json::object{{"people", spread.people},
                                                           {"least_mib", spread.least},
                                                           {"median_mib", spread.median},
                                                           {"greatest_mib", spread.greatest},
                                                           {"variation", spread.variation}}}}));
}

void print_table(const std::vector<Row>& rows) {
    Table table({"WHO", "IMAGE", ">HAS", ">ADVISED", "WHY"});
    for (const Row& row : rows)
        table.add({printable(row.who.name), row.who.image.empty() ? "-" : printable(row.who.image),
                   size_text(row.present), size_text(row.advice.size), row.advice.why});
    fmt::print("{}", table.text());
    const std::int64_t gain = gain_of(rows);
    fmt::print("the pool would {} {}\n", gain >= 0 ? "gain" : "have to give",
               to_string(Mebibytes(std::abs(gain))));
    const auto spread = spread_over(rows);
    if (spread.people > 1)
        fmt::print(
            "needs differ: {:.0f} MiB at least, {:.0f} in the middle, {:.0f} at most ({:.1f} "
            "times the least; standard deviation {:.0f} % of the mean)\n",
            spread.least, spread.median, spread.greatest, spread.greatest_to_least,
            spread.variation * 100);
}

void print_curve_choice(std::vector<monitor::CurvePoint> curve, double tolerance, bool as_json) {
    const Mebibytes chosen = value_or_fail(monitor::from_curve(curve, Mebibytes(0), tolerance));
    if (as_json) {
        fmt::print("{}", pretty(json::object{{"chosen_mib", chosen.count}}));
        return;
    }
    Table table({">MEMORY", ">MB/S", ">OF THE LARGEST", ""});
    const auto largest =
        std::max_element(curve.begin(), curve.end(),
                         [](const auto& a, const auto& b) { return a.memory < b.memory; });
    const double most = largest->megabytes_per_second;
    for (const auto& [memory, speed] : curve)
        table.add({to_string(memory), fmt::format("{:.1f}", speed),
                   fmt::format("{:.2f} %", 100 * speed / most),
                   memory == chosen ? "<- advised" : ""});
    fmt::print("{}{} is the smallest that reads with at least {:g} % of what the largest does\n",
               table.text(), to_string(chosen), 100 * (1 - tolerance));
}

void show(const Options& options) {
    const auto curve = curve_of(options);
    const double tolerance = options.tolerance / 100;
    // a curve alone is judged alone
    if (!curve.empty() && samples_place(options.samples).empty())
        return print_curve_choice(curve, tolerance, options.as_json);
    const auto samples = open_samples_for_reading(options.samples);
    const auto sizes = sizes_of(options);
    std::vector<Row> rows;
    for (Someone& someone : everybody(*samples, options, span_of(options.samples)))
        rows.push_back(advice_for(std::move(someone), sizes, curve, tolerance));
    if (rows.empty())
        throw CommandFailed{Error{Errc::not_found,
                                  options.session.empty()
                                      ? "no desktop was measured in that time"
                                      : fmt::format("no session {} was measured in that time",
                                                    printable(options.session)),
                                  "look further back: --last 30d", 0}};
    options.as_json ? print_json(rows) : print_table(rows);
}

} // namespace

void add_advise(CLI::App& app) {
    auto options = std::make_shared<Options>();
    CLI::App* command = app.add_subcommand("advise", "How much memory each person needs, and why");
    add_samples_options(command, options->samples);
    command->add_option("--session", options->session, "Only this one");
    command->add_option("--curve", options->curve,
                        "A file of MEMORY,MB_PER_S lines: read throughput at each size. Without "
                        "--store: what the curve alone advises");
    command->add_option("--sizes", options->sizes, "The sizes there are")
        ->delimiter(',')
        ->capture_default_str();
    command
        ->add_option("--tolerance", options->tolerance,
                     "Percent of the throughput that may be given up (the paper's choice needs "
                     "2.93 at least)")
        ->check(CLI::Range(0.0, 100.0))
        ->capture_default_str();
    command->add_flag("--json", options->as_json, "Print JSON");
    command->footer("Example: printf '2GiB,107.1\\n4GiB,2473.9\\n8GiB,2548.4\\n' > figure13.csv; "
                    "baton advise --curve figure13.csv");
    command->callback([options] { show(*options); });
}

} // namespace baton::cli
