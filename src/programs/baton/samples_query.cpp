#include "programs/baton/samples_query.h"

#include "history/codec.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

namespace baton::cli {
namespace {

using history::Seconds;

/// In one answer of the controller; it gives no more than 10,000 (docs/api.md).
constexpr Seconds points_at_once = 5000;

/// Piece by piece: a day of seconds is no single answer.
history::Series series_from(Remote& remote, const std::string& who, const history::Span& span) {
    const Seconds length = history::length_of(span.every);
    const std::string every = span.every == history::Resolution::second   ? "1s"
                              : span.every == history::Resolution::minute ? "1m"
                                                                          : "1h";
    history::Series all;
    for (Seconds from = span.from; from < span.until; from += points_at_once * length) {
        const Seconds until = std::min(span.until, from + points_at_once * length);
        const std::string target =
            fmt::format("/v1/history/{}?last={}s&until={}&every={}", escape(who), until - from,
                        until - 1, every); // the last second counts as well
        auto piece = value_or_fail(history::series_from_json(remote.get(target)));
        if (all.points.empty())
            all = std::move(piece);
        else
            all.points.insert(all.points.end(), piece.points.begin(), piece.points.end());
    }
    return all;
}

} // namespace

void add_samples_options(CLI::App* command, SamplesOptions& options) {
    command->add_option("--store", options.store,
                        "A samples database instead of the controller: a file, or "
                        "mysql://USER@HOST/DATABASE ($BATON_SAMPLES)");
    command->add_option("--last", options.span.last, "How far back: 90s, 10m, 1h, 2d")
        ->capture_default_str();
    command->add_option("--until", options.span.until,
                        "The end, in UTC: 2026-11-20T10:00:00Z (default: now)");
    command
        ->add_option("--every", options.span.every,
                     "1s (kept for 2 days), 1m (30 days) or 1h (2 years); default: as fits")
        ->check(CLI::IsMember({"1s", "1m", "1h"}));
    options.connection = add_connection(command);
}

history::Span span_of(const SamplesOptions& options) {
    const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    return value_or_fail(history::parse_span(options.span, now.time_since_epoch().count()));
}

std::string samples_place(const SamplesOptions& options) {
    const char* set = std::getenv("BATON_SAMPLES"); // NOLINT(concurrency-mt-unsafe): one thread
    return options.store.empty() && set != nullptr ? set : options.store;
}

std::unique_ptr<history::Samples> open_samples_for_reading(const SamplesOptions& options) {
    return value_or_fail(history::open(samples_place(options), {}, true));
}

Remote remote_for_samples(const SamplesOptions& options) {
    try {
        static_cast<void>(complete(*options.connection));
    } catch (CommandFailed& failed) {
        if (failed.error.code == Errc::invalid_argument && !failed.error.hint.empty())
            failed.error.hint += "; or name a samples database with --store";
        throw;
    }
    return Remote(*options.connection);
}

std::string query_of(const history::SpanWords& words) {
    return fmt::format("last={}{}{}", escape(words.last),
                       words.until.empty() ? "" : "&until=" + escape(words.until),
                       words.every.empty() ? "" : "&every=" + escape(words.every));
}

history::Series series_for(const SamplesOptions& options, const std::string& who,
                           const history::Span& span) {
    if (samples_place(options).empty()) {
        Remote remote = remote_for_samples(options);
        return series_from(remote, who, span);
    }
    const auto samples = open_samples_for_reading(options);
    return value_or_fail(history::series_of(*samples, who, span));
}

} // namespace baton::cli
