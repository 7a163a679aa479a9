/// `baton plan`: what the allocation would do, without any host: Table 3 of the first paper for any
/// hosts and sizes, a trace of people who come and go, and policies side by side.
#include "allocation/allocator.h"
#include "allocation/simulator.h"
#include "allocation/trace.h"
#include "model/size.h"
#include "programs/baton/commands.h"

#include <boost/json.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>
#include <memory>
#include <optional>

namespace baton::cli {

namespace {

namespace json = boost::json;
using allocation::Allocator;
using allocation::TraceEvent;

constexpr int most_hosts = 100'000;
constexpr int most_users = 10'000;

struct PlanOptions {
    std::optional<int> hosts; ///< none: as many as memory sizes are given, or 2
    std::vector<std::string> host_memory{"4GiB"};
    std::string reserve = "0";
    std::string largest;
    int levels = 4;
    std::optional<int> users; ///< none: one more than fit
    std::vector<std::string> policies;
    std::string trace;
    bool grow = false;
    bool compare = false;
    int margin = 1;
    int load = 60;
    int events = 20'000;
    std::uint64_t seed = 1;
    bool as_json = false;
};

struct Setup {
    allocation::Settings settings;
    std::vector<allocation::HostCapacity> hosts;
};

/// After one join or leave.
struct Row {
    std::size_t users = 0;
    std::string event; ///< "+ kim", or empty when the rows are Table 3's
    std::vector<allocation::SessionPlacement> placements;
    Mebibytes free;
    std::vector<allocation::Handoff> handoffs;
    std::string refused;
};

[[noreturn]] void refuse(std::string what, std::string hint = {}) {
    throw CommandFailed{Error{Errc::invalid_argument, std::move(what), std::move(hint), 0}};
}

int in_range(std::string_view option, int value, int least, int most) {
    if (value < least || value > most)
        refuse(fmt::format("{} {} is not possible", option, value),
               fmt::format("choose {} to {}", least, most));
    return value;
}

Mebibytes amount(std::string_view option, const std::string& text) {
    auto size = parse_mebibytes(text);
    if (!size)
        throw CommandFailed{size.error().in(option)};
    return *size;
}

/// What the host keeps for itself: an amount, 0, or by the default rule the larger of 1 GiB and a
/// tenth.
Mebibytes reserve_of(const std::string& text, Mebibytes memory) {
    if (text == "0")
        return {};
    if (text == "default")
        return std::max(1_GiB, Mebibytes((memory.count + 9) / 10));
    return amount("--reserve", text);
}

Setup setup_of(const PlanOptions& options) {
    const std::size_t sizes = options.host_memory.size();
    const int count = options.hosts ? in_range("--hosts", *options.hosts, 1, most_hosts)
                      : sizes > 1   ? static_cast<int>(sizes)
                                    : 2;
    if (sizes > 1 && static_cast<int>(sizes) != count)
        refuse(fmt::format("--hosts is {}, but --host-memory has {} sizes", count, sizes),
               "give one size for all hosts, or one for each");
    Setup setup;
    std::optional<Mebibytes> least;
    for (int i = 0; i < count; ++i) {
        const Mebibytes memory = amount(
            "--host-memory", options.host_memory[sizes > 1 ? static_cast<std::size_t>(i) : 0]);
        const Mebibytes lent = memory - reserve_of(options.reserve, memory);
        if (lent.count <= 0)
            refuse(fmt::format("a host of {} has nothing to lend with a reserve of {}",
                               to_string(memory), to_string(memory - lent)),
                   "give a smaller --reserve or a larger --host-memory");
        least = least ? std::min(*least, lent) : lent;
        setup.hosts.push_back({HostId(fmt::format("host{}", i + 1)), lent, true});
    }
    setup.settings.levels = static_cast<unsigned>(in_range("--levels", options.levels, 1, 16));
    setup.settings.margin = static_cast<unsigned>(in_range("--margin", options.margin, 0, 1000));
    // by default one desktop may have a whole host, of unequal ones the smallest
    const std::int64_t parts = std::int64_t{1} << (options.levels - 1);
    if (!options.largest.empty())
        setup.settings.largest = amount("--largest", options.largest);
    else if (least->count < parts)
        refuse(fmt::format("{} cannot be halved {} times into whole MiB", to_string(*least),
                           options.levels - 1),
               "choose fewer --levels or a larger --host-memory");
    else
        setup.settings.largest = Mebibytes(least->count / parts * parts);
    return setup;
}

std::unique_ptr<Allocator> allocator_of(const Setup& setup, const std::string& policy) {
    return value_or_fail(allocation::make_allocator(policy, setup.settings, setup.hosts));
}

// ---------------------------------------------------------------- rows

std::string read_all(const std::string& path) {
    const auto read = [&](std::istream& in) {
        std::string text{std::istreambuf_iterator<char>(in), {}};
        if (in.bad())
            throw CommandFailed{
                fail_errno(errno, fmt::format("cannot read the trace '{}'", path)).value()};
        return text;
    };
    if (path == "-")
        return read(std::cin);
    std::ifstream file(path);
    if (!file)
        throw CommandFailed{
            fail_errno(errno, fmt::format("cannot open the trace '{}'", path)).value()};
    return read(file);
}

std::vector<TraceEvent> trace_of(const PlanOptions& options) {
    auto events = allocation::parse_trace(read_all(options.trace));
    if (!events)
        throw CommandFailed{events.error().in(fmt::format("the trace '{}'", options.trace))};
    return std::move(*events);
}

void finish(Allocator& desks, const allocation::Handoff& handoff, Row& row) {
    value_or_fail(desks.finish_handoff(handoff.session));
    row.handoffs.push_back(handoff);
}

void fill(Row& row, const Allocator& desks) {
    row.placements = desks.placements();
    row.users = row.placements.size();
    row.free = desks.free_total();
}

Row join_row(Allocator& desks, const SessionId& session) {
    Row row;
    const auto plan = desks.join(session);
    if (!plan) {
        if (plan.error().code != Errc::refused && plan.error().code != Errc::busy)
            throw CommandFailed{plan.error()};
        row.users = desks.placements().size() + 1;
        row.refused = plan.error().message();
        return row;
    }
    if (plan->handoff)
        finish(desks, *plan->handoff, row);
    fill(row, desks);
    return row;
}

Row leave_row(Allocator& desks, const SessionId& session, bool grow) {
    Row row;
    value_or_fail(desks.leave(session));
    while (grow) {
        const auto plan = desks.plan_grow(std::nullopt);
        if (!plan)
            break;
        value_or_fail(desks.begin_handoff(*plan));
        finish(desks, *plan, row);
    }
    fill(row, desks);
    return row;
}

using RowSink = std::function<void(const Row&)>;

void run_joins(Allocator& desks, std::size_t users, const RowSink& sink) {
    for (std::size_t n = 1; n <= users; ++n) {
        const Row row = join_row(desks, SessionId(fmt::format("user{}", n)));
        sink(row);
        if (!row.refused.empty())
            return; // whoever comes after is refused as well
    }
}

void run_trace(Allocator& desks, const std::vector<TraceEvent>& trace, bool grow,
               const RowSink& sink) {
    for (const auto& [join, session, load] : trace) {
        if (load) {
            value_or_fail(desks.set_load(load->host, load->load));
            continue;
        }
        if (!join && !desks.find(session))
            continue; // had been refused
        Row row = join ? join_row(desks, session) : leave_row(desks, session, grow);
        row.event = fmt::format("{} {}", join ? '+' : '-', session.value);
        sink(row);
    }
}

// ---------------------------------------------------------------- printing

json::object to_json(const Row& row) {
    json::object object{{"users", row.users}};
    if (!row.event.empty())
        object["event"] = row.event;
    if (!row.refused.empty()) {
        object["refused"] = row.refused;
        return object;
    }
    json::array sizes;
    json::array hosts;
    for (const auto& placement : row.placements) {
        sizes.emplace_back(placement.block.size.count);
        hosts.emplace_back(placement.block.host.value);
    }
    object["sizes_mib"] = std::move(sizes);
    object["free_mib"] = row.free.count;
    object["handoffs"] = row.handoffs.size();
    object["hosts"] = std::move(hosts);
    return object;
}

/// "4 2x3" or "host1 host2(3)": neighbours that are alike are counted.
std::string in_runs(const std::vector<std::string>& words, std::string_view before,
                    std::string_view after) {
    std::vector<std::string> runs;
    for (std::size_t i = 0; i < words.size();) {
        std::size_t end = i;
        while (end < words.size() && words[end] == words[i])
            ++end;
        runs.push_back(end - i == 1 ? words[i]
                                    : fmt::format("{}{}{}{}", words[i], before, end - i, after));
        i = end;
    }
    return fmt::format("{}", fmt::join(runs, " "));
}

std::string bare_size(Mebibytes size, bool gib) {
    return gib ? fmt::format("{:g}", static_cast<double>(size.count) / 1024)
               : fmt::format("{}", size.count);
}

class PlanTable {
  public:
    PlanTable(const Setup& setup, bool with_events) : with_events_(with_events) {
        const Mebibytes smallest = setup.settings.largest.halved(setup.settings.levels - 1);
        gib_ = smallest.count % 128 == 0;
        fmt::print("{} host{}, desktops of {} down to {}\n\n", setup.hosts.size(),
                   setup.hosts.size() == 1 ? "" : "s", to_string(setup.settings.largest),
                   to_string(smallest));
        fmt::print("{}{:>5}  {:<26} {:>8}  {:>8}  {}\n", with_events_ ? "event        " : "",
                   "users", fmt::format("sizes by join order, {}", gib_ ? "GiB" : "MiB"), "free",
                   "handoffs", "hosts by join order; handoffs");
    }

    void print(const Row& row) const {
        if (with_events_)
            fmt::print("{:<12} ", row.event);
        if (!row.refused.empty()) {
            fmt::print("{:>5}  refused: {}\n", row.users, row.refused);
            return;
        }
        std::vector<std::string> sizes;
        std::vector<std::string> hosts;
        for (const auto& placement : row.placements) {
            sizes.push_back(bare_size(placement.block.size, gib_));
            hosts.push_back(placement.block.host.value);
        }
        std::string where = in_runs(hosts, "(", ")");
        for (const auto& [session, from, to] : row.handoffs)
            where += fmt::format("; {}: {} on {} -> {} on {}", session.value, to_string(from.size),
                                 from.host.value, to_string(to.size), to.host.value);
        fmt::print("{:>5}  {:<26} {:>8}  {:>8}  {}\n", row.users, in_runs(sizes, "x", ""),
                   row.free.count == 0 ? "0" : to_string(row.free), row.handoffs.size(), where);
    }

  private:
    bool with_events_;
    bool gib_ = true;
};

void show_rows(const PlanOptions& options, const Setup& setup) {
    const auto desks =
        allocator_of(setup, options.policies.empty() ? "paper" : options.policies.front());
    const bool traced = !options.trace.empty();
    const auto trace = traced ? trace_of(options) : std::vector<TraceEvent>{};
    const std::size_t users =
        options.users ? static_cast<std::size_t>(in_range("--users", *options.users, 1, most_users))
                      : std::min<std::size_t>(desks->capacity() + 1, most_users);
    json::array rows;
    std::optional<PlanTable> table;
    if (!options.as_json)
        table.emplace(setup, traced);
    const RowSink sink = [&](const Row& row) {
        if (table)
            table->print(row);
        else
            rows.push_back(to_json(row));
    };
    if (traced)
        run_trace(*desks, trace, options.grow, sink);
    else
        run_joins(*desks, users, sink);
    if (options.as_json)
        fmt::print("{}\n", json::serialize(rows));
}

// ---------------------------------------------------------------- policies side by side

json::object to_json(const std::string& policy, const allocation::Outcome& outcome) {
    return {{"policy", policy},
            {"joins", outcome.joins},
            {"leaves", outcome.leaves},
            {"refused", outcome.refused},
            {"handoffs_per_join", outcome.handoffs_per_join()},
            {"handoffs_per_leave", outcome.handoffs_per_leave()},
            {"mean_utilisation", outcome.mean_utilisation},
            {"mean_jain", outcome.mean_jain},
            {"worst_max_over_min", outcome.worst_max_over_min},
            {"mean_smallest_mib", outcome.mean_smallest_mib}};
}

void show_comparison(const PlanOptions& options, const Setup& setup) {
    std::vector<std::string> names = options.policies;
    if (names.empty())
        for (const auto& info : allocation::policies())
            names.emplace_back(info.name);
    const std::size_t capacity = allocator_of(setup, names.front())->capacity();
    const int events = in_range("--events", options.events, 1, 10'000'000);
    const std::size_t warm_up =
        options.trace.empty() ? std::min(4 * capacity, std::size_t{1} << 20) : 0;
    const auto trace = options.trace.empty()
                           ? allocation::random_trace(
                                 options.seed, capacity,
                                 static_cast<unsigned>(in_range("--load", options.load, 1, 100)),
                                 static_cast<std::size_t>(events) + warm_up)
                           : trace_of(options);
    json::array rows;
    if (!options.as_json) {
        if (options.trace.empty())
            fmt::print("{} joins and leaves at random, about {} % of {} places in use, seed {}; "
                       "growing back at once\n\n",
                       options.events, options.load, capacity, options.seed);
        fmt::print("{:<8} {:>13} {:>14} {:>11} {:>12} {:>8} {:>13} {:>8}\n", "policy",
                   "handoffs/join", "handoffs/leave", "memory used", "Jain's index", "max/min",
                   "mean smallest", "refused");
    }
    for (const std::string& name : names) {
        const auto desks = allocator_of(setup, name);
        const auto outcome =
            value_or_fail(allocation::simulate(*desks, trace, {.warm_up = warm_up, .grow = true}));
        if (options.as_json)
            rows.push_back(to_json(name, outcome));
        else
            fmt::print("{:<8} {:>13.3f} {:>14.3f} {:>9.1f} % {:>12.3f} {:>8g} {:>9.0f} MiB {:>8}\n",
                       name, outcome.handoffs_per_join(), outcome.handoffs_per_leave(),
                       100 * outcome.mean_utilisation, outcome.mean_jain,
                       outcome.worst_max_over_min, outcome.mean_smallest_mib, outcome.refused);
    }
    if (options.as_json)
        fmt::print("{}\n", json::serialize(rows));
}

} // namespace

void add_plan(CLI::App& app) {
    auto options = std::make_shared<PlanOptions>();
    auto* plan = app.add_subcommand(
        "plan", "Show who would get how much memory, where, and what it costs; touches nothing");
    plan->add_option("--hosts", options->hosts, "How many hosts (default: 2)");
    plan->add_option("--host-memory", options->host_memory,
                     "Memory of every host, or of each one: 4GiB,4GiB,8GiB (default: 4GiB)")
        ->delimiter(',');
    plan->add_option("--reserve", options->reserve,
                     "What a host keeps for itself: an amount, 0, or 'default' for the larger of 1 "
                     "GiB and 10 % (default: 0)");
    plan->add_option("--largest", options->largest,
                     "The largest desktop (default: what the smallest host lends)");
    plan->add_option("--levels", options->levels,
                     "How many sizes, each half of the one before (default: 4)");
    plan->add_option("--users", options->users,
                     "How many people join one after another (default: one more than fit)");
    plan->add_option("--policy", options->policies,
                     "paper, lazy or advised (default: paper; with --compare: all of them)")
        ->delimiter(',');
    plan->add_option(
        "--trace", options->trace,
        "Instead of --users, a file of lines '+ NAME' (joins), '- NAME' (leaves) and '@ "
        "HOST LOAD' (idle, usual, busy, swamped); '-' reads standard input");
    plan->add_flag("--grow", options->grow,
                   "With --trace: after a leave, everybody agrees to grow back at once");
    plan->add_option("--margin", options->margin,
                     "Hysteresis: joins that must be possible without a handoff after somebody "
                     "has grown back (default: 1)");
    plan->add_flag("--compare", options->compare,
                   "Print the figures of policies side by side, over a random trace or --trace");
    plan->add_option("--load", options->load,
                     "With --compare: percent of the places in use (default: 60)");
    plan->add_option("--events", options->events,
                     "With --compare: joins and leaves that are counted (default: 20000)");
    plan->add_option("--seed", options->seed, "With --compare: another random trace (default: 1)");
    plan->add_flag("--json", options->as_json, "Print JSON");
    plan->footer("Examples:\n"
                 "  baton plan --hosts 2 --host-memory 4GiB --levels 4 --users 17\n"
                 "      Table 3 of the paper, and the refusal of the seventeenth\n"
                 "  baton plan --host-memory 16GiB,16GiB,32GiB --reserve default --largest 4GiB\n"
                 "      unequal hosts that keep memory for themselves\n"
                 "  printf '+ kim\\n+ lee\\n- kim\\n' | baton plan --trace - --grow\n"
                 "      people who come and go\n"
                 "  baton plan --hosts 8 --host-memory 32GiB --largest 8GiB --levels 4 --compare\n"
                 "      what each policy costs and gives");
    plan->callback([options] {
        if (options->policies.size() > 1 && !options->compare)
            refuse("--policy names more than one policy", "add --compare to see them side by side");
        const Setup setup = setup_of(*options);
        if (options->compare)
            show_comparison(*options, setup);
        else
            show_rows(*options, setup);
    });
}

} // namespace baton::cli
