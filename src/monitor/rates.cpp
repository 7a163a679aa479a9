#include "monitor/rates.h"

#include <cmath>

namespace baton::monitor {

namespace {

/// A share that cannot be more than all: two clocks of a sample may differ by a hair, but not by
/// half of it.
Value share(Value percent) {
    if (!percent || *percent > 150)
        return std::nullopt;
    return std::min(*percent, 100.0);
}

/// No machine does anything so often, nor moves so many bytes: the counter was overwritten.
constexpr double absurd_per_second = 1e15;

Value per_second(std::optional<std::uint64_t> passed, Value seconds) {
    if (!passed || !seconds)
        return std::nullopt;
    const double rate = static_cast<double>(*passed) / *seconds;
    return rate < absurd_per_second ? Value{rate} : std::nullopt;
}

Value per_second(const std::optional<std::uint64_t>& before,
                 const std::optional<std::uint64_t>& now, Value seconds) {
    if (!before || !now)
        return std::nullopt;
    return per_second(difference(*before, *now), seconds);
}

Value bytes(const std::optional<std::uint64_t>& value) {
    if (!value)
        return std::nullopt;
    return static_cast<double>(*value);
}

std::optional<std::uint64_t> sum(std::optional<std::uint64_t> a, std::optional<std::uint64_t> b) {
    if (!a || !b)
        return std::nullopt;
    return *a + *b;
}

Value sum(Value a, Value b) {
    if (!a || !b)
        return std::nullopt;
    return *a + *b;
}

/// The element of the last reading for which `same` holds; mostly it is where it was.
template <class T, class Same>
const T* find_before(const std::vector<T>& before, std::size_t index, Same same) {
    if (index < before.size() && same(before[index]))
        return &before[index];
    for (const T& one : before)
        if (same(one))
            return &one;
    return nullptr;
}

Value waited(const std::optional<Pressure>& before, const std::optional<Pressure>& now,
             Value seconds) {
    if (!before || !now)
        return std::nullopt;
    const auto us = per_second(difference(before->some_us, now->some_us), seconds);
    return us ? share(*us / 1e4) : std::nullopt;
}

Value all_waited(const std::optional<Pressure>& before, const std::optional<Pressure>& now,
                 Value seconds) {
    if (!before || !now)
        return std::nullopt;
    const auto us = per_second(before->full_us, now->full_us, seconds);
    return us ? share(*us / 1e4) : std::nullopt;
}

PressureRates pressure_rates(const Pressures& before, const Pressures& now) {
    const Value seconds = seconds_between(before.at, now.at);
    return {waited(before.cpu, now.cpu, seconds), waited(before.memory, now.memory, seconds),
            all_waited(before.memory, now.memory, seconds), waited(before.io, now.io, seconds),
            all_waited(before.io, now.io, seconds)};
}

// ---- network ------------------------------------------------------------------------------------

/// What passed on some interfaces together; one that cannot be told makes the sum so too.
struct Passed {
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;
    bool known = true;

    void add(const std::optional<std::uint64_t>& more_packets,
             const std::optional<std::uint64_t>& more_bytes) {
        known = known && more_packets && more_bytes;
        packets += more_packets.value_or(0);
        bytes += more_bytes.value_or(0);
    }
};

struct BothWays {
    Passed receive, transmit;
};

bool believable(const Passed& passed, Value seconds) {
    return passed.known && per_second(passed.packets, seconds) && per_second(passed.bytes, seconds);
}

Traffic traffic_of(const Passed& passed, Value seconds, bool physical) {
    if (!believable(passed, seconds))
        return {};
    return traffic(passed.packets, passed.bytes, *seconds, physical);
}

PaperTraffic paper_traffic_of(const BothWays& passed, Value seconds) {
    if (!believable(passed.receive, seconds) || !believable(passed.transmit, seconds))
        return {};
    return paper_traffic(passed.receive.packets + passed.transmit.packets,
                         passed.receive.bytes + passed.transmit.bytes, *seconds);
}

NetworkRates network_rates(const NetCounters& before, const NetCounters& now, Value seconds,
                           BothWays& passed) {
    passed.receive.add(difference(before.r_pack, now.r_pack),
                       difference(before.r_byte, now.r_byte));
    passed.transmit.add(difference(before.t_pack, now.t_pack),
                        difference(before.t_byte, now.t_byte));
    NetworkRates rates;
    rates.name = now.net_name;
    rates.physical = now.physical;
    rates.receive = traffic_of(passed.receive, seconds, now.physical);
    rates.transmit = traffic_of(passed.transmit, seconds, now.physical);
    rates.paper = paper_traffic_of(passed, seconds);
    rates.errors_per_second = per_second(
        sum(difference(before.r_err, now.r_err), difference(before.t_err, now.t_err)), seconds);
    rates.drops_per_second = per_second(
        sum(difference(before.r_drop, now.r_drop), difference(before.t_drop, now.t_drop)), seconds);
    return rates;
}

/// An index stays with an interface that is renamed; a name may come back as another interface.
bool same_interface(const NetCounters& a, const NetCounters& b) {
    return a.index != 0 && b.index != 0 ? a.index == b.index : a.net_name == b.net_name;
}

struct Networks {
    std::vector<NetworkRates> each;
    Traffic receive, transmit;
    PaperTraffic paper;
};

/// `counts`: which of them the sum is made of. One that was not there before adds nothing yet.
template <class Counts>
Networks networks(const std::vector<NetCounters>& before, const std::vector<NetCounters>& now,
                  Value seconds, bool physical, Counts counts) {
    Networks result;
    BothWays all;
    result.each.reserve(now.size());
    for (std::size_t i = 0; i < now.size(); ++i) {
        const NetCounters* old = find_before(
            before, i, [&](const NetCounters& one) { return same_interface(one, now[i]); });
        BothWays passed;
        result.each.push_back(network_rates(old != nullptr ? *old : now[i], now[i],
                                            old != nullptr ? seconds : Value{}, passed));
        if (old == nullptr || !counts(now[i]))
            continue;
        for (auto [to, from] : {std::pair{&all.receive, &passed.receive},
                                std::pair{&all.transmit, &passed.transmit}}) {
            to->known = to->known && from->known;
            to->packets += from->packets;
            to->bytes += from->bytes;
        }
    }
    result.receive = traffic_of(all.receive, seconds, physical);
    result.transmit = traffic_of(all.transmit, seconds, physical);
    result.paper = paper_traffic_of(all, seconds);
    return result;
}

// ---- disks --------------------------------------------------------------------------------------

constexpr std::uint64_t sector_bytes = 512;

std::optional<std::uint64_t> sectors_as_bytes(std::uint64_t before, std::uint64_t now) {
    const auto sectors = difference(before, now);
    if (!sectors || *sectors > UINT64_MAX / sector_bytes)
        return std::nullopt;
    return *sectors * sector_bytes;
}

DiskRates disk_rates(const DiskCounters& before, const DiskCounters& now, Value seconds) {
    DiskRates rates;
    rates.name = now.disk_name;
    rates.read_bytes_per_second =
        per_second(sectors_as_bytes(before.r_sectr, now.r_sectr), seconds);
    rates.written_bytes_per_second =
        per_second(sectors_as_bytes(before.w_sectr, now.w_sectr), seconds);
    rates.reads_per_second = per_second(difference(before.r_compl, now.r_compl), seconds);
    rates.writes_per_second = per_second(difference(before.w_compl, now.w_compl), seconds);
    if (const auto ms = per_second(difference(before.io_milsc, now.io_milsc), seconds))
        rates.busy_percent = share(*ms / 10);
    return rates;
}

/// Adds b to a; what cannot be told stays so.
void add(Value& a, const Value& b) {
    a = sum(a, b);
}

void set_host_disks(HostRates& rates, const HostSample& before, const HostSample& now) {
    const Value seconds = seconds_between(before.disks_at, now.disks_at);
    if (!now.disks_at.known())
        return;
    Value paper = seconds ? Value{0.0} : std::nullopt;
    Value read = paper;
    Value written = paper;
    for (std::size_t i = 0; i < now.disks.size(); ++i) {
        const DiskCounters& disk = now.disks[i];
        const DiskCounters* old = find_before(before.disks, i, [&](const DiskCounters& one) {
            return one.major == disk.major && one.minor == disk.minor &&
                   one.disk_name == disk.disk_name;
        });
        const DiskRates one =
            disk_rates(old != nullptr ? *old : disk, disk, old != nullptr ? seconds : Value{});
        if (old != nullptr) {
            add(paper, sum(one.read_bytes_per_second, one.written_bytes_per_second));
            if (disk.whole) {
                add(read, one.read_bytes_per_second);
                add(written, one.written_bytes_per_second);
            }
        }
        if (disk.whole)
            rates.disks.push_back(one);
    }
    if (paper)
        rates.disk_bytes.paper = *paper * *seconds;
    rates.disk_bytes.corrected = sum(read, written);
    rates.disk_read_bytes_per_second = read;
    rates.disk_written_bytes_per_second = written;
}

void set_host_networks(HostRates& rates, const HostSample& before, const HostSample& now) {
    if (!now.interfaces_at.known())
        return;
    const bool cards = std::ranges::any_of(now.interfaces, &NetCounters::physical);
    Networks found = networks(
        before.interfaces, now.interfaces, seconds_between(before.interfaces_at, now.interfaces_at),
        cards,
        [&](const NetCounters& one) { return cards ? one.physical : one.net_name.view() != "lo"; });
    rates.receive = found.receive;
    rates.transmit = found.transmit;
    rates.network_paper = found.paper;
    rates.interfaces = std::move(found.each);
}

// ---- desktops -----------------------------------------------------------------------------------

void set_cpu(DesktopRates& rates, const ProcessCounters& before, const ProcessCounters& now,
             unsigned processors, unsigned vcpus) {
    const Value seconds = seconds_between(before.at, now.at);
    if (!seconds)
        return;
    rates.cpu_percent.paper =
        busy_percent(before.cpu_time_ns, now.cpu_time_ns, *seconds, processors);
    if (!share(rates.cpu_percent.paper)) // more than the host has, by far
        rates.cpu_percent.paper.reset();
    if (before.vcpu_ns && now.vcpu_ns) {
        rates.cpu_percent.corrected =
            share(busy_percent(*before.vcpu_ns, *now.vcpu_ns, *seconds, processors));
        rates.cpu_percent_of_vcpus =
            share(busy_percent(*before.vcpu_ns, *now.vcpu_ns, *seconds, vcpus));
    }
    if (before.vcpu_wait_ns && now.vcpu_wait_ns)
        rates.vcpu_wait_percent =
            share(busy_percent(*before.vcpu_wait_ns, *now.vcpu_wait_ns, *seconds, vcpus));
    const Value all = before.group_ns && now.group_ns
                          ? busy_percent(*before.group_ns, *now.group_ns, *seconds, processors)
                          : rates.cpu_percent.paper;
    if (all && rates.cpu_percent.corrected)
        rates.overhead_percent = share(std::max(0.0, *all - *rates.cpu_percent.corrected));
    rates.disk_read_bytes_per_second =
        per_second(before.disk_read_bytes, now.disk_read_bytes, seconds);
    rates.disk_written_bytes_per_second =
        per_second(before.disk_written_bytes, now.disk_written_bytes, seconds);
    rates.disk_bytes.corrected =
        sum(rates.disk_read_bytes_per_second, rates.disk_written_bytes_per_second);
}

void set_memory(DesktopRates& rates, const GuestMemory& before, const GuestMemory& now) {
    rates.memory_given_bytes = bytes(now.actual);
    rates.memory.paper = rates.memory_given_bytes;
    rates.memory_available_bytes = bytes(now.available);
    rates.memory_unused_bytes = bytes(now.unused);
    rates.memory_caches_bytes = bytes(now.disk_caches);
    if (now.available && now.usable && *now.available > 0) {
        if (const auto used = difference(*now.usable, *now.available)) {
            rates.memory_used_bytes = static_cast<double>(*used);
            rates.memory.corrected = *rates.memory_used_bytes * 100 / *rates.memory_available_bytes;
        }
    }
    const Value seconds = seconds_between(before.at, now.at);
    rates.swap_in_bytes_per_second = per_second(before.swap_in, now.swap_in, seconds);
    rates.swap_out_bytes_per_second = per_second(before.swap_out, now.swap_out, seconds);
    rates.major_faults_per_second = per_second(before.major_faults, now.major_faults, seconds);
    rates.minor_faults_per_second = per_second(before.minor_faults, now.minor_faults, seconds);
}

DiskRates guest_disk_rates(const DesktopDisk& before, const DesktopDisk& now, Value seconds) {
    DiskRates rates;
    rates.name = now.target;
    rates.read_bytes_per_second = per_second(difference(before.rd_bytes, now.rd_bytes), seconds);
    rates.written_bytes_per_second = per_second(difference(before.wr_bytes, now.wr_bytes), seconds);
    rates.reads_per_second = per_second(difference(before.rd_req, now.rd_req), seconds);
    rates.writes_per_second = per_second(difference(before.wr_req, now.wr_req), seconds);
    return rates;
}

void set_guest_disks(DesktopRates& rates, const DesktopSample& before, const DesktopSample& now) {
    if (!now.disks_at.known())
        return;
    const Value seconds = seconds_between(before.disks_at, now.disks_at);
    Value all = seconds ? Value{0.0} : std::nullopt;
    for (std::size_t i = 0; i < now.disks.size(); ++i) {
        const DesktopDisk& disk = now.disks[i];
        const DesktopDisk* old = find_before(
            before.disks, i, [&](const DesktopDisk& one) { return one.target == disk.target; });
        rates.disks.push_back(guest_disk_rates(old != nullptr ? *old : disk, disk,
                                               old != nullptr ? seconds : Value{}));
        if (old != nullptr)
            add(all, sum(rates.disks.back().read_bytes_per_second,
                         rates.disks.back().written_bytes_per_second));
    }
    if (all)
        rates.disk_bytes.paper = *all * *seconds;
}

} // namespace

HostRates host_rates(const HostSample& before, const HostSample& now) {
    HostRates rates;
    rates.seconds = seconds_between(before.at, now.at).value_or(0);
    rates.processors = static_cast<unsigned>(now.cpu.each.size());
    rates.cpu_percent = cpu_percent(before.cpu, now.cpu);
    const CpuShares shares = cpu_shares(before.cpu, now.cpu);
    rates.iowait_percent = shares.iowait_percent;
    rates.steal_percent = shares.steal_percent;
    rates.guest_percent = shares.guest_percent;
    rates.memory_percent = memory_percent(now.memory);
    if (now.memory.at.known() && now.memory.total > 0) {
        rates.memory_total_bytes = static_cast<double>(now.memory.total);
        if (rates.memory_percent.corrected)
            rates.memory_used_bytes = static_cast<double>(now.memory.total - *now.memory.available);
    }
    set_host_disks(rates, before, now);
    set_host_networks(rates, before, now);
    rates.pressure = pressure_rates(before.pressure, now.pressure);
    return rates;
}

DesktopRates desktop_rates(const DesktopSample& before, const DesktopSample& now,
                           unsigned processors, unsigned vcpus) {
    DesktopRates rates;
    rates.seconds = seconds_between(before.at, now.at).value_or(0);
    set_cpu(rates, before.process, now.process, processors, vcpus);
    if (now.process.at.known())
        rates.rss_bytes = static_cast<double>(now.process.rss_bytes);
    if (now.memory.at.known())
        set_memory(rates, before.memory, now.memory);
    set_guest_disks(rates, before, now);
    if (now.interfaces_at.known()) {
        Networks found = networks(before.interfaces, now.interfaces,
                                  seconds_between(before.interfaces_at, now.interfaces_at), false,
                                  [](const NetCounters&) { return true; });
        rates.receive = found.receive;
        rates.transmit = found.transmit;
        rates.network_paper = found.paper;
        rates.interfaces = std::move(found.each);
    }
    rates.pressure = pressure_rates(before.pressure, now.pressure);
    return rates;
}

} // namespace baton::monitor
