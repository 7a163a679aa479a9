#pragma once

#include "history/metrics.h"
#include "model/error.h"

#include <string>
#include <string_view>
#include <vector>

/// The bytes of rows, minutes and roll-ups, as docs/formats/samples.md has them. Pure.
namespace baton::history {

constexpr int slots_per_minute = 60;

/// A row at a second of a minute, 0 to 59.
struct Slot {
    int second = 0;
    Row row;
    bool operator==(const Slot&) const = default;
};

/// One row by itself: what the last minute is kept in.
std::string pack_row(const Row& row);
/// Errc::corrupt: not such bytes.
Result<Row> unpack_row(std::string_view bytes);

/// Up to 60 rows of one subject, ascending by second, none twice. The four metrics of the paper's
/// tables can be taken out of it by plain SQL (schema.h).
std::string pack_minute(const std::vector<Slot>& slots);
Result<std::vector<Slot>> unpack_minute(std::string_view bytes);

/// What is left of many rows, per metric.
struct Summary {
    std::int64_t least = none, mean = none, greatest = none, p95 = none;
    bool operator==(const Summary&) const = default;
};

struct RollUp {
    std::int64_t rows = 0; ///< that it was made of
    std::array<Summary, metric_count> of;
    bool operator==(const RollUp&) const = default;

    const Summary& operator[](Metric metric) const { return of[static_cast<std::size_t>(metric)]; }
};

/// p95 by nearest rank: the smallest value that 95 % of the rows do not exceed.
RollUp roll_up(const std::vector<Row>& rows);
std::string pack_roll_up(const RollUp& roll_up);
Result<RollUp> unpack_roll_up(std::string_view bytes);

} // namespace baton::history
