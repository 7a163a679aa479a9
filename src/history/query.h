#pragma once

#include "history/samples.h"

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

/// What people ask of kept samples: a host, a desktop or a session over a time.
namespace baton::history {

struct Span {
    Seconds from = 0, until = 0; ///< until is not in it
    Resolution every = Resolution::second;
    bool operator==(const Span&) const = default;

    [[nodiscard]] std::size_t most_points() const;
};

/// As it is asked for on a command line and in a query.
struct SpanWords {
    std::string last = "1h"; ///< "90s", "10m", "1h", "2d"
    std::string until;       ///< "2026-11-20T10:00:00Z", seconds since 1970; empty: now
    std::string every;       ///< "1s", "1m", "1h"; empty: as fits
};

/// Errc::invalid_argument names what cannot be understood.
Result<Span> parse_span(const SpanWords& words, Seconds now);

/// One desktop after the other, if a session has had several.
struct Series {
    std::string title; ///< "desktop baton-d-12"
    Kind kind = Kind::desktop;
    Resolution every = Resolution::second;
    std::vector<Point> points; ///< ascending
    bool operator==(const Series&) const = default;
};

/// The sessions that somebody may look at, desktops only while those had them; none: everything.
using Visible = std::optional<std::set<std::string>>;

/// Of a host (name or address), a session, or a desktop (id, domain name or UUID). Errc::not_found:
/// there is none that may be looked at, with names of what there is.
Result<Series> series_of(Samples& samples, const std::string& who, const Span& span,
                         const Visible& visible = std::nullopt);

} // namespace baton::history
