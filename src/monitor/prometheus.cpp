#include "monitor/prometheus.h"

#include <fmt/format.h>

#include <array>
#include <cmath>

namespace baton::monitor {

namespace {

using Kind = Exposition::Kind;

constexpr double ticks_per_second = 100;

void append_escaped(std::string& text, std::string_view value) {
    for (const char c : value) {
        if (c == '\\' || c == '"')
            text += '\\';
        if (c == '\n')
            text += "\\n";
        else
            text += c;
    }
}

struct CpuMode {
    std::string_view name;
    std::uint64_t CpuTimes::* ticks;
};

constexpr std::array cpu_modes{
    CpuMode{"user", &CpuTimes::user},       CpuMode{"nice", &CpuTimes::nice},
    CpuMode{"system", &CpuTimes::system},   CpuMode{"idle", &CpuTimes::idle},
    CpuMode{"iowait", &CpuTimes::iowait},   CpuMode{"irq", &CpuTimes::irq},
    CpuMode{"softirq", &CpuTimes::softirq}, CpuMode{"steal", &CpuTimes::steal},
    CpuMode{"guest", &CpuTimes::guest},     CpuMode{"guest_nice", &CpuTimes::guest_nice}};

/// One counter of a struct and what it is called.
template <class T>
struct Counter {
    std::string_view name;
    std::string_view help;
    std::uint64_t T::* value;
    double scale = 1;
};

using DiskCounter = Counter<DiskCounters>;

constexpr std::array disk_counters{
    DiskCounter{"reads_completed", "Reads that were completed.", &DiskCounters::r_compl},
    DiskCounter{"reads_merged", "Reads that were merged.", &DiskCounters::r_merge},
    DiskCounter{"read_bytes", "Bytes read.", &DiskCounters::r_sectr, 512},
    DiskCounter{"read_time_seconds", "Time that reads took.", &DiskCounters::r_milsc, 1e-3},
    DiskCounter{"writes_completed", "Writes that were completed.", &DiskCounters::w_compl},
    DiskCounter{"writes_merged", "Writes that were merged.", &DiskCounters::w_merge},
    DiskCounter{"written_bytes", "Bytes written.", &DiskCounters::w_sectr, 512},
    DiskCounter{"write_time_seconds", "Time that writes took.", &DiskCounters::w_milsc, 1e-3},
    DiskCounter{"io_time_seconds", "Time with a request under way.", &DiskCounters::io_milsc, 1e-3},
    DiskCounter{"io_time_weighted_seconds", "The same, times the requests under way.",
                &DiskCounters::io_w_milsc, 1e-3},
    DiskCounter{"discards_completed", "Discards that were completed.", &DiskCounters::d_compl},
    DiskCounter{"discarded_bytes", "Bytes discarded.", &DiskCounters::d_sectr, 512},
    DiskCounter{"flushes_completed", "Flushes that were completed.", &DiskCounters::f_compl}};

using NetCounter = Counter<NetCounters>;

constexpr std::array net_counters{
    NetCounter{"receive_bytes", "Bytes received.", &NetCounters::r_byte},
    NetCounter{"receive_packets", "Packets received.", &NetCounters::r_pack},
    NetCounter{"receive_errors", "Receive errors.", &NetCounters::r_err},
    NetCounter{"receive_drops", "Received packets dropped.", &NetCounters::r_drop},
    NetCounter{"receive_fifo_errors", "Receive FIFO errors.", &NetCounters::r_fifo},
    NetCounter{"receive_frame_errors", "Framing errors.", &NetCounters::r_frm},
    NetCounter{"receive_compressed", "Compressed packets received.", &NetCounters::r_cmp},
    NetCounter{"receive_multicast", "Multicast packets received.", &NetCounters::r_mult},
    NetCounter{"transmit_bytes", "Bytes sent.", &NetCounters::t_byte},
    NetCounter{"transmit_packets", "Packets sent.", &NetCounters::t_pack},
    NetCounter{"transmit_errors", "Transmit errors.", &NetCounters::t_err},
    NetCounter{"transmit_drops", "Packets dropped instead of sent.", &NetCounters::t_drop},
    NetCounter{"transmit_fifo_errors", "Transmit FIFO errors.", &NetCounters::t_fifo},
    NetCounter{"transmit_collisions", "Collisions.", &NetCounters::t_col},
    NetCounter{"transmit_carrier_errors", "Carrier losses.", &NetCounters::t_car},
    NetCounter{"transmit_compressed", "Compressed packets sent.", &NetCounters::t_cmp}};

using GuestDiskCounter = Counter<DesktopDisk>;

constexpr std::array guest_disk_counters{
    GuestDiskCounter{"reads_completed", "Reads of the guest.", &DesktopDisk::rd_req},
    GuestDiskCounter{"read_bytes", "Bytes read by the guest.", &DesktopDisk::rd_bytes},
    GuestDiskCounter{"writes_completed", "Writes of the guest.", &DesktopDisk::wr_req},
    GuestDiskCounter{"written_bytes", "Bytes written by the guest.", &DesktopDisk::wr_bytes},
    GuestDiskCounter{"flushes_completed", "Flushes of the guest.", &DesktopDisk::flush_req}};

struct PressureSource {
    std::string_view resource;
    std::optional<Pressure> Pressures::* value;
};

constexpr std::array pressure_sources{PressureSource{"cpu", &Pressures::cpu},
                                      PressureSource{"memory", &Pressures::memory},
                                      PressureSource{"io", &Pressures::io}};

void expose_cpu(Exposition& page, const HostId& host, const CpuCounters& cpu) {
    page.family("baton_host_cpu_seconds_total", Kind::counter,
                "Time of each CPU in each state. guest is inside user, guest_nice inside nice.");
    if (!cpu.at.known())
        return;
    for (const auto& one : cpu.each) {
        const std::string id = std::to_string(one.id);
        for (const CpuMode& mode : cpu_modes)
            page.sample({{"host", host.value}, {"cpu", id}, {"mode", mode.name}},
                        static_cast<double>(one.times.*mode.ticks) / ticks_per_second);
    }
}

void expose_memory(Exposition& page, const HostId& host, const MemoryInfo& memory) {
    if (!memory.at.known())
        return;
    const auto gauge = [&](std::string_view name, std::string_view help,
                           std::optional<std::uint64_t> value) {
        page.family(name, Kind::gauge, help);
        if (value)
            page.sample({{"host", host.value}}, *value);
    };
    gauge("baton_host_memory_total_bytes", "Memory of the host.", memory.total);
    gauge("baton_host_memory_free_bytes", "Memory that nobody uses.", memory.free);
    gauge("baton_host_memory_available_bytes", "Memory that can be had without swapping.",
          memory.available);
    gauge("baton_host_memory_buffers_bytes", "Memory in buffers.", memory.buffers);
    gauge("baton_host_memory_cached_bytes", "Memory in the page cache.", memory.cached);
    gauge("baton_host_swap_total_bytes", "Swap space.", memory.swap_total);
    gauge("baton_host_swap_free_bytes", "Swap space that nobody uses.", memory.swap_free);
}

void expose_pressure(Exposition& page, const HostId& host, const Pressures& pressure) {
    for (const bool full : {false, true}) {
        page.family(full ? "baton_host_pressure_stalled_seconds_total"
                         : "baton_host_pressure_waiting_seconds_total",
                    Kind::counter,
                    full ? "Time in which all tasks waited for the resource."
                         : "Time in which some tasks waited for the resource.");
        for (const PressureSource& source : pressure_sources) {
            const auto& value = pressure.*source.value;
            if (!value || (full && !value->full_us))
                continue;
            const auto us = full ? *value->full_us : value->some_us;
            page.sample({{"host", host.value}, {"resource", source.resource}},
                        static_cast<double>(us) / 1e6);
        }
    }
}

/// A family for each counter, with a sample for each device of each owner.
template <class Counters, class Each>
void expose_devices(Exposition& page, std::string_view prefix, const Counters& counters,
                    Each each) {
    for (const auto& counter : counters) {
        page.family(fmt::format("{}_{}_total", prefix, counter.name), Kind::counter, counter.help);
        each(counter);
    }
}

void expose_desktop_gauges(Exposition& page, std::span<const DesktopCounters> desktops) {
    const auto each = [&](std::string_view name, Kind kind, std::string_view help, auto value) {
        page.family(name, kind, help);
        for (const DesktopCounters& one : desktops)
            if (const Value found = value(*one.sample))
                page.sample({{"uuid", one.who->uuid}, {"name", one.who->name}}, *found);
    };
    const auto seconds = [](auto ns) -> Value {
        if (!ns)
            return std::nullopt;
        return static_cast<double>(*ns) / 1e9;
    };
    const auto plain = [](auto value) -> Value {
        if (!value)
            return std::nullopt;
        return static_cast<double>(*value);
    };
    each("baton_desktop_cpu_seconds_total", Kind::counter, "CPU time of the whole process.",
         [](const DesktopSample& s) -> Value {
             if (!s.process.at.known())
                 return std::nullopt;
             return static_cast<double>(s.process.cpu_time_ns) / 1e9;
         });
    each("baton_desktop_vcpu_seconds_total", Kind::counter, "CPU time of the virtual CPUs.",
         [&](const DesktopSample& s) { return seconds(s.process.vcpu_ns); });
    each("baton_desktop_vcpu_wait_seconds_total", Kind::counter,
         "Time in which virtual CPUs wanted to run and could not.",
         [&](const DesktopSample& s) { return seconds(s.process.vcpu_wait_ns); });
    each("baton_desktop_resident_bytes", Kind::gauge, "Memory of the host in use by the process.",
         [](const DesktopSample& s) -> Value {
             if (!s.process.at.known())
                 return std::nullopt;
             return static_cast<double>(s.process.rss_bytes);
         });
    each("baton_desktop_physical_read_bytes_total", Kind::counter,
         "Bytes that the process read from the host's disks.",
         [&](const DesktopSample& s) { return plain(s.process.disk_read_bytes); });
    each("baton_desktop_physical_written_bytes_total", Kind::counter,
         "Bytes that the process wrote to the host's disks.",
         [&](const DesktopSample& s) { return plain(s.process.disk_written_bytes); });
    each("baton_desktop_memory_given_bytes", Kind::gauge, "Memory given to the guest.",
         [&](const DesktopSample& s) { return plain(s.memory.actual); });
    each("baton_desktop_memory_available_bytes", Kind::gauge, "The guest's own total: a claim.",
         [&](const DesktopSample& s) { return plain(s.memory.available); });
    each("baton_desktop_memory_usable_bytes", Kind::gauge,
         "What the guest can have without swapping: a claim.",
         [&](const DesktopSample& s) { return plain(s.memory.usable); });
    each("baton_desktop_memory_unused_bytes", Kind::gauge, "Memory free in the guest: a claim.",
         [&](const DesktopSample& s) { return plain(s.memory.unused); });
    each("baton_desktop_memory_caches_bytes", Kind::gauge, "The guest's page cache: a claim.",
         [&](const DesktopSample& s) { return plain(s.memory.disk_caches); });
    each("baton_desktop_swap_in_bytes_total", Kind::counter, "Swapped in by the guest: a claim.",
         [&](const DesktopSample& s) { return plain(s.memory.swap_in); });
    each("baton_desktop_swap_out_bytes_total", Kind::counter, "Swapped out by the guest: a claim.",
         [&](const DesktopSample& s) { return plain(s.memory.swap_out); });
    each("baton_desktop_major_faults_total", Kind::counter, "Major faults in the guest: a claim.",
         [&](const DesktopSample& s) { return plain(s.memory.major_faults); });
    each("baton_desktop_minor_faults_total", Kind::counter, "Minor faults in the guest: a claim.",
         [&](const DesktopSample& s) { return plain(s.memory.minor_faults); });
}

void expose_desktops(Exposition& page, std::span<const DesktopCounters> desktops) {
    page.family("baton_desktop_info", Kind::gauge, "1 for each desktop, with what it is.");
    for (const DesktopCounters& one : desktops)
        page.sample({{"uuid", one.who->uuid},
                     {"name", one.who->name},
                     {"desktop", one.who->desktop.value},
                     {"session", one.who->session.value},
                     {"state", to_string(one.who->state)}},
                    std::uint64_t{1});
    expose_desktop_gauges(page, desktops);
    expose_devices(page, "baton_desktop_disk", guest_disk_counters, [&](const auto& counter) {
        for (const DesktopCounters& one : desktops)
            for (const DesktopDisk& disk : one.sample->disks)
                page.sample({{"uuid", one.who->uuid},
                             {"name", one.who->name},
                             {"device", disk.target.view()}},
                            disk.*counter.value);
    });
    expose_devices(page, "baton_desktop_network", net_counters, [&](const auto& counter) {
        for (const DesktopCounters& one : desktops)
            for (const NetCounters& net : one.sample->interfaces)
                page.sample({{"uuid", one.who->uuid},
                             {"name", one.who->name},
                             {"device", net.net_name.view()}},
                            net.*counter.value);
    });
}

} // namespace

void Exposition::family(std::string_view name, Kind kind, std::string_view help) {
    name_ = name;
    help_ = help;
    kind_ = kind;
    written_ = false;
}

void Exposition::write_family() {
    if (std::exchange(written_, true))
        return;
    fmt::format_to(std::back_inserter(text_), "# HELP {} {}\n# TYPE {} {}\n", name_, help_, name_,
                   kind_ == Kind::counter ? "counter" : "gauge");
}

void Exposition::begin(Labels labels) {
    write_family();
    text_ += name_;
    char separator = '{';
    for (const auto& [name, value] : labels) {
        text_ += separator;
        text_ += name;
        text_ += "=\"";
        append_escaped(text_, value);
        text_ += '"';
        separator = ',';
    }
    text_ += separator == ',' ? "} " : " ";
}

void Exposition::sample(Labels labels, double value) {
    begin(labels);
    fmt::format_to(std::back_inserter(text_), "{}\n", value);
}

void Exposition::sample(Labels labels, const Value& value) {
    if (value)
        sample(labels, *value);
}

void Exposition::sample(Labels labels, std::uint64_t value) {
    begin(labels);
    fmt::format_to(std::back_inserter(text_), "{}\n", value);
}

std::string Exposition::text() && {
    return std::move(text_);
}

void expose_counters(Exposition& page, const HostId& host, const HostSample& sample,
                     std::span<const DesktopCounters> desktops) {
    expose_cpu(page, host, sample.cpu);
    expose_memory(page, host, sample.memory);
    expose_pressure(page, host, sample.pressure);
    expose_devices(page, "baton_host_disk", disk_counters, [&](const auto& counter) {
        for (const DiskCounters& disk : sample.disks) {
            if (!disk.whole)
                continue;
            page.sample({{"host", host.value}, {"device", disk.disk_name.view()}},
                        static_cast<double>(disk.*counter.value) * counter.scale);
        }
    });
    expose_devices(page, "baton_host_network", net_counters, [&](const auto& counter) {
        for (const NetCounters& net : sample.interfaces)
            page.sample({{"host", host.value}, {"device", net.net_name.view()}},
                        net.*counter.value);
    });
    page.family("baton_host_desktops", Kind::gauge, "Virtual machines that run on the host.");
    page.sample({{"host", host.value}}, std::uint64_t{desktops.size()});
    expose_desktops(page, desktops);
}

void expose_usage(Exposition& page, std::span<const Reading* const> readings) {
    const auto ratio = [](const Value& percent) -> Value {
        return percent ? Value{*percent / 100} : std::nullopt;
    };
    const auto of_hosts = [&](std::string_view name, std::string_view help, auto value) {
        page.family(name, Kind::gauge, help);
        for (const Reading* reading : readings)
            page.sample({{"host", reading->host.value}}, Value{value(reading->rates)});
    };
    of_hosts("baton_host_cpu_usage_ratio", "CPU in use, without waiting for disks.",
             [&](const HostRates& r) { return ratio(r.cpu_percent.corrected); });
    of_hosts("baton_host_memory_usage_ratio", "Memory in use, without page cache.",
             [&](const HostRates& r) { return ratio(r.memory_percent.corrected); });
    of_hosts("baton_host_disk_bytes_per_second", "Read and written, whole disks.",
             [](const HostRates& r) { return r.disk_bytes.corrected; });
    of_hosts("baton_host_receive_bits_per_second", "Received, without framing.",
             [](const HostRates& r) { return r.receive.l2_bits_per_second; });
    of_hosts("baton_host_transmit_bits_per_second", "Sent, without framing.",
             [](const HostRates& r) { return r.transmit.l2_bits_per_second; });
    of_hosts("baton_host_memory_pressure_ratio", "Time in which some tasks waited for memory.",
             [&](const HostRates& r) { return ratio(r.pressure.memory_some_percent); });
    const auto of_desktops = [&](std::string_view name, std::string_view help, auto value) {
        page.family(name, Kind::gauge, help);
        for (const Reading* reading : readings)
            for (const DesktopReading& one : reading->desktops)
                page.sample({{"host", reading->host.value},
                             {"uuid", one.who.uuid},
                             {"name", one.who.name},
                             {"session", one.who.session.value}},
                            Value{value(one.rates)});
    };
    of_desktops("baton_desktop_vcpu_usage_ratio", "Of its own virtual CPUs.",
                [&](const DesktopRates& r) { return ratio(r.cpu_percent_of_vcpus); });
    of_desktops("baton_desktop_memory_usage_ratio", "Of the memory that it sees: a claim.",
                [&](const DesktopRates& r) { return ratio(r.memory.corrected); });
    of_desktops("baton_desktop_memory_given_bytes", "Memory given to the guest.",
                [](const DesktopRates& r) { return r.memory_given_bytes; });
    of_desktops("baton_desktop_physical_bytes_per_second", "Read from and written to disks.",
                [](const DesktopRates& r) { return r.disk_bytes.corrected; });
    of_desktops("baton_desktop_receive_bits_per_second", "Received by the guest.",
                [](const DesktopRates& r) { return r.receive.l2_bits_per_second; });
    of_desktops("baton_desktop_transmit_bits_per_second", "Sent by the guest.",
                [](const DesktopRates& r) { return r.transmit.l2_bits_per_second; });
}

} // namespace baton::monitor
