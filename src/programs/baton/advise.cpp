/// `baton advise`: how much memory each person needs, and why.
#include "history/advice.h"
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

namespace json = boost::json;

namespace baton::cli {
namespace {

struct AdviseOptions {
    SamplesOptions samples{
        .store = {}, .span = {.last = "30d", .until = {}, .every = {}}, .connection = {}};
    std::string session;
    std::string curve;
    std::vector<std::string> sizes{"512MiB", "1GiB", "2GiB", "4GiB", "8GiB"};
    double tolerance = 5;
    bool as_json = false;
};

std::vector<Mebibytes> sizes_of(const AdviseOptions& options) {
    std::vector<Mebibytes> sizes;
    sizes.reserve(options.sizes.size());
    for (const std::string& text : options.sizes)
        sizes.push_back(value_or_fail(parse_mebibytes(text)));
    return sizes;
}

std::vector<monitor::CurvePoint> curve_of(const AdviseOptions& options) {
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

std::string size_text(const json::object& one, const char* key) {
    const json::value& size = one.at(key);
    return size.is_null() ? "-" : to_string(Mebibytes(size.to_number<std::int64_t>()));
}

void print_table(const json::object& advice) {
    Table table({"WHO", "IMAGE", ">HAS", ">ADVISED", "WHY"});
    for (const json::value& value : advice.at("people").as_array()) {
        const json::object& one = value.as_object();
        const std::string image = printable(one.at("image").as_string());
        table.add({printable(one.at("who").as_string()), image.empty() ? "-" : image,
                   size_text(one, "present_mib"), size_text(one, "advised_mib"),
                   printable(one.at("why").as_string())});
    }
    fmt::print("{}", table.text());
    const auto gain = advice.at("gain_mib").to_number<std::int64_t>();
    fmt::print("the pool would {} {}\n", gain >= 0 ? "gain" : "have to give",
               to_string(Mebibytes(std::abs(gain))));
    const json::object& spread = advice.at("spread").as_object();
    const auto number = [&](const char* key) { return spread.at(key).to_number<double>(); };
    if (number("people") > 1)
        fmt::print(
            "needs differ: {:.0f} MiB at least, {:.0f} in the middle, {:.0f} at most ({:.1f} "
            "times the least; standard deviation {:.0f} % of the mean)\n",
            number("least_mib"), number("median_mib"), number("greatest_mib"),
            number("greatest_to_least"), number("variation") * 100);
}

/// By the controller, or out of the database that --store names.
json::object advice_of(const AdviseOptions& options,
                       const std::vector<monitor::CurvePoint>& curve) {
    history::AdviceWanted wanted;
    wanted.session = options.session;
    wanted.sizes = sizes_of(options);
    wanted.curve = curve;
    wanted.tolerance = options.tolerance / 100;
    if (!samples_place(options.samples).empty()) {
        const auto samples = open_samples_for_reading(options.samples);
        return history::to_json(
            value_or_fail(history::advise(*samples, wanted, span_of(options.samples))));
    }
    std::string target = fmt::format("/v1/advice?{}&tolerance={}", query_of(options.samples.span),
                                     options.tolerance);
    std::string sizes;
    for (const Mebibytes& size : wanted.sizes)
        sizes += fmt::format("{}{}", sizes.empty() ? "" : ",", size.count);
    target += "&sizes=" + escape(sizes);
    if (!wanted.session.empty())
        target += "&session=" + escape(wanted.session);
    std::string points;
    for (const auto& [memory, speed] : curve)
        points += fmt::format("{}MiB,{}\n", memory.count, speed);
    if (!points.empty())
        target += "&curve=" + escape(points);
    return remote_for_samples(options.samples).get(target);
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

void show(const AdviseOptions& options) {
    const auto curve = curve_of(options);
    // a curve alone is judged alone
    if (!curve.empty() && samples_place(options.samples).empty() &&
        options.samples.connection->controller.empty())
        return print_curve_choice(curve, options.tolerance / 100, options.as_json);
    const json::object advice = advice_of(options, curve);
    if (advice.at("people").as_array().empty())
        throw CommandFailed{Error{Errc::not_found,
                                  options.session.empty()
                                      ? "no desktop was measured in that time"
                                      : fmt::format("no session {} was measured in that time",
                                                    printable(options.session)),
                                  "look further back: --last 30d", 0}};
    if (options.as_json)
        fmt::print("{}", pretty(advice));
    else
        print_table(advice);
}

} // namespace

void add_advise(CLI::App& app) {
    auto options = std::make_shared<AdviseOptions>();
    CLI::App* command = app.add_subcommand("advise", "How much memory each person needs, and why");
    add_samples_options(command, options->samples);
    command->add_option("--session", options->session, "Only this one");
    command->add_option("--curve", options->curve,
                        "A file of MEMORY,MB_PER_S lines: read throughput at each size. Without "
                        "--store and --controller: what the curve alone advises");
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
