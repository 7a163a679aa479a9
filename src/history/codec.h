#pragma once

#include "history/query.h"

#include <boost/json/object.hpp>

#include <string>

/// A series as people and programs get it: `baton history`, `GET /v1/history/{id}`. Pure.
namespace baton::history {

/// "cpu_percent", "disk_bytes_per_second": the unit is in the name.
std::string column_name(Metric metric);

/// "2026-11-20T10:00:00Z".
std::string time_text(Seconds at);

/// A stored value in its metric's unit; nothing: cannot be told.
std::optional<double> in_units(Metric metric, std::int64_t value);

/// Every metric; of roll-ups four columns each. Empty: cannot be told.
std::string to_csv(const Series& series);

/// Every metric; of roll-ups an object each. null: cannot be told.
boost::json::object to_json(const Series& series);

/// The inverse of to_json; keys that it does not know are passed over. Errc::corrupt: it is not
/// such a series, or has more than a million points.
Result<Series> series_from_json(const boost::json::object& object);

} // namespace baton::history
