#include "monitor/rates.h"

#include <array>
#include <cmath>

/// The formulas one by one.
namespace baton::monitor {

namespace {

constexpr double framing_bytes = 7 + 1 + 12 + 4; // preamble, start of frame, gap, check sequence
constexpr double paper_framing_bits = 7 + 1 + 12;

/// CPU states in the order of /proc/stat; the first eight do not overlap.
std::array<std::uint64_t, 10> states_of(const CpuTimes& times) {
    return {times.user, times.nice,    times.system, times.idle,  times.iowait,
            times.irq,  times.softirq, times.steal,  times.guest, times.guest_nice};
}

constexpr std::size_t idle = 3;
constexpr std::size_t iowait = 4;
constexpr std::size_t steal = 7;
constexpr std::size_t guest = 8;
constexpr std::size_t guest_nice = 9;

using States = std::array<double, 10>;

/// Adds what has passed in each state; false: one ran backwards.
bool add_passed(const CpuTimes& before, const CpuTimes& now, States& passed) {
    const auto from = states_of(before);
    const auto to = states_of(now);
    for (std::size_t i = 0; i < from.size(); ++i) {
        const auto ticks = difference(from[i], to[i]);
        if (!ticks)
            return false;
        passed[i] += static_cast<double>(*ticks);
    }
    return true;
}

bool same_cpus(const CpuCounters& before, const CpuCounters& now) {
    return std::equal(before.each.begin(), before.each.end(), now.each.begin(), now.each.end(),
                      [](const auto& a, const auto& b) { return a.id == b.id; });
}

std::optional<States> passed_between(const CpuCounters& before, const CpuCounters& now) {
    if (!seconds_between(before.at, now.at))
        return std::nullopt;
    States passed{};
    if (same_cpus(before, now)) {
        if (!add_passed(before.total, now.total, passed))
            return std::nullopt;
        return passed;
    }
    // one came or went: the sum of all is no counter any more
    auto old = before.each.begin();
    for (const auto& cpu : now.each) {
        while (old != before.each.end() && old->id < cpu.id)
            ++old;
        if (old == before.each.end())
            break;
        if (old->id == cpu.id && !add_passed(old->times, cpu.times, passed))
            return std::nullopt;
    }
    return passed;
}

double sum(const States& states, std::size_t count) {
    double all = 0;
    for (std::size_t i = 0; i < count; ++i)
        all += states[i];
    return all;
}

} // namespace

std::string_view to_string(DomainState state) {
    switch (state) {
    case DomainState::running:
        return "running";
    case DomainState::paused:
        return "paused";
    case DomainState::shutting_down:
        return "shutting_down";
    case DomainState::crashed:
        return "crashed";
    case DomainState::off:
        return "off";
    case DomainState::unknown:
        break;
    }
    return "unknown";
}

std::optional<std::uint64_t> difference(std::uint64_t before, std::uint64_t now) {
    if (now < before)
        return std::nullopt;
    return now - before;
}

Value seconds_between(Moment before, Moment now) {
    if (!before.known() || !now.known() || now <= before)
        return std::nullopt;
    return static_cast<double>(now.nanoseconds - before.nanoseconds) / 1e9;
}

Columns cpu_percent(const CpuCounters& before, const CpuCounters& now) {
    const auto passed = passed_between(before, now);
    if (!passed)
        return {};
    Columns columns;
    if (const double total = sum(*passed, 10); total > 0)
        columns.paper = (1 - (*passed)[idle] / total) * 100;
    if (const double total = sum(*passed, 8); total > 0)
        columns.corrected = (1 - ((*passed)[idle] + (*passed)[iowait]) / total) * 100;
    return columns;
}

CpuShares cpu_shares(const CpuCounters& before, const CpuCounters& now) {
    const auto passed = passed_between(before, now);
    const double total = passed ? sum(*passed, 8) : 0;
    if (total <= 0)
        return {};
    const auto share = [&](double ticks) { return std::min(100.0, ticks * 100 / total); };
    return {share((*passed)[iowait]), share((*passed)[steal]),
            share((*passed)[guest] + (*passed)[guest_nice])};
}

Value busy_percent(std::uint64_t cpu_ns_before, std::uint64_t cpu_ns_now, double seconds,
                   unsigned processors) {
    const auto passed = difference(cpu_ns_before, cpu_ns_now);
    if (!passed || seconds <= 0 || processors == 0)
        return std::nullopt;
    return static_cast<double>(*passed) * 100 / (seconds * 1e9 * processors);
}

Columns memory_percent(const MemoryInfo& memory) {
    Columns columns;
    if (!memory.at.known() || memory.total == 0)
        return columns;
    const auto total = static_cast<double>(memory.total);
    if (const auto used = difference(memory.free, memory.total))
        columns.paper = static_cast<double>(*used) * 100 / total;
    if (!memory.available)
        return columns;
    if (const auto used = difference(*memory.available, memory.total))
        columns.corrected = static_cast<double>(*used) * 100 / total;
    return columns;
}

Traffic traffic(std::uint64_t packets, std::uint64_t bytes, double seconds, bool physical) {
    Traffic result;
    if (seconds <= 0)
        return result;
    const auto p = static_cast<double>(packets);
    const auto bits = static_cast<double>(bytes) * 8;
    result.packets_per_second = p / seconds;
    result.l2_bits_per_second = bits / seconds;
    // what a virtual interface calls a packet may be 64 KiB of segments: no frame of any wire
    const double framing = physical ? framing_bytes * 8 : 0;
    if (packets > 0)
        result.bits_per_packet = bits / p + framing;
    if (physical)
        result.l1_bits_per_second = (bits + p * framing) / seconds;
    return result;
}

PaperTraffic paper_traffic(std::uint64_t packets, std::uint64_t bytes, double seconds) {
    PaperTraffic result;
    if (seconds <= 0)
        return result;
    const auto p = static_cast<double>(packets);
    result.packets = p;
    if (packets == 0)
        return result; // as printed it divides by nothing
    result.bits_per_packet = static_cast<double>(bytes) * 8 / p + paper_framing_bits;
    result.bits = p * *result.bits_per_packet;
    return result;
}

GuestMemory plausible(GuestMemory memory, Mebibytes given) {
    constexpr std::uint64_t most = std::uint64_t{1} << 50; // 1 PiB: no machine has it
    const auto drop_over = [](std::optional<std::uint64_t>& value, std::uint64_t limit) {
        if (value && *value > limit)
            value.reset();
    };
    drop_over(memory.actual, most);
    // `available` is the guest's total, which its kernel makes a little less than what it was
    // given; hot-plugged memory is on top of `given`, so QEMU's own word counts when it is more
    std::uint64_t ceiling = static_cast<std::uint64_t>(std::max<std::int64_t>(0, given.bytes()));
    ceiling = std::max(ceiling, memory.actual.value_or(0));
    if (ceiling == 0)
        ceiling = most;
    drop_over(memory.available, ceiling);
    if (memory.available && *memory.available == 0)
        memory.available.reset();
    const std::uint64_t total = memory.available.value_or(ceiling);
    for (auto* part : {&memory.usable, &memory.unused, &memory.disk_caches})
        drop_over(*part, total);
    return memory;
}

} // namespace baton::monitor
