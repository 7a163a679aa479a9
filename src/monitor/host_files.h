#pragma once

#include "monitor/sample.h"

#include <string_view>
#include <vector>

/// The host's files of /proc as values. Pure; nothing is allocated when what is read into has been
/// as large before. Text that is not of the file's form is Errc::corrupt with the line in question,
/// and what was read into is then of no use: a gap.
namespace baton::monitor {

/// /proc/stat: the lines of the CPUs. Sets all but `at`.
Result<void> parse_stat(std::string_view text, CpuCounters& counters);

/// /proc/meminfo. Sets all but `at`; MemTotal and MemFree have to be there.
Result<void> parse_meminfo(std::string_view text, MemoryInfo& memory);

/// /proc/diskstats of any kernel since 2.6. `whole` is left true: only sysfs tells.
Result<void> parse_diskstats(std::string_view text, std::vector<DiskCounters>& disks);

/// /proc/partitions: the names of the disks that have a size, and of their partitions.
Result<void> parse_partitions(std::string_view text, std::vector<ShortName>& names);

/// /proc/net/dev. Hardware addresses, indices and what is a card are not in it.
Result<void> parse_net_dev(std::string_view text, std::vector<NetCounters>& interfaces);

/// /proc/pressure/* or *.pressure of a control group.
Result<Pressure> parse_pressure(std::string_view text);

} // namespace baton::monitor
