#pragma once

#include "hostlink/protocol.h"
#include "model/ids.h"
#include "net/json.h"

#include <boost/json/object.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

/// The parts of the host link's messages that several of them have. Of a field that is ill-formed,
/// `fields` remembers the first (net::Fields), and what is returned means nothing.
namespace baton::hostlink {

inline constexpr std::size_t longest_text = 64 * 1024;
inline constexpr std::int64_t longest_ms = 24LL * 3600 * 1000;

/// Ids end up in file names, domain names and export names.
template <class AnyId>
AnyId id_field(net::Fields& fields, std::string_view name, bool may_be_empty = false) {
    auto text = fields.text(name);
    const bool empty_is_fine = may_be_empty && text.empty();
    if (fields.ok() && !empty_is_fine && !check_name("id", text))
        fields.refuse(name, "is no id: 1 to 63 of a-z, 0-9, '.' and '-'");
    return AnyId(fields.ok() ? std::move(text) : std::string());
}

std::string short_text(net::Fields& fields, std::string_view name, std::size_t most = longest_text);
Mebibytes size_field(net::Fields& fields, std::string_view name, std::int64_t least);
/// In milliseconds, up to a day.
std::chrono::milliseconds time_field(net::Fields& fields, std::string_view name);
WallTime wall_field(net::Fields& fields, std::string_view name);
/// An IPv4 address.
std::string address_field(net::Fields& fields, std::string_view name, bool may_be_empty = false);
Endpoint endpoint_field(net::Fields& fields, std::string_view name);
Error error_from_json(net::Fields& fields, std::string_view name);
Result<DesktopInfo> desktop_from_json(const boost::json::object& object);

std::int64_t in_ms(WallTime time);
boost::json::object to_json(const Endpoint& endpoint);
boost::json::object to_json(const Error& error);
boost::json::object to_json(const DesktopInfo& info);

} // namespace baton::hostlink
