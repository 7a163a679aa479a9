#pragma once

#include "history/query.h"
#include "programs/baton/commands.h"
#include "programs/baton/remote.h"

#include <boost/json/object.hpp>

#include <memory>
#include <string>

/// What `baton history`, `baton graph` and `baton advise` ask: the controller, or a samples
/// database itself.
namespace baton::cli {

struct SamplesOptions {
    std::string store; ///< a file, or mysql://...
    history::SpanWords span;
    std::shared_ptr<ConnectionOptions> connection;
};

/// --store, --last, --until, --every and the controller's.
void add_samples_options(CLI::App* command, SamplesOptions& options);

/// CommandFailed: not such a time.
history::Span span_of(const SamplesOptions& options);

/// What --store says, or BATON_SAMPLES; empty: the controller is to be asked.
std::string samples_place(const SamplesOptions& options);

/// The samples database as --store names it, or as BATON_SAMPLES does; for reading.
std::unique_ptr<history::Samples> open_samples_for_reading(const SamplesOptions& options);

/// The controller, for samples; CommandFailed says that there is --store as well.
Remote remote_for_samples(const SamplesOptions& options);

/// "last=1h&until=...&every=1m"
std::string query_of(const history::SpanWords& words);

/// Of a host (name or address), a session, or a desktop (id, domain name or UUID); CommandFailed:
/// there is none.
history::Series series_for(const SamplesOptions& options, const std::string& who,
                           const history::Span& span);

} // namespace baton::cli
