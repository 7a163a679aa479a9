#pragma once

#include "monitor/rates.h"

#include <boost/json/object.hpp>

#include <string>

/// Readings as JSON (the host link, the API, --json) and as CSV. Pure. docs/formats/readings.md
namespace baton::monitor {

/// Values that there are none of are left out; numbers have three decimals at most.
boost::json::object to_json(const Reading& reading);
boost::json::object to_json(const DesktopReading& desktop);

/// What to_json() made, from somebody who may lie: Errc::invalid_argument for what is missing,
/// ill-typed, not finite or absurdly long. Unknown fields are passed over.
Result<Reading> reading_from_json(const boost::json::object& object);

/// One line for the host and one for each desktop, all with the same columns; empty: no value.
std::string csv_header();
std::string to_csv(const Reading& reading);

/// "2026-11-20T12:00:00.000Z".
std::string utc_text(WallTime time);

} // namespace baton::monitor
