#include "history/metrics.h"

#include <algorithm>
#include <cmath>

namespace baton::history {
namespace {

constexpr double hundredth = 0.01;
constexpr double kibibyte = 1024;

constexpr std::array<MetricInfo, metric_count> table{{
    {"cpu", Unit::percent, hundredth},
    {"memory", Unit::percent, hundredth},
    {"disk", Unit::bytes_per_second, 1},
    {"network", Unit::bits_per_second, 1},
    {"cpu_paper", Unit::percent, hundredth},
    {"memory_paper", Unit::percent, hundredth},
    {"cpu_own", Unit::percent, hundredth},
    {"cpu_wait", Unit::percent, hundredth},
    {"io_wait", Unit::percent, hundredth},
    {"memory_used", Unit::bytes, kibibyte},
    {"memory_total", Unit::bytes, kibibyte},
    {"resident", Unit::bytes, kibibyte},
    {"disk_written", Unit::bytes_per_second, 1},
    {"network_received", Unit::bits_per_second, 1},
    {"packets", Unit::per_second, 1},
    {"cpu_pressure", Unit::percent, hundredth},
    {"memory_pressure", Unit::percent, hundredth},
    {"io_pressure", Unit::percent, hundredth},
    {"major_faults", Unit::per_second, 1},
    {"swap_in", Unit::bytes_per_second, 1},
    {"memory_given", Unit::bytes, kibibyte},
}};

monitor::Value sum(const monitor::Value& a, const monitor::Value& b) {
    if (!a || !b)
        return std::nullopt;
    return *a + *b;
}

void set(Row& row, Metric metric, const monitor::Value& value) {
    row[metric] = scaled(metric, value);
}

void set_network(Row& row, const monitor::Traffic& receive, const monitor::Traffic& transmit) {
    set(row, Metric::network, sum(receive.l2_bits_per_second, transmit.l2_bits_per_second));
    set(row, Metric::network_received, receive.l2_bits_per_second);
    set(row, Metric::packets, sum(receive.packets_per_second, transmit.packets_per_second));
}

void set_pressure(Row& row, const monitor::PressureRates& pressure) {
    set(row, Metric::cpu_pressure, pressure.cpu_some_percent);
    set(row, Metric::memory_pressure, pressure.memory_some_percent);
    set(row, Metric::io_pressure, pressure.io_some_percent);
}

} // namespace

const MetricInfo& info(Metric metric) {
    return table[static_cast<std::size_t>(metric)];
}

std::optional<Metric> metric_from_name(std::string_view name) {
    const auto* found = std::find_if(table.begin(), table.end(),
                                     [&](const MetricInfo& one) { return one.name == name; });
    if (found == table.end())
        return std::nullopt;
    return static_cast<Metric>(found - table.begin());
}

std::string_view to_string(Unit unit) {
    switch (unit) {
    case Unit::percent:
        return "%";
    case Unit::bytes:
        return "bytes";
    case Unit::bytes_per_second:
        return "bytes/s";
    case Unit::bits_per_second:
        return "bit/s";
    case Unit::per_second:
        return "1/s";
    }
    return "";
}

std::optional<double> Row::in_units(Metric metric) const {
    const std::int64_t value = (*this)[metric];
    if (value == none)
        return std::nullopt;
    return static_cast<double>(value) * info(metric).scale;
}

std::int64_t scaled(Metric metric, std::optional<double> value) {
    if (!value || !std::isfinite(*value))
        return none;
    const double whole = std::round(*value / info(metric).scale);
    if (whole < 0 || whole > static_cast<double>(largest_value))
        return none;
    return static_cast<std::int64_t>(whole);
}

Row row_of(const monitor::HostRates& rates) {
    Row row;
    set(row, Metric::cpu, rates.cpu_percent.corrected);
    set(row, Metric::cpu_paper, rates.cpu_percent.paper);
    set(row, Metric::memory, rates.memory_percent.corrected);
    set(row, Metric::memory_paper, rates.memory_percent.paper);
    set(row, Metric::cpu_wait, rates.steal_percent);
    set(row, Metric::io_wait, rates.iowait_percent);
    set(row, Metric::memory_used, rates.memory_used_bytes);
    set(row, Metric::memory_total, rates.memory_total_bytes);
    set(row, Metric::disk, rates.disk_bytes.corrected);
    set(row, Metric::disk_written, rates.disk_written_bytes_per_second);
    set_network(row, rates.receive, rates.transmit);
    set_pressure(row, rates.pressure);
    return row;
}

Row row_of(const monitor::DesktopRates& rates) {
    Row row;
    set(row, Metric::cpu, rates.cpu_percent.corrected);
    set(row, Metric::cpu_paper, rates.cpu_percent.paper);
    set(row, Metric::cpu_own, rates.cpu_percent_of_vcpus);
    set(row, Metric::cpu_wait, rates.vcpu_wait_percent);
    set(row, Metric::memory, rates.memory.corrected);
    set(row, Metric::memory_given, rates.memory_given_bytes);
    set(row, Metric::memory_used, rates.memory_used_bytes);
    set(row, Metric::memory_total, rates.memory_available_bytes);
    set(row, Metric::resident, rates.rss_bytes);
    set(row, Metric::disk, rates.disk_bytes.corrected);
    set(row, Metric::disk_written, rates.disk_written_bytes_per_second);
    set_network(row, rates.receive, rates.transmit);
    set_pressure(row, rates.pressure);
    set(row, Metric::major_faults, rates.major_faults_per_second);
    set(row, Metric::swap_in, rates.swap_in_bytes_per_second);
    return row;
}

} // namespace baton::history
