#pragma once

#include "model/error.h"

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace baton::routing {

/// An IPv4 address as a number (host byte order).
struct Ipv4 {
    std::uint32_t value = 0;
    auto operator<=>(const Ipv4&) const = default;
};

/// "10.98.0.0/24", written with the host bits zero.
struct Ipv4Network {
    Ipv4 address;
    unsigned prefix = 32;

    [[nodiscard]] bool contains(Ipv4 other) const;
    [[nodiscard]] bool overlaps(const Ipv4Network& other) const;
    auto operator<=>(const Ipv4Network&) const = default;
};

/// Four decimal numbers without leading zeros and nothing else.
Result<Ipv4> parse_ipv4(std::string_view text);
/// An address and a prefix of 1 to 32; bits beyond the prefix are an error, not dropped.
Result<Ipv4Network> parse_network(std::string_view text);
std::string to_string(Ipv4 address);
std::string to_string(const Ipv4Network& network);

} // namespace baton::routing
