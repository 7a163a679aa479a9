#include "programs/baton/samples_query.h"

#include "programs/baton/output.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <limits>

namespace baton::cli {
namespace {

using history::Resolution;
using history::Seconds;

constexpr Seconds minute = 60, hour = 3600, day = 86'400;

[[noreturn]] void refuse(std::string what, std::string hint) {
    throw CommandFailed{Error{Errc::invalid_argument, std::move(what), std::move(hint), 0}};
}

Resolution resolution_of(const SamplesOptions& options, Seconds length) {
    if (options.every == "1s")
        return Resolution::second;
    if (options.every == "1m")
        return Resolution::minute;
    if (options.every == "1h")
        return Resolution::hour;
    if (length <= 2 * hour)
        return Resolution::second;
    return length <= 2 * day ? Resolution::minute : Resolution::hour;
}

struct Part {
    std::int64_t subject = 0;
    Seconds from = 0, until = 0;
};

bool is(const history::Subject& subject, const std::string& who) {
    return subject.name == who || subject.key == who ||
           (!subject.handle.empty() && subject.handle == who);
}

[[noreturn]] void nobody(const std::vector<history::Subject>& subjects, const std::string& who) {
    std::string names;
    std::size_t count = 0;
    for (const history::Subject& subject : subjects)
        if (count++ < 8)
            names += (names.empty() ? "" : ", ") + printable(subject.name);
    throw CommandFailed{
        Error{Errc::not_found, fmt::format("no samples of '{}' are kept", printable(who)),
              subjects.empty()
                  ? "the database has no samples at all yet"
                  : fmt::format("there are samples of {}{}", names, count > 8 ? ", ..." : ""),
              0}};
}

/// When somebody else came to the same desktop. (The stay's own end lags by the minute that is not
/// packed yet.)
Seconds next_stay(const std::vector<history::Stay>& stays, const history::Stay& stay) {
    Seconds next = std::numeric_limits<Seconds>::max();
    for (const history::Stay& other : stays)
        if (other.subject == stay.subject && other.since > stay.since)
            next = std::min(next, other.since);
    return next;
}

} // namespace

void add_samples_options(CLI::App* command, SamplesOptions& options) {
    command->add_option("--store", options.store,
                        "The samples database: a file, or mysql://USER@HOST/DATABASE (default: "
                        "$BATON_SAMPLES)");
    command->add_option("--last", options.last, "How far back: 90s, 10m, 1h, 2d")
        ->capture_default_str();
    command->add_option("--until", options.until,
                        "The end, in UTC: 2026-11-20T10:00:00Z (default: now)");
    command
        ->add_option("--every", options.every,
                     "1s (kept for 2 days), 1m (30 days) or 1h (2 years); default: as fits")
        ->check(CLI::IsMember({"1s", "1m", "1h"}));
}

Seconds duration_in(const std::string& option, const std::string& text) {
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
        refuse(fmt::format("{} '{}' is no length of time", option, printable(text)),
               "write a number and s, m, h or d: 90s, 10m, 1h, 2d");
    return number * factor;
}

Seconds time_in(const std::string& option, const std::string& text) {
    Seconds number = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
    if (read.ec == std::errc() && read.ptr == text.data() + text.size() && number > 0)
        return number;
    for (const char* format : {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"}) {
        std::tm time{};
        const char* rest = ::strptime(text.c_str(), format, &time);
        if (rest != nullptr && (*rest == '\0' || std::string_view(rest) == "Z"))
            return ::timegm(&time);
    }
    refuse(fmt::format("{} '{}' is no time", option, printable(text)),
           "write it in UTC: 2026-11-20T10:00:00Z");
}

Span span_of(const SamplesOptions& options) {
    Span span;
    // the last second counts as well
    span.until =
        1 + (options.until.empty()
                 ? std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now())
                       .time_since_epoch()
                       .count()
                 : time_in("--until", options.until));
    const Seconds length = duration_in("--last", options.last);
    span.from = span.until - length;
    span.every = resolution_of(options, length);
    return span;
}

std::string samples_place(const SamplesOptions& options) {
    const char* set = std::getenv("BATON_SAMPLES");
    return options.store.empty() && set != nullptr ? set : options.store;
}

std::unique_ptr<history::Samples> open_samples_for_reading(const SamplesOptions& options) {
    const std::string where = samples_place(options);
    if (where.empty())
        refuse("nothing says which samples database is meant",
               "give --store FILE or --store mysql://..., or set BATON_SAMPLES");
    return value_or_fail(history::open(where, {}, true));
}

Series series_of(history::Samples& samples, const std::string& who, const Span& span) {
    const auto subjects = value_or_fail(samples.subjects());
    Series series;
    std::vector<Part> parts;
    const auto session_stays = value_or_fail(samples.stays());
    for (const history::Stay& stay : session_stays) {
        if (stay.session != who)
            continue;
        if (!parts.empty())
            parts.back().until = std::min(parts.back().until, stay.since);
        parts.push_back({stay.subject, std::max(span.from, stay.since),
                         std::min(span.until, next_stay(session_stays, stay))});
        series.title = "session " + who;
    }
    // the one that was seen last, if a name has been used more than once
    const history::Subject* found = nullptr;
    for (const history::Subject& subject : subjects)
        if (parts.empty() && is(subject, who) &&
            (found == nullptr || subject.last_seen > found->last_seen))
            found = &subject;
    if (parts.empty() && found == nullptr)
        nobody(subjects, who);
    if (found != nullptr) {
        parts.push_back({found->id, span.from, span.until});
        series.kind = found->kind;
        series.title = fmt::format("{} {}", found->kind == history::Kind::host ? "host" : "desktop",
                                   found->name);
    }
    for (const Part& part : parts) {
        const auto points =
            value_or_fail(samples.read(part.subject, part.from, part.until, span.every));
        series.points.insert(series.points.end(), points.begin(), points.end());
    }
    return series;
}

} // namespace baton::cli
