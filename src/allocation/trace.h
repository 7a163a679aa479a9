#pragma once

#include "allocation/allocator.h"

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace baton::allocation {

/// A host's load is another one from here on.
struct LoadChange {
    HostId host;
    Load load = Load::usual;
    bool operator==(const LoadChange&) const = default;
};

/// One person comes or goes; or, with `load`, nobody does.
struct TraceEvent {
    bool join = true;
    SessionId session;
    std::optional<LoadChange> load = std::nullopt;
    bool operator==(const TraceEvent&) const = default;
};

/// Reads "+ NAME" (joins), "- NAME" (leaves) and "@ HOST LOAD" (idle, usual, busy or swamped), one
/// per line; empty lines and "#" comments are skipped. Errc::invalid_argument names the line: not
/// such a line, a join of somebody who is there, a leave of somebody who is not.
Result<std::vector<TraceEvent>> parse_trace(std::string_view text);

/// People come and go at random, each staying as long as any other, so that about `load_percent` of
/// `capacity` places are in use; begins with nobody. The same arguments give the same trace, on
/// every machine. Never more than `capacity` + 1 at once: the one over it is to be refused.
std::vector<TraceEvent> random_trace(std::uint64_t seed, std::size_t capacity,
                                     unsigned load_percent, std::size_t events);

} // namespace baton::allocation
