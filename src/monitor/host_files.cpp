#include "monitor/host_files.h"

#include "monitor/scan.h"

#include <fmt/format.h>

namespace baton::monitor {

namespace {

/// A line of somebody else's bytes, fit for a message.
std::string quoted(std::string_view line) {
    std::string text(line.substr(0, 60));
    for (char& c : text)
        if (c < ' ' || c > '~')
            c = '?';
    return text;
}

tl::unexpected<Error> corrupt(std::string_view file, std::string_view line) {
    return fail(Errc::corrupt,
                fmt::format("{} has a line that Baton cannot read: '{}'", file, quoted(line)));
}

bool read_times(Scan& scan, CpuTimes& times) {
    times = {};
    // iowait and what follows came with 2.5.41 to 2.6.33
    return scan.numbers(times.user, times.nice, times.system, times.idle) &&
           scan.number_if_any(times.iowait) && scan.number_if_any(times.irq) &&
           scan.number_if_any(times.softirq) && scan.number_if_any(times.steal) &&
           scan.number_if_any(times.guest) && scan.number_if_any(times.guest_nice);
}

bool read_disk(Scan& scan, DiskCounters& disk) {
    std::uint64_t major = 0;
    std::uint64_t minor = 0;
    if (!scan.numbers(major, minor) || major > UINT32_MAX || minor > UINT32_MAX)
        return false;
    disk = {};
    disk.major = static_cast<unsigned>(major);
    disk.minor = static_cast<unsigned>(minor);
    disk.disk_name = scan.word();
    return !disk.disk_name.view().empty() &&
           scan.numbers(disk.r_compl, disk.r_merge, disk.r_sectr, disk.r_milsc, disk.w_compl,
                        disk.w_merge, disk.w_sectr, disk.w_milsc, disk.io_c_prc, disk.io_milsc,
                        disk.io_w_milsc) &&
           scan.number_if_any(disk.d_compl) && scan.number_if_any(disk.d_merge) &&
           scan.number_if_any(disk.d_sectr) && scan.number_if_any(disk.d_milsc) &&
           scan.number_if_any(disk.f_compl) && scan.number_if_any(disk.f_milsc);
}

bool read_interface(Scan& scan, NetCounters& counters) {
    counters = {};
    Scan name(scan.upto(':'));
    counters.net_name = name.word();
    return !counters.net_name.view().empty() && !scan.done() &&
           scan.numbers(counters.r_byte, counters.r_pack, counters.r_err, counters.r_drop,
                        counters.r_fifo, counters.r_frm, counters.r_cmp, counters.r_mult,
                        counters.t_byte, counters.t_pack, counters.t_err, counters.t_drop,
                        counters.t_fifo, counters.t_col, counters.t_car, counters.t_cmp);
}

/// "some avg10=0.00 avg60=0.00 avg300=0.00 total=123" after its first word.
bool read_total(Scan scan, std::uint64_t& total_us) {
    for (std::string_view word = scan.word(); !word.empty(); word = scan.word()) {
        if (!word.starts_with("total="))
            continue;
        return Scan(word.substr(6)).number(total_us);
    }
    return false;
}

} // namespace

Result<void> parse_stat(std::string_view text, CpuCounters& counters) {
    counters.each.clear();
    counters.total = {};
    bool total = false;
    Scan lines(text);
    while (!lines.done()) {
        const std::string_view line = lines.line();
        if (!line.starts_with("cpu"))
            break; // the CPUs come first; the line of interrupts behind them is long
        Scan scan(line.substr(3));
        if (line.starts_with("cpu ")) {
            if (total || !read_times(scan, counters.total))
                return corrupt("/proc/stat", line);
            total = true;
            continue;
        }
        std::uint64_t id = 0;
        CpuCounters::One one;
        if (!scan.number(id) || id > UINT16_MAX || !read_times(scan, one.times) ||
            (!counters.each.empty() && counters.each.back().id >= id))
            return corrupt("/proc/stat", line);
        one.id = static_cast<unsigned>(id);
        counters.each.push_back(one);
    }
    if (!total)
        return fail(Errc::corrupt, "/proc/stat does not begin with the CPUs");
    return {};
}

Result<void> parse_meminfo(std::string_view text, MemoryInfo& memory) {
    const Moment at = memory.at;
    memory = {};
    memory.at = at;
    std::uint64_t available = 0;

    struct Field {
        std::string_view name;
        std::uint64_t* value;
        bool found = false;
    };

    std::array fields{Field{"MemTotal", &memory.total},    Field{"MemFree", &memory.free},
                      Field{"MemAvailable", &available},   Field{"Buffers", &memory.buffers},
                      Field{"Cached", &memory.cached},     Field{"SwapTotal", &memory.swap_total},
                      Field{"SwapFree", &memory.swap_free}};
    std::size_t left = fields.size();
    Scan lines(text);
    while (!lines.done() && left > 0) {
        const std::string_view line = lines.line();
        Scan scan(line);
        const std::string_view name = scan.upto(':');
        for (Field& field : fields) {
            if (field.found || field.name != name)
                continue;
            if (!scan.number(*field.value) || scan.word() != "kB" ||
                *field.value > UINT64_MAX / 1024)
                return corrupt("/proc/meminfo", line);
            *field.value *= 1024;
            field.found = true;
            --left;
        }
    }
    if (!fields[0].found || !fields[1].found)
        return fail(Errc::corrupt, "/proc/meminfo does not say how much memory there is");
    if (fields[2].found)
        memory.available = available;
    return {};
}

Result<void> parse_diskstats(std::string_view text, std::vector<DiskCounters>& disks) {
    disks.clear();
    Scan lines(text);
    while (!lines.done()) {
        const std::string_view line = lines.line();
        Scan scan(line);
        if (!read_disk(scan, disks.emplace_back()))
            return corrupt("/proc/diskstats", line);
    }
    return {};
}

Result<void> parse_partitions(std::string_view text, std::vector<ShortName>& names) {
    names.clear();
    Scan lines(text);
    (void)lines.line(); // major minor #blocks name
    while (!lines.done()) {
        const std::string_view line = lines.line();
        if (line.empty())
            continue;
        Scan scan(line);
        std::uint64_t major = 0;
        std::uint64_t minor = 0;
        std::uint64_t blocks = 0;
        const bool fine = scan.numbers(major, minor, blocks);
        const std::string_view name = scan.word();
        if (!fine || name.empty())
            return corrupt("/proc/partitions", line);
        names.emplace_back(name);
    }
    return {};
}

Result<void> parse_net_dev(std::string_view text, std::vector<NetCounters>& interfaces) {
    interfaces.clear();
    Scan lines(text);
    // the two lines of the heading have bars and no colon
    for (int heading = 0; heading < 2; ++heading)
        if (const auto line = lines.line(); line.find('|') == std::string_view::npos)
            return corrupt("/proc/net/dev", line);
    while (!lines.done()) {
        const std::string_view line = lines.line();
        Scan scan(line);
        if (!read_interface(scan, interfaces.emplace_back()))
            return corrupt("/proc/net/dev", line);
    }
    return {};
}

Result<Pressure> parse_pressure(std::string_view text) {
    Pressure pressure;
    bool some = false;
    Scan lines(text);
    while (!lines.done()) {
        const std::string_view line = lines.line();
        Scan scan(line);
        const std::string_view kind = scan.word();
        std::uint64_t total = 0;
        if ((kind != "some" && kind != "full") || !read_total(scan, total))
            return corrupt("a pressure file", line);
        if (kind == "some") {
            pressure.some_us = total;
            some = true;
        } else {
            pressure.full_us = total;
        }
    }
    if (!some)
        return fail(Errc::corrupt, "a pressure file is empty");
    return pressure;
}

} // namespace baton::monitor
