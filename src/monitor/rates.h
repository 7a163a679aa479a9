#pragma once

#include "monitor/sample.h"

#include <optional>
#include <string>
#include <vector>

/// Usage, out of two readings: the seven formulas of the paper (SETMOV, section 3.3), each in two
/// columns: `paper`, as it is printed there (docs/paper-map.md names its slips), and `corrected`,
/// as it should be today. Pure.
///
/// No value (nullopt) means: cannot be told. A counter that ran backwards (reset, wrap, another
/// disk of the same name), two readings at the same moment, a source that could not be read or is
/// not there. Never 0 for it, never a huge number.
namespace baton::monitor {

using Value = std::optional<double>;

struct Columns {
    Value paper;
    Value corrected;
    bool operator==(const Columns&) const = default;
};

/// One direction, or both together, of what a network interface carried.
struct Traffic {
    Value packets_per_second; ///< (5)
    Value bits_per_packet;    ///< (6); without packets there is no size
    Value l2_bits_per_second; ///< (7) without framing: 8 * bytes
    Value l1_bits_per_second; ///< (7) with 24 bytes a packet on the wire; cards only
    bool operator==(const Traffic&) const = default;
};

/// Formulas 5 to 7 in the paper's own way: receive and transmit added, and 20 bits (7 + 1 + 12,
/// bytes taken for bits) of framing a packet.
struct PaperTraffic {
    Value packets;         ///< (5): in the interval, not per second
    Value bits_per_packet; ///< (6)
    Value bits;            ///< (7): in the interval; bits per second if that is one second
    bool operator==(const PaperTraffic&) const = default;
};

struct NetworkRates {
    ShortName name;
    bool physical = false;
    Traffic receive, transmit;
    PaperTraffic paper;
    Value errors_per_second, drops_per_second; ///< both directions
    bool operator==(const NetworkRates&) const = default;
};

struct DiskRates {
    ShortName name;
    Value read_bytes_per_second, written_bytes_per_second;
    Value reads_per_second, writes_per_second;
    Value busy_percent; ///< time with at least one request under way; hosts only
    bool operator==(const DiskRates&) const = default;
};

/// Share of the time in which some (or all) tasks waited, 0 to 100.
struct PressureRates {
    Value cpu_some_percent, memory_some_percent, memory_full_percent, io_some_percent,
        io_full_percent;
    bool operator==(const PressureRates&) const = default;
};

struct HostRates {
    double seconds = 0; ///< between the two readings; 0: there was only one
    unsigned processors = 0;
    Columns cpu_percent; ///< (1)
    Value iowait_percent, steal_percent, guest_percent;
    Columns memory_percent;                      ///< (3)
    Value memory_total_bytes, memory_used_bytes; ///< used: total - available
    /// (4). paper: bytes in the interval, partitions and their disks both; corrected: bytes per
    /// second of whole disks.
    Columns disk_bytes;
    Value disk_read_bytes_per_second, disk_written_bytes_per_second;
    std::vector<DiskRates> disks; ///< whole ones
    /// Of the cards; of every interface but loopback if there is no card.
    Traffic receive, transmit;
    PaperTraffic network_paper;
    std::vector<NetworkRates> interfaces;
    PressureRates pressure;
    bool operator==(const HostRates&) const = default;
};

struct DesktopRates {
    double seconds = 0;
    /// (2), of the whole host. corrected: the vCPUs' own time in nanoseconds.
    Columns cpu_percent;
    Value cpu_percent_of_vcpus; ///< of its own vCPUs: 100 = all of them busy
    Value vcpu_wait_percent;    ///< kept waiting by others, of its vCPUs' time
    Value overhead_percent;     ///< of the host: the process without its vCPUs
    /// (3). paper: the memory allotted, in bytes, as the paper could know no more; corrected:
    /// percent (available - usable) / available.
    Columns memory;
    Value memory_given_bytes, memory_used_bytes, memory_available_bytes, memory_unused_bytes,
        memory_caches_bytes, rss_bytes;
    Value swap_in_bytes_per_second, swap_out_bytes_per_second;
    Value major_faults_per_second, minor_faults_per_second;
    /// (4). paper: bytes in the interval, of all its disks together (they are bytes already: no
    /// x 512); corrected: bytes per second that reached the host's disks.
    Columns disk_bytes;
    Value disk_read_bytes_per_second, disk_written_bytes_per_second; ///< physical
    std::vector<DiskRates> disks; ///< as the guest sees them; slow tier
    Traffic receive, transmit;    ///< of all its interfaces
    PaperTraffic network_paper;
    std::vector<NetworkRates> interfaces;
    PressureRates pressure;
    bool operator==(const DesktopRates&) const = default;
};

/// `before` may be a reading without moments (none): then only what needs one reading has values.
/// Each source of `before` may be of another time: the slow tier's is older than the fast one's.
HostRates host_rates(const HostSample& before, const HostSample& now);

/// `processors`: of the host, 0 = not known. `vcpus`: of the desktop.
DesktopRates desktop_rates(const DesktopSample& before, const DesktopSample& now,
                           unsigned processors, unsigned vcpus);

/// What is kept, shown and sent of one desktop at one time.
struct DesktopReading {
    DesktopIdentity who;
    WallTime wall;
    DesktopRates rates;
    bool operator==(const DesktopReading&) const = default;
};

/// What is kept, shown and sent of one host and its desktops at one time.
struct Reading {
    HostId host;
    std::string address; ///< HostIP of the paper's tables
    WallTime wall;
    Moment at;
    HostRates rates;
    std::vector<DesktopReading> desktops;
    bool operator==(const Reading&) const = default;
};

// ---- the formulas one by one --------------------------------------------------------------------

/// now - before; nullopt: it ran backwards.
std::optional<std::uint64_t> difference(std::uint64_t before, std::uint64_t now);
/// Seconds between two moments; nullopt: one is not known, or no time has passed.
Value seconds_between(Moment before, Moment now);

/// (1). When the CPUs online are not the same at both readings, those that are in both count.
Columns cpu_percent(const CpuCounters& before, const CpuCounters& now);

/// Shares of all CPU time, by (1)'s corrected reading.
struct CpuShares {
    Value iowait_percent, steal_percent, guest_percent;
};

CpuShares cpu_shares(const CpuCounters& before, const CpuCounters& now);
/// (2) of `cpu_ns` nanoseconds of one or more threads on `processors` CPUs, uncut.
Value busy_percent(std::uint64_t cpu_ns_before, std::uint64_t cpu_ns_now, double seconds,
                   unsigned processors);
/// (3) of a host.
Columns memory_percent(const MemoryInfo& memory);
/// (5) to (7). `framing_bytes`: on the wire beside what is counted; 24 on Ethernet.
Traffic traffic(std::uint64_t packets, std::uint64_t bytes, double seconds, bool physical);
PaperTraffic paper_traffic(std::uint64_t packets, std::uint64_t bytes, double seconds);

/// Whether the guest's figures can be true. What cannot be is taken out: the gap is visible.
/// `given`: what the hypervisor gave it; 0 = not known.
GuestMemory plausible(GuestMemory memory, Mebibytes given);

} // namespace baton::monitor
