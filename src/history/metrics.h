#pragma once

#include "monitor/rates.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

/// What is kept of a sample: scaled whole numbers, one for each metric, of hosts and of desktops
/// alike. Pure.
namespace baton::history {

/// The first four are the columns of the paper's tables T2 and T4. The order is part of the format
/// on disk (docs/formats/samples.md): new ones go to the end.
enum class Metric : std::uint8_t {
    cpu,              ///< of the host, (1) and (2) corrected
    memory,           ///< (3) corrected
    disk,             ///< (4) corrected: read and written
    network,          ///< (7) corrected, both directions, without framing
    cpu_paper,        ///< (1) and (2) as printed
    memory_paper,     ///< (3) as printed; hosts
    cpu_own,          ///< desktops: of its own vCPUs
    cpu_wait,         ///< desktops: its vCPUs kept waiting; hosts: stolen
    io_wait,          ///< hosts: waiting for a disk
    memory_used,      ///< not reclaimable: the need
    memory_total,     ///< hosts: installed; desktops: what the guest's kernel manages
    resident,         ///< desktops: of its process on the host
    disk_written,     ///< the part of `disk` that was written
    network_received, ///< the part of `network` that was received
    packets,          ///< (5) corrected, both directions
    cpu_pressure,     ///< share of the time in which some task waited
    memory_pressure,
    io_pressure,
    major_faults, ///< desktops
    swap_in,      ///< desktops
    memory_given, ///< desktops: (3) as the paper knows it
};

constexpr std::size_t metric_count = 21;

enum class Unit : std::uint8_t { percent, bytes, bytes_per_second, bits_per_second, per_second };

struct MetricInfo {
    std::string_view name; ///< stable: headings of CSV, keys of JSON
    Unit unit;
    double scale; ///< what a stored 1 means in `unit`
};

const MetricInfo& info(Metric metric);
std::optional<Metric> metric_from_name(std::string_view name);

/// "%", "bytes", "bytes/s", "bit/s", "1/s".
std::string_view to_string(Unit unit);

/// Stored in place of a value that cannot be told.
constexpr std::int64_t none = std::numeric_limits<std::int64_t>::min();

/// One reading of one host or desktop. Values are 0 to 2^47, or none.
struct Row {
    std::array<std::int64_t, metric_count> values;

    Row() { values.fill(none); }

    std::int64_t& operator[](Metric metric) { return values[static_cast<std::size_t>(metric)]; }

    std::int64_t operator[](Metric metric) const {
        return values[static_cast<std::size_t>(metric)];
    }

    [[nodiscard]] std::optional<double> in_units(Metric metric) const;

    bool operator==(const Row&) const = default;
};

/// The largest value that is kept; larger ones, negative ones and NaN are none.
constexpr std::int64_t largest_value = (std::int64_t{1} << 47) - 1;

std::int64_t scaled(Metric metric, std::optional<double> value);

Row row_of(const monitor::HostRates& rates);
Row row_of(const monitor::DesktopRates& rates);

} // namespace baton::history
