#pragma once

#include "model/error.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// The files of one process and of its control group as values; as host_files.h.
namespace baton::monitor {

/// /proc/PID/stat.
struct ProcessStat {
    char state = '?';
    std::uint64_t user_ticks = 0, system_ticks = 0; ///< all threads, those that have ended too
    std::uint64_t threads = 0;
    std::uint64_t start_ticks = 0; ///< since boot: another process of that PID has another
    std::uint64_t rss_pages = 0;
};

/// The command's name may hold anything, spaces and brackets too.
Result<ProcessStat> parse_process_stat(std::string_view text);

/// /proc/PID/io, "physical": what went to and came from the disk.
struct ProcessIo {
    std::uint64_t read_bytes = 0, written_bytes = 0;
};

Result<ProcessIo> parse_process_io(std::string_view text);

/// /proc/PID/task/TID/schedstat: nanoseconds on a CPU, and waiting for one.
struct SchedStat {
    std::uint64_t run_ns = 0, wait_ns = 0;
};

Result<SchedStat> parse_schedstat(std::string_view text);

/// Whether a thread of QEMU is one of a vCPU, by the name that it has under debug-threads=on:
/// "CPU 0/KVM", "CPU 12/TCG".
bool is_vcpu_thread(std::string_view comm);

/// cpu.stat of a control group (v2), or cpuacct.usage (v1), which is one number.
Result<std::uint64_t> parse_group_cpu_ns(std::string_view text);

/// /proc/PID/cgroup.
struct GroupPaths {
    std::string unified; ///< of version 2: "/machine.slice/..."
    std::string cpuacct; ///< of version 1; empty: not mounted
};

/// Errc::corrupt also for a path that leaves its tree.
Result<GroupPaths> parse_cgroup(std::string_view text);

/// Whether a command line (/proc/PID/cmdline) is QEMU's for the domain of that UUID, started by
/// libvirt: the word after -uuid.
bool is_qemu_of(std::string_view cmdline, std::string_view uuid);

} // namespace baton::monitor
