#pragma once

#include "monitor/rates.h"

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>

/// The Prometheus text format, by its conventions: base units (seconds, bytes, ratios of 1),
/// counters that end in _total. Pure.
namespace baton::monitor {

/// One page of metrics. All samples of a family come together, as the format wants.
class Exposition {
  public:
    using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

    enum class Kind : std::uint8_t { gauge, counter };

    /// What follows are samples of `name`, until the next call.
    void family(std::string_view name, Kind kind, std::string_view help);
    void sample(Labels labels, double value);
    void sample(Labels labels, const Value& value);
    void sample(Labels labels, std::uint64_t value);

    [[nodiscard]] std::string text() &&;

    static constexpr std::string_view content_type = "text/plain; version=0.0.4; charset=utf-8";

  private:
    void begin(Labels labels);
    void write_family();

    std::string text_;
    std::string name_, help_;
    Kind kind_ = Kind::gauge;
    bool written_ = false; ///< the family's heading: only when it has a sample
};

/// Counters of one host and its desktops, as they were read: for who asks a host itself.
struct DesktopCounters {
    const DesktopIdentity* who;
    const DesktopSample* sample;
};

void expose_counters(Exposition& page, const HostId& host, const HostSample& sample,
                     std::span<const DesktopCounters> desktops);

/// Usage of a whole site, out of the hosts' last readings: gauges.
void expose_usage(Exposition& page, std::span<const Reading* const> readings);

} // namespace baton::monitor
