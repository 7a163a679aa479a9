#pragma once

#include "monitor/sample.h"

#include <cstddef>
#include <span>
#include <vector>

/// The kernel's answers about network interfaces (rtnetlink) as values. Pure: bytes in, values
/// out; nothing of a message is read beyond its end.
namespace baton::sampling {

/// What one datagram of the answer to a dump said beside its contents.
struct DumpState {
    bool done = false;        ///< it was the last one
    bool interrupted = false; ///< something changed in the middle: to be asked for again
};

/// RTM_NEWSTATS: appends the counters of each, with their index and without a name. The counters
/// are added up as /proc/net/dev does.
Result<DumpState> parse_link_stats(std::span<const std::byte> datagram,
                                   std::vector<monitor::NetCounters>& counters);

/// RTM_NEWLINK: appends index, name, hardware address, and whether there is a device of some bus
/// behind it; no counters.
Result<DumpState> parse_links(std::span<const std::byte> datagram,
                              std::vector<monitor::NetCounters>& links);

} // namespace baton::sampling
