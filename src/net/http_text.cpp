#include "net/http_text.h"

#include <boost/url.hpp>

#include <array>
#include <charconv>

namespace baton::net {

namespace {

std::optional<std::int64_t> number(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < 0)
        return std::nullopt;
    return value;
}

bool honest(std::string_view decoded) {
    return decoded != "." && decoded != ".." && decoded.find('/') == std::string_view::npos &&
           decoded.find('\0') == std::string_view::npos;
}

} // namespace

bool parse_target(std::string_view target, Request& request) {
    const auto parsed =
        boost::urls::parse_origin_form(boost::core::string_view(target.data(), target.size()));
    // A leading "/." is swallowed as syntax by the parser, so it is looked for here.
    if (!parsed || target.substr(0, 3) == "/./")
        return false;
    request.path.clear();
    for (const auto& segment : parsed->segments()) {
        if (!honest(segment))
            return false;
        request.path += '/' + segment;
    }
    if (request.path.empty())
        request.path = "/";
    request.query.clear();
    boost::urls::encoding_opts options;
    options.space_as_plus = true;
    for (const auto& item : parsed->params(options))
        request.query[item.key] = item.has_value ? item.value : std::string();
    return true;
}

RangeKind parse_range(std::string_view header, std::int64_t size, Range& range) {
    constexpr std::string_view unit = "bytes=";
    if (header.substr(0, unit.size()) != unit || header.find(',') != std::string_view::npos)
        return RangeKind::whole;
    header.remove_prefix(unit.size());
    const auto dash = header.find('-');
    if (dash == std::string_view::npos)
        return RangeKind::whole;
    const auto first = number(header.substr(0, dash));
    const auto last = number(header.substr(dash + 1));
    if (dash == 0) { // the last n bytes
        if (!last)
            return RangeKind::whole;
        if (*last == 0 || size == 0)
            return RangeKind::unsatisfiable;
        range = {*last >= size ? 0 : size - *last, size - 1};
        return RangeKind::part;
    }
    const bool open_ended = dash + 1 == header.size();
    if (!first || (!last && !open_ended) || (last && *last < *first))
        return RangeKind::whole;
    if (*first >= size)
        return RangeKind::unsatisfiable;
    range = {*first, last && *last < size ? *last : size - 1};
    return RangeKind::part;
}

std::optional<std::pair<std::int64_t, std::int64_t>> parse_content_range(std::string_view header) {
    constexpr std::string_view unit = "bytes ";
    if (header.substr(0, unit.size()) != unit)
        return std::nullopt;
    header.remove_prefix(unit.size());
    const auto slash = header.find('/');
    if (slash == std::string_view::npos)
        return std::nullopt;
    const auto total = number(header.substr(slash + 1));
    if (!total)
        return std::nullopt;
    if (header.substr(0, slash) == "*")
        return std::pair(*total, *total); // of a 416: nothing is left
    const auto first = number(header.substr(0, header.find('-')));
    if (!first || *first > *total)
        return std::nullopt;
    return std::pair(*first, *total);
}

std::string Where::shown() const {
    if (kind == Kind::unix_socket)
        return path;
    const bool brackets = host.find(':') != std::string::npos;
    return (kind == Kind::https ? "https://" : "http://") + (brackets ? "[" + host + "]" : host) +
           ":" + std::to_string(port);
}

Result<Where> parse_where(std::string_view url) {
    const std::string text(url);
    const auto bad = [&](const std::string& why) {
        return fail(Errc::invalid_argument, "'" + text + "' is not an address: " + why,
                    "write it like https://10.0.0.1:8443 or unix:/run/baton/batond.sock");
    };
    Where where;
    constexpr std::string_view unix_scheme = "unix:";
    if (url.substr(0, unix_scheme.size()) == unix_scheme) {
        where.kind = Where::Kind::unix_socket;
        where.path = url.substr(unix_scheme.size());
        if (where.path.empty() || where.path.size() > 107)
            return bad("the path of a unix socket has 1 to 107 characters");
        return where;
    }
    const auto parsed = boost::urls::parse_uri(boost::core::string_view(url.data(), url.size()));
    if (!parsed)
        return bad("it is ill-formed");
    if (parsed->scheme() == "https")
        where.kind = Where::Kind::https;
    else if (parsed->scheme() != "http")
        return bad("it is neither http nor https");
    where.host = parsed->host_address();
    if (where.host.empty())
        return bad("the host is missing");
    if (parsed->has_userinfo() || parsed->has_query() || parsed->has_fragment() ||
        (!parsed->encoded_path().empty() && parsed->encoded_path() != "/"))
        return bad("only scheme, host and port are wanted");
    const bool secure = where.kind == Where::Kind::https;
    where.port = secure ? 443 : 80;
    if (parsed->has_port()) {
        where.port = parsed->port_number();
        if (where.port == 0)
            return bad("the port is not one of 1 to 65535");
    }
    return where;
}

std::string_view reason_phrase(int status) {
    constexpr std::array<std::pair<int, std::string_view>, 27> phrases{{
        {101, "Switching Protocols"},
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {206, "Partial Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {413, "Content Too Large"},
        {416, "Range Not Satisfiable"},
        {422, "Unprocessable Content"},
        {423, "Locked"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {507, "Insufficient Storage"},
    }};
    for (const auto& [number_of, phrase] : phrases)
        if (number_of == status)
            return phrase;
    return "";
}

} // namespace baton::net
