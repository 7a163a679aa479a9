#pragma once

#include "net/http.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// The pure half of HTTP that Beast leaves to its user: targets, ranges, addresses.
namespace baton::net {

/// Fills path and query of `request` from "/v1/a%20b?x=1". False: not an origin-form target, ill
/// encoded, or with "." or ".." segments, an encoded slash or NUL, which nothing honest sends.
bool parse_target(std::string_view target, Request& request);

/// Bytes first .. last of a file, both included.
struct Range {
    std::int64_t first = 0;
    std::int64_t last = 0;
    bool operator==(const Range&) const = default;
};

enum class RangeKind : std::uint8_t {
    whole,         ///< no Range, one of another unit, or several: send everything (RFC 9110, 14.2)
    part,          ///< 206
    unsatisfiable, ///< 416
};

RangeKind parse_range(std::string_view header, std::int64_t size, Range& range);

/// "bytes 5-9/10" -> first, total; nothing if it is not of that form.
std::optional<std::pair<std::int64_t, std::int64_t>> parse_content_range(std::string_view header);

/// Where a client connects: "https://host:port", "http://...", "unix:/path".
struct Where {
    enum class Kind : std::uint8_t { http, https, unix_socket } kind = Kind::http;
    std::string host; ///< without brackets
    std::uint16_t port = 0;
    std::string path; ///< of the unix socket

    /// For messages: "https://10.0.0.1:8443", "/run/baton.sock".
    [[nodiscard]] std::string shown() const;
};

/// Errc::invalid_argument with what is wrong. A path after the port is refused: targets are given
/// per request.
Result<Where> parse_where(std::string_view url);

/// "OK", "Not Found"; "" for a number that nobody uses.
std::string_view reason_phrase(int status);

} // namespace baton::net
