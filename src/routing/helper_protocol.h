#pragma once

#include "model/error.h"
#include "routing/router.h"

#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// What batond, which has no privileges, may ask of baton-helper, which is root: lines of JSON over
/// a unix socket, one request and one answer at a time, described in
/// docs/formats/helper-protocol.md. Pure: text in, values out.
namespace baton::routing {

inline constexpr int helper_protocol_version = 1;
inline constexpr std::size_t helper_longest_line = 4'194'304;

/// The table and its rules, as the helper's own configuration says.
struct TableEnsure {
    bool operator==(const TableEnsure&) const = default;
};

struct RoutesReplace {
    std::vector<Route> routes;
    bool operator==(const RoutesReplace&) const = default;
};

struct RoutePoint {
    Route route;
    bool operator==(const RoutePoint&) const = default;
};

struct RouteRemove {
    SessionId session;
    bool operator==(const RouteRemove&) const = default;
};

struct RoutesList {
    bool operator==(const RoutesList&) const = default;
};

/// Cut every connection that no route leads along.
struct FlowsCut {
    bool operator==(const FlowsCut&) const = default;
};

using HelperRequest =
    std::variant<TableEnsure, RoutesReplace, RoutePoint, RouteRemove, RoutesList, FlowsCut>;

/// Routes for RoutesList, the number of cut connections for FlowsCut; else neither counts.
struct HelperAnswer {
    std::vector<Route> routes;
    std::int64_t cut = 0;
    bool operator==(const HelperAnswer&) const = default;
};

/// One line with its newline.
std::string encode(const HelperRequest& request);
std::string encode(const Result<HelperAnswer>& answer);

/// One line without its newline. Errc::invalid_argument: not JSON, an unknown verb or version, a
/// field that is missing, too much or ill-typed. Whether a route makes sense is check_route's.
Result<HelperRequest> decode_helper_request(std::string_view line);
/// The answer, or the error that it carries; Errc::corrupt when it is neither.
Result<HelperAnswer> decode_helper_answer(std::string_view line);

} // namespace baton::routing
