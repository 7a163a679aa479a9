#pragma once

#include "model/ids.h"
#include "model/types.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What the monitor reads, as it is read: counters in 64 bits under the names of the paper's
/// structures (SETMOV, section 3.3), each source with the moment of its reading. Pure values;
/// rates.h makes usage of two of them. Vectors are meant to be filled again and again: reading
/// into the same sample allocates nothing once it has been as large.
namespace baton::monitor {

/// Nanoseconds of CLOCK_MONOTONIC; 0 = never read. Durations are measured with it alone: the wall
/// clock may jump.
struct Moment {
    std::int64_t nanoseconds = 0;

    [[nodiscard]] bool known() const { return nanoseconds > 0; }

    auto operator<=>(const Moment&) const = default;
};

/// A short name kept in place (disks, interfaces, CPUs); longer ones are cut.
class ShortName {
  public:
    static constexpr std::size_t capacity = 31;

    ShortName() = default;

    ShortName(std::string_view text) { *this = text; } // NOLINT(google-explicit-constructor)

    ShortName(const char* text)
        : ShortName(std::string_view(text)) {} // NOLINT(google-explicit-constructor)

    ShortName& operator=(std::string_view text) {
        size_ = static_cast<unsigned char>(std::min(text.size(), capacity));
        std::copy_n(text.begin(), size_, text_.begin());
        return *this;
    }

    ShortName& operator=(const char* text) { return *this = std::string_view(text); }

    [[nodiscard]] std::string_view view() const { return {text_.data(), size_}; }

    friend bool operator==(const ShortName& a, const ShortName& b) { return a.view() == b.view(); }

    friend bool operator==(const ShortName& a, std::string_view b) { return a.view() == b; }

  private:
    std::array<char, capacity> text_{};
    unsigned char size_ = 0;
};

// ---- hosts --------------------------------------------------------------------------------------

/// S_ProcCpuInfo: time in ticks of 1/100 s since boot. `guest` is already inside `user`, and
/// `guest_nice` inside `nice`.
struct CpuTimes {
    std::uint64_t user = 0, nice = 0, system = 0, idle = 0, iowait = 0;
    std::uint64_t irq = 0, softirq = 0, steal = 0, guest = 0, guest_nice = 0;
    bool operator==(const CpuTimes&) const = default;
};

/// /proc/stat.
struct CpuCounters {
    struct One {
        unsigned id = 0;
        CpuTimes times;
        bool operator==(const One&) const = default;
    };

    Moment at;
    CpuTimes total;
    std::vector<One> each; ///< those online, ascending
    bool operator==(const CpuCounters&) const = default;
};

/// S_ProcMemInfo in bytes, and what a kernel of today says beside it.
struct MemoryInfo {
    Moment at;
    std::uint64_t total = 0, free = 0, buffers = 0, cached = 0;
    std::optional<std::uint64_t> available; ///< MemAvailable: since Linux 3.14
    std::uint64_t swap_total = 0, swap_free = 0;
    bool operator==(const MemoryInfo&) const = default;
};

/// S_ProcDiskInfo: sectors of 512 bytes, milliseconds.
struct DiskCounters {
    ShortName disk_name;
    unsigned major = 0, minor = 0;
    bool whole = true; ///< false: a partition, whose traffic its disk counts too
    std::uint64_t r_compl = 0, r_merge = 0, r_sectr = 0, r_milsc = 0;
    std::uint64_t w_compl = 0, w_merge = 0, w_sectr = 0, w_milsc = 0;
    std::uint64_t io_c_prc = 0; ///< under way now: a gauge, all others are counters
    std::uint64_t io_milsc = 0, io_w_milsc = 0;
    std::uint64_t d_compl = 0, d_merge = 0, d_sectr = 0, d_milsc = 0; ///< discards: Linux 4.18
    std::uint64_t f_compl = 0, f_milsc = 0;                           ///< flushes: Linux 5.5
    bool operator==(const DiskCounters&) const = default;
};

/// S_ProcNetInfo. The paper names multicast for transmit too; the kernel counts it when received.
struct NetCounters {
    ShortName net_name;
    ShortName net_hwaddress; ///< "52:54:00:ab:cd:ef"; empty: it has none
    unsigned index = 0;      ///< stays when it is renamed; 0: not known, the name counts
    bool physical = false;   ///< a card: framing on the wire is worth counting
    std::uint64_t r_byte = 0, r_pack = 0, r_err = 0, r_drop = 0;
    std::uint64_t r_fifo = 0, r_frm = 0, r_cmp = 0, r_mult = 0;
    std::uint64_t t_byte = 0, t_pack = 0, t_err = 0, t_drop = 0;
    std::uint64_t t_fifo = 0, t_col = 0, t_car = 0, t_cmp = 0;
    bool operator==(const NetCounters&) const = default;
};

/// One line each of a pressure file (PSI): microseconds in which some, or all, waited.
struct Pressure {
    std::uint64_t some_us = 0;
    std::optional<std::uint64_t> full_us; ///< for the CPU of a whole machine it has no meaning
    bool operator==(const Pressure&) const = default;
};

/// Of a host or of a control group; a kernel may know none of them.
struct Pressures {
    Moment at;
    std::optional<Pressure> cpu, memory, io;
    bool operator==(const Pressures&) const = default;
};

/// One reading of one host. A source that could not be read has no `at`.
struct HostSample {
    Moment at;     ///< when the reading began
    WallTime wall; ///< for people and for the store
    CpuCounters cpu;
    MemoryInfo memory;
    Moment disks_at;
    std::vector<DiskCounters> disks; ///< partitions too
    Moment interfaces_at;
    std::vector<NetCounters> interfaces;
    Pressures pressure;
    bool operator==(const HostSample&) const = default;
};

// ---- desktops -----------------------------------------------------------------------------------

enum class DomainState : std::uint8_t { running, paused, shutting_down, crashed, off, unknown };

std::string_view to_string(DomainState state);

/// The VM's process, or what a hypervisor without one tells. Fast tier.
struct ProcessCounters {
    Moment at;
    /// All its threads; what virDomainGetInfo says, in ticks of 10 ms when read from /proc.
    std::uint64_t cpu_time_ns = 0;
    /// The vCPU threads alone, in nanoseconds (schedstat), and how long they were kept from
    /// running although they wanted to.
    std::optional<std::uint64_t> vcpu_ns, vcpu_wait_ns;
    /// All of its control group, in nanoseconds.
    std::optional<std::uint64_t> group_ns;
    std::uint64_t rss_bytes = 0;
    /// /proc/PID/io: what reached the disk; 0 for what the page cache served.
    std::optional<std::uint64_t> disk_read_bytes, disk_written_bytes;
    bool operator==(const ProcessCounters&) const = default;
};

/// One disk as the guest sees it. Slow tier.
struct DesktopDisk {
    ShortName target; ///< "vda"
    std::uint64_t rd_req = 0, rd_bytes = 0, wr_req = 0, wr_bytes = 0, flush_req = 0;
    bool operator==(const DesktopDisk&) const = default;
};

/// What the guest's balloon driver says, in bytes: a claim. Slow tier.
struct GuestMemory {
    Moment at;
    std::optional<std::uint64_t> actual; ///< given to it now: QEMU's own word
    std::optional<std::uint64_t> available, usable, unused, disk_caches;
    std::optional<std::uint64_t> swap_in, swap_out;          ///< bytes since its boot
    std::optional<std::uint64_t> major_faults, minor_faults; ///< since its boot
    /// When the guest last said so, in seconds of Unix time; the same twice: nothing new.
    std::uint64_t last_update = 0;
    bool operator==(const GuestMemory&) const = default;
};

/// Who a desktop is. Fixed as long as it runs, but for `session` and `vcpus`.
struct DesktopIdentity {
    std::string uuid;
    std::string name;   ///< the domain's
    DesktopId desktop;  ///< empty: a VM that is not Baton's
    SessionId session;  ///< empty: nobody's
    unsigned vcpus = 0; ///< 0: not known
    Mebibytes given;    ///< the memory that it was started with
    DomainState state = DomainState::unknown;
    bool operator==(const DesktopIdentity&) const = default;
};

/// One reading of one desktop. Receive and transmit are the guest's: on a tap the host's are the
/// other way round, and the reader has swapped them.
struct DesktopSample {
    Moment at;
    WallTime wall;
    ProcessCounters process;
    Moment interfaces_at;
    std::vector<NetCounters> interfaces;
    Pressures pressure; ///< of its control group
    GuestMemory memory;
    Moment disks_at;
    std::vector<DesktopDisk> disks;
    bool operator==(const DesktopSample&) const = default;
};

} // namespace baton::monitor
