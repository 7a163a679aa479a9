#include "history/query.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <ctime>
#include <limits>

namespace baton::history {
namespace {

constexpr Seconds minute = 60, hour = 3600, day = 86'400;
constexpr std::size_t names_in_a_hint = 8;

/// What comes from a query may hold anything.
std::string printable(std::string_view text) {
    std::string safe(text.substr(0, 64));
    std::replace_if(
        safe.begin(), safe.end(),
        [](char c) { return static_cast<unsigned char>(c) < 32 || c == 127; }, '?');
    return safe;
}

Result<Seconds> parse_length(const std::string& text) {
    Seconds number = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
    const std::string_view unit(read.ptr,
                                static_cast<std::size_t>(text.data() + text.size() - read.ptr));
    const Seconds factor = unit == "s"   ? 1
                           : unit == "m" ? minute
                           : unit == "h" ? hour
                           : unit == "d" ? day
                                         : 0;
    if (read.ec != std::errc() || factor == 0 || number <= 0 || number > 100 * 366 * day / factor)
        return fail(Errc::invalid_argument,
                    fmt::format("last '{}' is no length of time", printable(text)),
                    "write a number and s, m, h or d: 90s, 10m, 1h, 2d");
    return number * factor;
}

Result<Seconds> parse_time(const std::string& text) {
    constexpr Seconds last = Seconds{1} << 40;
    Seconds number = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
    if (read.ec == std::errc() && read.ptr == text.data() + text.size() && number > 0 &&
        number < last)
        return number;
    for (const char* format : {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"}) {
        std::tm time{};
        const char* rest = ::strptime(text.c_str(), format, &time);
        if (rest != nullptr && (*rest == '\0' || std::string_view(rest) == "Z"))
            return ::timegm(&time);
    }
    return fail(Errc::invalid_argument, fmt::format("until '{}' is no time", printable(text)),
                "write it in UTC: 2026-11-20T10:00:00Z");
}

Result<Resolution> parse_resolution(const std::string& words, Seconds length) {
    if (words == "1s" || (words.empty() && length <= 2 * hour))
        return Resolution::second;
    if (words == "1m" || (words.empty() && length <= 2 * day))
        return Resolution::minute;
    if (words == "1h" || words.empty())
        return Resolution::hour;
    return fail(Errc::invalid_argument, fmt::format("every '{}' is not kept", printable(words)),
                "choose 1s, 1m or 1h");
}

struct Part {
    std::int64_t subject = 0;
    Seconds from = 0, until = 0;
};

bool is(const Subject& subject, const std::string& who) {
    return subject.name == who || subject.key == who ||
           (!subject.handle.empty() && subject.handle == who);
}

tl::unexpected<Error> nobody(const std::vector<Subject>& subjects, const std::string& who,
                             const Visible& visible) {
    std::string names;
    for (std::size_t i = 0; i < std::min(subjects.size(), names_in_a_hint); ++i)
        names += (names.empty() ? "" : ", ") + printable(subjects[i].name);
    if (subjects.size() > names_in_a_hint)
        names += ", ...";
    return fail(Errc::not_found, fmt::format("no samples of '{}' are kept", printable(who)),
                visible            ? "you may look at your own sessions"
                : subjects.empty() ? "the database has no samples at all yet"
                                   : "there are samples of " + names);
}

/// When somebody else came to the same desktop. (The stay's own end lags by the minute that is not
/// packed yet.)
Seconds next_stay(const std::vector<Stay>& stays, const Stay& stay) {
    Seconds next = std::numeric_limits<Seconds>::max();
    for (const Stay& other : stays)
        if (other.subject == stay.subject && other.since > stay.since)
            next = std::min(next, other.since);
    return next;
}

Part part_of(const std::vector<Stay>& stays, const Stay& stay, const Span& span) {
    return {stay.subject, std::max(span.from, stay.since),
            std::min(span.until, next_stay(stays, stay))};
}

std::vector<Part> parts_of_session(const std::vector<Stay>& stays, const std::string& session,
                                   const Span& span) {
    std::vector<Part> parts;
    for (const Stay& stay : stays) {
        if (stay.session != session)
            continue;
        if (!parts.empty())
            parts.back().until = std::min(parts.back().until, stay.since);
        parts.push_back(part_of(stays, stay, span));
    }
    return parts;
}

/// The times in which sessions that may be looked at had it; in order.
std::vector<Part> parts_of_desktop(const std::vector<Stay>& stays, std::int64_t subject,
                                   const Span& span, const std::set<std::string>& visible) {
    std::vector<Part> parts;
    for (const Stay& stay : stays)
        if (stay.subject == subject && visible.contains(stay.session))
            parts.push_back(part_of(stays, stay, span));
    std::sort(parts.begin(), parts.end(),
              [](const Part& a, const Part& b) { return a.from < b.from; });
    return parts;
}

} // namespace

std::size_t Span::most_points() const {
    return until <= from ? 0 : static_cast<std::size_t>((until - from) / length_of(every)) + 1;
}

Result<Span> parse_span(const SpanWords& words, Seconds now) {
    const auto end = words.until.empty() ? Result<Seconds>(now) : parse_time(words.until);
    if (!end)
        return tl::unexpected(end.error());
    const auto length = parse_length(words.last);
    if (!length)
        return tl::unexpected(length.error());
    const auto every = parse_resolution(words.every, *length);
    if (!every)
        return tl::unexpected(every.error());
    const Seconds until = *end + 1; // the last second counts as well
    return Span{std::max<Seconds>(0, until - *length), until, *every};
}

Result<Series> series_of(Samples& samples, const std::string& who, const Span& span,
                         const Visible& visible) {
    const auto subjects = samples.subjects();
    if (!subjects)
        return tl::unexpected(subjects.error());
    const auto stays = samples.stays();
    if (!stays)
        return tl::unexpected(stays.error());
    Series series;
    series.every = span.every;
    std::vector<Part> parts;
    if (!visible || visible->contains(who))
        parts = parts_of_session(*stays, who, span);
    series.title = "session " + who;
    if (parts.empty()) {
        // the one that was seen last, if a name has been used more than once
        const Subject* found = nullptr;
        for (const Subject& subject : *subjects)
            if (is(subject, who) && (found == nullptr || subject.last_seen > found->last_seen))
                found = &subject;
        if (found != nullptr && visible)
            parts = parts_of_desktop(*stays, found->id, span, *visible);
        else if (found != nullptr)
            parts.push_back({found->id, span.from, span.until});
        if (parts.empty())
            return nobody(*subjects, who, visible);
        series.kind = found->kind;
        series.title =
            fmt::format("{} {}", found->kind == Kind::host ? "host" : "desktop", found->name);
    }
    for (const Part& part : parts) {
        auto points = samples.read(part.subject, part.from, part.until, span.every);
        if (!points)
            return tl::unexpected(points.error());
        series.points.insert(series.points.end(), points->begin(), points->end());
    }
    return series;
}

} // namespace baton::history
