#pragma once

#include "model/ids.h"
#include "model/types.h"
#include "net/json.h"

#include <boost/json/object.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

/// The fields that the links' messages share (docs/formats/host-link.md, gateway-link.md). Of one
/// that is ill-formed, `fields` remembers the first (Fields), and what is returned means nothing.
/// Pure.
namespace baton::net {

inline constexpr std::size_t longest_text = 64 * 1024;

/// Ids end up in file names, domain names and export names.
template <class AnyId>
AnyId id_field(Fields& fields, std::string_view name, bool may_be_empty = false) {
    auto text = fields.text(name);
    const bool empty_is_fine = may_be_empty && text.empty();
    if (fields.ok() && !empty_is_fine && !check_name("id", text))
        fields.refuse(name, "is no id: 1 to 63 of a-z, 0-9, '.' and '-'");
    return AnyId(fields.ok() ? std::move(text) : std::string());
}

std::string short_text(Fields& fields, std::string_view name, std::size_t most = longest_text);
/// An IPv4 address.
std::string address_field(Fields& fields, std::string_view name, bool may_be_empty = false);
Endpoint endpoint_field(Fields& fields, std::string_view name);
Error error_field(Fields& fields, std::string_view name);

boost::json::object to_json(const Endpoint& endpoint);
boost::json::object to_json(const Error& error);

} // namespace baton::net
