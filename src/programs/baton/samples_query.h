#pragma once

#include "history/samples.h"
#include "programs/baton/commands.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

/// What `baton history`, `baton graph` and `baton advise` ask a samples database.
namespace baton::cli {

struct SamplesOptions {
    std::string store; ///< a file, or mysql://...
    std::string last = "1h";
    std::string until; ///< empty: now
    std::string every; ///< "1s", "1m", "1h"; empty: as fits
};

/// --store, --last, --until, --every.
void add_samples_options(CLI::App* command, SamplesOptions& options);

/// "90s", "10m", "1h", "2d" in seconds. CommandFailed: not such a time.
history::Seconds duration_in(const std::string& option, const std::string& text);

/// "2026-11-20T10:00:00Z", "2026-11-20 10:00:00", or seconds since 1970. CommandFailed.
history::Seconds time_in(const std::string& option, const std::string& text);

struct Span {
    history::Seconds from = 0, until = 0;
    history::Resolution every = history::Resolution::second;
};

Span span_of(const SamplesOptions& options);

/// One desktop after the other, if a session has had several.
struct Series {
    std::string title; ///< "desktop baton-d-12 (on 10.0.0.11)"
    history::Kind kind = history::Kind::desktop;
    std::vector<history::Point> points;
};

/// What --store says, or BATON_SAMPLES; empty: neither.
std::string samples_place(const SamplesOptions& options);

/// The samples database as --store names it, or as BATON_SAMPLES does; for reading.
std::unique_ptr<history::Samples> open_samples_for_reading(const SamplesOptions& options);

/// Of a host (name or address), a session, or a desktop (id, domain name or UUID); CommandFailed:
/// there is none, with the names that are there.
Series series_of(history::Samples& samples, const std::string& who, const Span& span);

} // namespace baton::cli
