#pragma once

#include "hostlink/protocol.h"
#include "net/json.h"
#include "net/wire_fields.h"

#include <boost/json/object.hpp>

#include <chrono>
#include <cstdint>
#include <string_view>

/// The parts of the host link's messages that several of them have. Of a field that is ill-formed,
/// `fields` remembers the first (net::Fields), and what is returned means nothing.
namespace baton::hostlink {

using net::address_field;
using net::endpoint_field;
using net::id_field;
using net::longest_text;
using net::short_text;
using net::to_json;

inline constexpr std::int64_t longest_ms = 24LL * 3600 * 1000;

Mebibytes size_field(net::Fields& fields, std::string_view name, std::int64_t least);
/// In milliseconds, up to a day.
std::chrono::milliseconds time_field(net::Fields& fields, std::string_view name);
WallTime wall_field(net::Fields& fields, std::string_view name);
Result<DesktopInfo> desktop_from_json(const boost::json::object& object);

std::int64_t in_ms(WallTime time);
boost::json::object to_json(const DesktopInfo& info);

} // namespace baton::hostlink
