#include "monitor/top_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

namespace baton::monitor {

namespace {

struct Row {
    const DesktopReading* desktop;
    const Seen* host;
    std::string user;
    const std::deque<Value>* history;
};

/// Cuts or fills to a width in characters: names may be UTF-8.
std::string fitted(std::string_view text, std::size_t width, bool right = false) {
    std::string kept;
    std::size_t count = 0;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        const bool begins = (byte & 0xC0) != 0x80;
        if (begins && count == width)
            break;
        count += begins ? 1 : 0;
        kept += byte < 0x20 || byte == 0x7F ? '?' : c;
    }
    const std::string blanks(width - std::min(width, count), ' ');
    return right ? blanks + kept : kept + blanks;
}

std::string percent(const Value& value) {
    if (!value)
        return "-";
    return *value >= 99.95 ? "100" : fmt::format("{:.1f}", *value);
}

std::string bits(const Value& value) {
    return short_number(value, 1000);
}

std::string bytes(const Value& value) {
    return short_number(value, 1024);
}

Value either(const Value& a, const Value& b) {
    return a ? a : b;
}

Value sum_of_known(const Value& a, const Value& b) {
    if (!a && !b)
        return std::nullopt;
    return a.value_or(0) + b.value_or(0);
}

/// The worst that anybody in it waits for.
Value pressure_of(const PressureRates& pressure) {
    Value worst;
    for (const Value& one :
         {pressure.cpu_some_percent, pressure.memory_some_percent, pressure.io_some_percent})
        if (one && (!worst || *one > *worst))
            worst = one;
    return worst;
}

/// A desktop whose group tells no pressure still says how long its vCPUs waited.
Value pressure_of(const DesktopRates& rates) {
    return either(pressure_of(rates.pressure), rates.vcpu_wait_percent);
}

Value cpu_of(const DesktopRates& rates) {
    return either(rates.cpu_percent_of_vcpus, rates.cpu_percent.paper);
}

Value network_of(const DesktopRates& rates) {
    return sum_of_known(rates.receive.l2_bits_per_second, rates.transmit.l2_bits_per_second);
}

Value given_of(const DesktopReading& desktop) {
    if (desktop.rates.memory_given_bytes)
        return desktop.rates.memory_given_bytes;
    if (desktop.who.given.count > 0)
        return static_cast<double>(desktop.who.given.bytes());
    return std::nullopt;
}

struct Column {
    std::string_view heading;
    std::size_t width;
    bool right;
    unsigned rank; ///< the higher, the sooner it is left out of a narrow terminal
    std::string (*cell)(const Row& row);
};

constexpr std::array columns{
    Column{"NAME", 18, false, 0, [](const Row& r) { return r.desktop->who.name; }},
    Column{"USER", 10, false, 2, [](const Row& r) { return r.user; }},
    Column{"HOST", 10, false, 7, [](const Row& r) { return r.host->reading.host.value; }},
    Column{"STATE", 8, false, 6,
           [](const Row& r) { return std::string(to_string(r.desktop->who.state)); }},
    Column{"CPU%", 5, true, 1, [](const Row& r) { return percent(cpu_of(r.desktop->rates)); }},
    Column{"MEM%", 5, true, 3,
           [](const Row& r) { return percent(r.desktop->rates.memory.corrected); }},
    Column{"USED", 6, true, 4,
           [](const Row& r) {
               return bytes(either(r.desktop->rates.memory_used_bytes, r.desktop->rates.rss_bytes));
           }},
    Column{"GIVEN", 6, true, 3, [](const Row& r) { return bytes(given_of(*r.desktop)); }},
    Column{"LVL", 3, true, 6,
           [](const Row& r) {
               const auto level = r.host->levels.find(r.desktop->who.desktop.value);
               return level != r.host->levels.end() ? fmt::format("{}", level->second) : "-";
           }},
    Column{"DISK/s", 6, true, 5,
           [](const Row& r) { return bytes(r.desktop->rates.disk_bytes.corrected); }},
    Column{"RX b/s", 6, true, 5,
           [](const Row& r) { return bits(r.desktop->rates.receive.l2_bits_per_second); }},
    Column{"TX b/s", 6, true, 5,
           [](const Row& r) { return bits(r.desktop->rates.transmit.l2_bits_per_second); }},
    Column{"WAIT%", 5, true, 6,
           [](const Row& r) { return percent(pressure_of(r.desktop->rates)); }},
};

/// Which columns fit, the least important left out first, and how much room is left for the last
/// minutes' line.
struct Layout {
    std::vector<const Column*> shown;
    std::size_t spark = 0;
};

Layout layout_for(std::size_t width) {
    Layout layout;
    for (const Column& column : columns)
        layout.shown.push_back(&column);
    const auto needed = [&] {
        std::size_t sum_of_widths = 0;
        for (const Column* column : layout.shown)
            sum_of_widths += column->width + 1;
        return sum_of_widths - 1;
    };
    while (layout.shown.size() > 1 && needed() > width) {
        const auto least = std::ranges::max_element(
            layout.shown, {}, [](const Column* column) { return column->rank; });
        layout.shown.erase(least);
    }
    constexpr std::size_t least_spark = 8;
    constexpr std::size_t most_spark = 60;
    if (needed() + 1 + least_spark <= width)
        layout.spark = std::min(most_spark, width - needed() - 1);
    return layout;
}

std::string joined(const Layout& layout, const Row* row, bool unicode, std::size_t width) {
    std::string line;
    for (const Column* column : layout.shown) {
        if (!line.empty())
            line += ' ';
        line += fitted(row != nullptr ? column->cell(*row) : std::string(column->heading),
                       column->width, column->right);
    }
    if (layout.spark > 0) {
        line += ' ';
        line += row == nullptr ? fitted("CPU, LAST MINUTES", layout.spark)
                               : TopView::sparkline(*row->history, layout.spark, unicode);
    }
    return fitted(line, width);
}

std::string host_summary(const Seen& seen) {
    const HostRates& rates = seen.reading.rates;
    const PressureRates& pressure = rates.pressure;
    std::string text = fmt::format(
        "{}: cpu {}% of {} (wait {}%, steal {}%)  mem {}% of {}  disk {}B/s  net {}/{} b/s",
        seen.reading.host.value, percent(rates.cpu_percent.corrected), rates.processors,
        percent(rates.iowait_percent), percent(rates.steal_percent),
        percent(rates.memory_percent.corrected), bytes(rates.memory_total_bytes),
        bytes(rates.disk_bytes.corrected), bits(rates.receive.l2_bits_per_second),
        bits(rates.transmit.l2_bits_per_second));
    if (pressure_of(pressure))
        text +=
            fmt::format("  pressure cpu {} mem {} io {}", percent(pressure.cpu_some_percent),
                        percent(pressure.memory_some_percent), percent(pressure.io_some_percent));
    text += fmt::format("  {} desktops", seen.reading.desktops.size());
    return text;
}

bool has_part(std::string_view text, std::string_view part) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return std::search(text.begin(), text.end(), part.begin(), part.end(),
                       [&](char a, char b) { return lower(a) == lower(b); }) != text.end();
}

bool fits(const Row& row, const std::string& filter) {
    return filter.empty() || has_part(row.desktop->who.name, filter) ||
           has_part(row.user, filter) || has_part(row.host->reading.host.value, filter) ||
           has_part(to_string(row.desktop->who.state), filter);
}

void sort_rows(std::vector<Row>& rows, const TopOptions& options) {
    const auto number = [&](const Row& row) {
        const DesktopRates& rates = row.desktop->rates;
        switch (options.sort) {
        case TopSort::memory:
            return either(rates.memory_used_bytes, rates.rss_bytes).value_or(-1);
        case TopSort::disk:
            return rates.disk_bytes.corrected.value_or(-1);
        case TopSort::network:
            return network_of(rates).value_or(-1);
        case TopSort::pressure:
            return pressure_of(rates).value_or(-1);
        default:
            return cpu_of(rates).value_or(-1);
        }
    };
    const auto before = [&](const Row& a, const Row& b) {
        if (options.sort == TopSort::name)
            return a.desktop->who.name < b.desktop->who.name;
        if (options.sort == TopSort::user)
            return a.user < b.user;
        return number(a) > number(b);
    };
    // equal ones keep the order of their names, so that they do not dance
    std::ranges::stable_sort(rows, {}, [](const Row& row) { return row.desktop->who.name; });
    std::ranges::stable_sort(rows, before);
    if (options.reverse)
        std::ranges::reverse(rows);
}

} // namespace

Result<TopSort> top_sort_from_string(std::string_view text) {
    constexpr std::array<std::pair<std::string_view, TopSort>, 7> names{
        {{"cpu", TopSort::cpu},
         {"memory", TopSort::memory},
         {"disk", TopSort::disk},
         {"network", TopSort::network},
         {"pressure", TopSort::pressure},
         {"name", TopSort::name},
         {"user", TopSort::user}}};
    for (const auto& [name, sort] : names)
        if (name == text)
            return sort;
    return fail(Errc::invalid_argument, fmt::format("cannot sort by '{}'", text),
                "sort by cpu, memory, disk, network, pressure, name or user");
}

std::string short_number(Value value, double unit) {
    if (!value)
        return "-";
    constexpr std::string_view steps = " KMGTPE";
    double rest = *value;
    std::size_t step = 0;
    while (std::abs(rest) >= unit * 0.9995 && step + 1 < steps.size()) {
        rest /= unit;
        ++step;
    }
    if (step == 0)
        return fmt::format("{:.0f}", rest);
    return rest < 9.95 ? fmt::format("{:.1f}{}", rest, steps[step])
                       : fmt::format("{:.0f}{}", rest, steps[step]);
}

std::string TopView::sparkline(const std::deque<Value>& values, std::size_t width, bool unicode) {
    constexpr std::array<std::string_view, 8> blocks{"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    constexpr std::string_view plain = "_.-:=+*#";
    const std::size_t count = std::min(width, values.size());
    std::string line(width - count, ' ');
    for (std::size_t i = values.size() - count; i < values.size(); ++i) {
        if (!values[i]) {
            line += ' ';
            continue;
        }
        const double share = std::clamp(*values[i] / 100, 0.0, 1.0);
        const auto step = std::min<std::size_t>(7, static_cast<std::size_t>(share * 8));
        if (unicode)
            line += blocks[step];
        else
            line += plain[step];
    }
    return line;
}

void TopView::add(std::vector<Seen> seen) {
    seen_ = std::move(seen);
    std::set<std::string> there;
    for (const Seen& host : seen_)
        for (const DesktopReading& desktop : host.reading.desktops) {
            there.insert(desktop.who.uuid);
            auto& values = history_[desktop.who.uuid];
            values.push_back(cpu_of(desktop.rates));
            if (values.size() > remembered)
                values.pop_front();
        }
    std::erase_if(history_, [&](const auto& one) { return !there.contains(one.first); });
}

std::vector<TopLine> TopView::lines(const TopOptions& options) const {
    constexpr std::int64_t stale_ms = 10'000;
    const std::size_t width = std::max(1U, options.width);
    std::vector<TopLine> all;
    std::vector<Row> rows;
    for (const Seen& host : seen_) {
        const bool stale = host.age_ms > stale_ms;
        std::string text = host_summary(host);
        if (stale)
            text = fmt::format("{}: nothing heard for {} s", host.reading.host.value,
                               host.age_ms / 1000);
        all.push_back({stale ? TopLine::Kind::stale : TopLine::Kind::summary, fitted(text, width)});
        for (const DesktopReading& desktop : host.reading.desktops) {
            const auto user = host.users.find(desktop.who.session.value);
            Row row{&desktop, &host, user != host.users.end() ? user->second : "",
                    &history_.at(desktop.who.uuid)};
            if (!stale && fits(row, options.filter))
                rows.push_back(std::move(row));
        }
    }
    sort_rows(rows, options);
    const Layout layout = layout_for(width);
    all.push_back({TopLine::Kind::heading, joined(layout, nullptr, options.unicode, width)});
    for (const Row& row : rows)
        all.push_back({TopLine::Kind::desktop, joined(layout, &row, options.unicode, width)});
    return all;
}

} // namespace baton::monitor
