/// The seven formulas of the paper in both columns, and what has no value.
#include "monitor/rates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace baton::monitor {
namespace {

using testing::DoubleNear;
using testing::Optional;

constexpr std::int64_t second = 1'000'000'000;

Moment at(double seconds) {
    return {static_cast<std::int64_t>(seconds * second)};
}

auto near(double value) {
    return Optional(DoubleNear(value, 1e-6));
}

CpuCounters cpus(double seconds, const std::vector<std::pair<unsigned, CpuTimes>>& each) {
    CpuCounters counters;
    counters.at = at(seconds);
    for (const auto& [id, times] : each) {
        counters.each.push_back({id, times});
        counters.total.user += times.user;
        counters.total.nice += times.nice;
        counters.total.system += times.system;
        counters.total.idle += times.idle;
        counters.total.iowait += times.iowait;
        counters.total.steal += times.steal;
        counters.total.guest += times.guest;
        counters.total.guest_nice += times.guest_nice;
    }
    return counters;
}

// ---- (1) ----------------------------------------------------------------------------------------

TEST(HostCpu, ThePaperCountsIowaitAsBusyAndWeDoNot) {
    const auto before = cpus(1, {{0, {.user = 100, .idle = 100}}});
    const auto now = cpus(2, {{0, {.user = 120, .idle = 150, .iowait = 30}}});
    const Columns columns = cpu_percent(before, now);
    EXPECT_THAT(columns.paper, near(50));
    EXPECT_THAT(columns.corrected, near(20));
    EXPECT_THAT(cpu_shares(before, now).iowait_percent, near(30));
}

TEST(HostCpu, GuestTimeIsInsideUserTimeAndThePaperCountsItTwice) {
    const auto before = cpus(1, {{0, {}}});
    // 60 ticks in a guest, 40 idle: the machine is 60 % busy
    const auto now =
        cpus(2, {{0, {.user = 50, .nice = 10, .idle = 40, .guest = 50, .guest_nice = 10}}});
    const Columns columns = cpu_percent(before, now);
    EXPECT_THAT(columns.paper, near((1 - 40.0 / 160) * 100));
    EXPECT_THAT(columns.corrected, near(60));
    EXPECT_THAT(cpu_shares(before, now).guest_percent, near(60));
}

TEST(HostCpu, StealIsBusyAndTold) {
    const auto before = cpus(1, {{0, {}}});
    const auto now = cpus(2, {{0, {.idle = 75, .steal = 25}}});
    EXPECT_THAT(cpu_percent(before, now).corrected, near(25));
    EXPECT_THAT(cpu_shares(before, now).steal_percent, near(25));
}

TEST(HostCpu, ACpuThatWasPluggedInDoesNotCountYet) {
    const auto before = cpus(1, {{0, {.user = 10, .idle = 10}}});
    // CPU 1 comes with a history of its own; its first interval is the next one
    const auto now = cpus(2, {{0, {.user = 30, .idle = 90}}, {1, {.user = 1'000'000}}});
    EXPECT_THAT(cpu_percent(before, now).corrected, near(20));
    const auto later = cpus(3, {{0, {.user = 30, .idle = 190}}, {1, {.user = 1'000'100}}});
    EXPECT_THAT(cpu_percent(now, later).corrected, near(50));
}

TEST(HostCpu, ACpuThatWasTakenAwayDoesNotCountAnyMore) {
    const auto before = cpus(1, {{0, {.user = 10}}, {1, {.user = 500, .idle = 500}}});
    const auto now = cpus(2, {{0, {.user = 20, .idle = 90}}});
    EXPECT_THAT(cpu_percent(before, now).corrected, near(10));
}

TEST(HostCpu, ACounterThatRunsBackwardsHasNoValue) {
    const auto before = cpus(1, {{0, {.user = 100, .idle = 100}}});
    const auto now = cpus(2, {{0, {.user = 120, .idle = 99}}});
    EXPECT_EQ(cpu_percent(before, now), Columns{});
    EXPECT_EQ(cpu_shares(before, now).iowait_percent, std::nullopt);
}

TEST(HostCpu, NoTimeOrNoTicksHaveNoValue) {
    const auto one = cpus(1, {{0, {.user = 100, .idle = 100}}});
    EXPECT_EQ(cpu_percent(one, one), Columns{});
    auto later = one;
    later.at = at(2);
    EXPECT_EQ(cpu_percent(one, later), Columns{}); // a stopped machine
    EXPECT_EQ(cpu_percent(later, one), Columns{}); // out of order
    EXPECT_EQ(cpu_percent(CpuCounters{}, one), Columns{});
}

TEST(HostCpu, WhateverTheCountersAreItIsAShareOrNothing) {
    using Counters = std::array<std::uint64_t, 10>;
    const auto times = [](const Counters& v) {
        return CpuTimes{v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8], v[9]};
    };
    EXPECT_TRUE(
        rc::check("0 to 100 or nothing", [&](const Counters& a, const Counters& b, bool grows) {
            CpuCounters before;
            CpuCounters now;
            before.at = at(1);
            now.at = at(2);
            before.total = times(a);
            Counters later = b;
            for (std::size_t i = 0; grows && i < later.size(); ++i)
                later[i] = a[i] + b[i] % 1000;
            now.total = times(later);
            const Columns columns = cpu_percent(before, now);
            // paper: a share of all fields; corrected: of the first eight
            for (const Value& value :
                 {columns.paper, columns.corrected, cpu_shares(before, now).guest_percent}) {
                const double percent = value.value_or(0);
                RC_ASSERT(percent >= -1e-9);
                RC_ASSERT(percent <= 100 + 1e-9);
            }
        }));
}

// ---- (2) ----------------------------------------------------------------------------------------

DesktopSample desktop(double seconds) {
    DesktopSample sample;
    sample.at = sample.process.at = sample.interfaces_at = at(seconds);
    return sample;
}

TEST(DesktopCpu, OfTheHostAndOfItsOwnProcessors) {
    auto before = desktop(1);
    auto now = desktop(3);
    before.process.vcpu_ns = 0;
    now.process.vcpu_ns = 1'000'000'000;
    before.process.vcpu_wait_ns = 0;
    now.process.vcpu_wait_ns = 500'000'000;
    now.process.cpu_time_ns = 1'200'000'000; // with its I/O threads
    const auto rates = desktop_rates(before, now, 4, 1);
    EXPECT_THAT(rates.cpu_percent.paper, near(15));
    EXPECT_THAT(rates.cpu_percent.corrected, near(12.5));
    EXPECT_THAT(rates.cpu_percent_of_vcpus, near(50));
    EXPECT_THAT(rates.vcpu_wait_percent, near(25));
    EXPECT_THAT(rates.overhead_percent, near(2.5));
}

TEST(DesktopCpu, WithoutItsThreadsThereIsThePapersColumnAlone) {
    auto now = desktop(2);
    now.process.cpu_time_ns = second / 2;
    const auto rates = desktop_rates(desktop(1), now, 2, 1);
    EXPECT_THAT(rates.cpu_percent.paper, near(25));
    EXPECT_EQ(rates.cpu_percent.corrected, std::nullopt);
    EXPECT_EQ(rates.overhead_percent, std::nullopt);
}

TEST(DesktopCpu, AHairOverAllIsAllAndFarOverIsNothing) {
    auto before = desktop(1);
    auto now = desktop(2);
    before.process.vcpu_ns = 0;
    now.process.vcpu_ns = second + second / 100;
    EXPECT_THAT(desktop_rates(before, now, 1, 1).cpu_percent.corrected, near(100));
    now.process.vcpu_ns = 1000 * second;
    now.process.cpu_time_ns = 1000 * std::uint64_t{second};
    EXPECT_EQ(desktop_rates(before, now, 1, 1).cpu_percent, Columns{});
}

TEST(DesktopCpu, ADesktopThatDiedBetweenTwoReadingsHasNoValues) {
    auto before = desktop(1);
    before.process.cpu_time_ns = 5;
    before.process.rss_bytes = 7;
    const auto rates = desktop_rates(before, DesktopSample{}, 2, 1);
    EXPECT_EQ(rates, DesktopRates{});
}

// ---- (3) ----------------------------------------------------------------------------------------

TEST(HostMemory, PageCacheIsNotUse) {
    MemoryInfo memory;
    memory.at = at(1);
    memory.total = 1000;
    memory.free = 100;
    memory.available = 700;
    EXPECT_THAT(memory_percent(memory).paper, near(90));
    EXPECT_THAT(memory_percent(memory).corrected, near(30));
    memory.available.reset();
    EXPECT_EQ(memory_percent(memory).corrected, std::nullopt);
    memory.free = 2000;
    EXPECT_EQ(memory_percent(memory), Columns{});
    EXPECT_EQ(memory_percent(MemoryInfo{}), Columns{});
}

TEST(DesktopMemory, ThePaperKnowsTheAllotmentAndWeWhatIsUsedOfIt) {
    auto now = desktop(2);
    now.memory.at = at(2);
    now.memory.actual = 1024;
    now.memory.available = 1000;
    now.memory.usable = 400;
    const auto rates = desktop_rates(desktop(1), now, 2, 1);
    EXPECT_THAT(rates.memory.paper, near(1024));
    EXPECT_THAT(rates.memory.corrected, near(60));
    EXPECT_THAT(rates.memory_used_bytes, near(600));
}

TEST(DesktopMemory, NonsenseIsTakenOut) {
    GuestMemory memory;
    memory.actual = std::uint64_t{512} << 20;
    memory.available = UINT64_MAX;
    memory.usable = std::uint64_t{600} << 20;
    memory.unused = std::uint64_t{100} << 20;
    const GuestMemory kept = plausible(memory, Mebibytes(512));
    EXPECT_EQ(kept.actual, memory.actual);
    EXPECT_EQ(kept.available, std::nullopt);
    EXPECT_EQ(kept.usable, std::nullopt);
    EXPECT_EQ(kept.unused, memory.unused);

    memory.available = std::uint64_t{500} << 20;
    memory.usable = std::uint64_t{501} << 20; // more than there is
    EXPECT_EQ(plausible(memory, Mebibytes(512)).usable, std::nullopt);
    memory.usable = std::uint64_t{300} << 20;
    EXPECT_EQ(plausible(memory, Mebibytes(512)), memory);
    memory.available = 0;
    EXPECT_EQ(plausible(memory, Mebibytes(512)).available, std::nullopt);
}

TEST(DesktopMemory, HotPluggedMemoryIsNoNonsense) {
    GuestMemory memory;
    memory.actual = std::uint64_t{1024} << 20;
    memory.available = std::uint64_t{1000} << 20;
    EXPECT_EQ(plausible(memory, Mebibytes(512)), memory);
}

TEST(DesktopMemory, AGuestThatRebootedHasNoFaultRate) {
    auto before = desktop(1);
    auto now = desktop(2);
    before.memory.at = at(1);
    now.memory.at = at(2);
    before.memory.major_faults = 100;
    now.memory.major_faults = 3;
    before.memory.swap_in = 4096;
    now.memory.swap_in = 8192;
    const auto rates = desktop_rates(before, now, 2, 1);
    EXPECT_EQ(rates.major_faults_per_second, std::nullopt);
    EXPECT_THAT(rates.swap_in_bytes_per_second, near(4096));
}

// ---- (4) ----------------------------------------------------------------------------------------

DiskCounters disk(std::string_view name, unsigned minor, bool whole, std::uint64_t read,
                  std::uint64_t written) {
    DiskCounters counters;
    counters.disk_name = name;
    counters.major = 254;
    counters.minor = minor;
    counters.whole = whole;
    counters.r_sectr = read;
    counters.w_sectr = written;
    return counters;
}

HostSample host(double seconds) {
    HostSample sample;
    sample.at = sample.disks_at = sample.interfaces_at = at(seconds);
    return sample;
}

TEST(HostDisk, PartitionsCountTwiceInThePaperAlone) {
    auto before = host(1);
    auto now = host(3);
    before.disks = {disk("vda", 0, true, 100, 100), disk("vda1", 1, false, 100, 100)};
    now.disks = {disk("vda", 0, true, 110, 130), disk("vda1", 1, false, 110, 130)};
    const auto rates = host_rates(before, now);
    EXPECT_THAT(rates.disk_bytes.paper, near(80 * 512));
    EXPECT_THAT(rates.disk_bytes.corrected, near(40 * 512 / 2.0));
    EXPECT_THAT(rates.disk_read_bytes_per_second, near(10 * 512 / 2.0));
    ASSERT_EQ(rates.disks.size(), 1U);
    EXPECT_EQ(rates.disks[0].name.view(), "vda");
}

TEST(HostDisk, ADiskThatDisappearsTakesNothingWithIt) {
    auto before = host(1);
    auto now = host(2);
    before.disks = {disk("vda", 0, true, 1000, 0), disk("vdb", 16, true, 9000, 0)};
    now.disks = {disk("vda", 0, true, 1010, 0)};
    EXPECT_THAT(host_rates(before, now).disk_bytes.corrected, near(10 * 512));
    // and when it comes back it begins anew
    auto later = host(3);
    later.disks = {disk("vda", 0, true, 1010, 0), disk("vdb", 16, true, 5, 0)};
    const auto rates = host_rates(now, later);
    EXPECT_THAT(rates.disk_bytes.corrected, near(0));
    ASSERT_EQ(rates.disks.size(), 2U);
    EXPECT_EQ(rates.disks[1].read_bytes_per_second, std::nullopt);
}

TEST(HostDisk, AResetDiskMakesTheSumUnknown) {
    auto before = host(1);
    auto now = host(2);
    before.disks = {disk("vda", 0, true, 1000, 0), disk("vdb", 16, true, 9000, 0)};
    now.disks = {disk("vda", 0, true, 1010, 0), disk("vdb", 16, true, 5, 0)};
    const auto rates = host_rates(before, now);
    EXPECT_EQ(rates.disk_bytes, Columns{});
    EXPECT_THAT(rates.disks[0].read_bytes_per_second, near(10 * 512));
}

TEST(HostDisk, AWrappedCounterOf32BitsHasNoValue) {
    auto before = host(1);
    auto now = host(2);
    before.disks = {disk("vda", 0, true, 0, 0)};
    now.disks = before.disks;
    before.disks[0].io_milsc = 0xffff'fff0;
    now.disks[0].io_milsc = 10;
    const auto rates = host_rates(before, now);
    EXPECT_EQ(rates.disks[0].busy_percent, std::nullopt);
    EXPECT_THAT(rates.disk_bytes.corrected, near(0));
}

TEST(DesktopDiskTest, BytesAreNotSectorsInThePapersColumnEither) {
    auto before = desktop(1);
    auto now = desktop(2);
    before.disks_at = at(0.5);
    now.disks_at = at(10.5); // the slow tier has a pace of its own
    before.disks = {{"vda", 0, 0, 0, 0, 0}, {"vdb", 0, 0, 0, 0, 0}};
    now.disks = {{"vda", 2, 2048, 1, 1024, 0}, {"vdb", 0, 0, 1, 1024, 0}};
    before.process.disk_read_bytes = before.process.disk_written_bytes = 0;
    now.process.disk_read_bytes = 512;
    now.process.disk_written_bytes = 1024;
    const auto rates = desktop_rates(before, now, 2, 1);
    EXPECT_THAT(rates.disk_bytes.paper, near(4096));
    EXPECT_THAT(rates.disk_bytes.corrected, near(1536));
    EXPECT_THAT(rates.disks[0].read_bytes_per_second, near(204.8));
}

// ---- (5) to (7) ---------------------------------------------------------------------------------

TEST(Network, ThePaperAddsBitsWhereTheWireHasBytes) {
    const PaperTraffic paper = paper_traffic(10, 1000, 1);
    EXPECT_THAT(paper.packets, near(10));
    EXPECT_THAT(paper.bits_per_packet, near(800 + 20));
    EXPECT_THAT(paper.bits, near(8200));

    const Traffic card = traffic(10, 1000, 2, true);
    EXPECT_THAT(card.packets_per_second, near(5));
    EXPECT_THAT(card.bits_per_packet, near(800 + 24 * 8));
    EXPECT_THAT(card.l2_bits_per_second, near(4000));
    EXPECT_THAT(card.l1_bits_per_second, near((8000 + 10 * 24 * 8) / 2.0));
}

TEST(Network, WithoutPacketsThereIsNoSize) {
    EXPECT_EQ(paper_traffic(0, 0, 1).bits_per_packet, std::nullopt);
    EXPECT_THAT(paper_traffic(0, 0, 1).packets, near(0));
    EXPECT_EQ(traffic(0, 0, 1, true).bits_per_packet, std::nullopt);
    EXPECT_THAT(traffic(0, 0, 1, true).l1_bits_per_second, near(0));
}

TEST(Network, ATapHasNoWire) {
    const Traffic tap = traffic(1, 65'000, 1, false);
    EXPECT_EQ(tap.l1_bits_per_second, std::nullopt);
    EXPECT_THAT(tap.bits_per_packet, near(520'000));
}

NetCounters interface(std::string_view name, unsigned index, std::uint64_t packets,
                      std::uint64_t bytes, bool physical = false) {
    NetCounters counters;
    counters.net_name = name;
    counters.index = index;
    counters.physical = physical;
    counters.r_pack = packets;
    counters.r_byte = bytes;
    return counters;
}

TEST(Network, ARenamedInterfaceGoesOn) {
    auto before = host(1);
    auto now = host(2);
    before.interfaces = {interface("eth0", 2, 100, 1000)};
    now.interfaces = {interface("lan0", 2, 110, 2000)};
    const auto rates = host_rates(before, now);
    EXPECT_THAT(rates.interfaces[0].receive.packets_per_second, near(10));
    EXPECT_EQ(rates.interfaces[0].name.view(), "lan0");
}

TEST(Network, AnotherInterfaceOfTheSameNameBeginsAnew) {
    auto before = host(1);
    auto now = host(2);
    before.interfaces = {interface("tap0", 7, 100, 1000)};
    now.interfaces = {interface("tap0", 9, 5000, 5000)};
    const auto rates = host_rates(before, now);
    EXPECT_EQ(rates.interfaces[0].receive, Traffic{});
    EXPECT_THAT(rates.receive.packets_per_second, near(0));
}

TEST(Network, TheHostsSumIsOfItsCardsOrElseOfAllButLoopback) {
    auto before = host(1);
    auto now = host(2);
    before.interfaces = {interface("lo", 1, 0, 0), interface("eth0", 2, 0, 0, true),
                         interface("tap0", 3, 0, 0)};
    now.interfaces = {interface("lo", 1, 1, 1), interface("eth0", 2, 10, 1000, true),
                      interface("tap0", 3, 100, 9000)};
    EXPECT_THAT(host_rates(before, now).receive.packets_per_second, near(10));
    EXPECT_THAT(host_rates(before, now).receive.l1_bits_per_second, near(8000 + 1920));
    before.interfaces[1].physical = now.interfaces[1].physical = false;
    EXPECT_THAT(host_rates(before, now).receive.packets_per_second, near(110));
    EXPECT_EQ(host_rates(before, now).receive.l1_bits_per_second, std::nullopt);
}

TEST(Network, AResetHasNoValueAndOnlyInItsDirection) {
    auto before = host(1);
    auto now = host(2);
    before.interfaces = {interface("eth0", 2, 100, 1000, true)};
    now.interfaces = {interface("eth0", 2, 5, 10, true)};
    const auto rates = host_rates(before, now);
    EXPECT_EQ(rates.receive, Traffic{});
    EXPECT_THAT(rates.transmit.packets_per_second, near(0));
    EXPECT_EQ(rates.network_paper, PaperTraffic{});
}

// ---- pressure, and all of it --------------------------------------------------------------------

TEST(PressureTest, IsAShareOfTheTime) {
    auto before = host(1);
    auto now = host(3);
    before.pressure.at = at(1);
    now.pressure.at = at(3);
    before.pressure.memory = Pressure{0, 0};
    now.pressure.memory = Pressure{500'000, 100'000};
    before.pressure.cpu = Pressure{0, std::nullopt};
    now.pressure.cpu = Pressure{2'000'000, std::nullopt};
    const auto rates = host_rates(before, now);
    EXPECT_THAT(rates.pressure.memory_some_percent, near(25));
    EXPECT_THAT(rates.pressure.memory_full_percent, near(5));
    EXPECT_THAT(rates.pressure.cpu_some_percent, near(100));
    EXPECT_EQ(rates.pressure.io_some_percent, std::nullopt);
}

TEST(Everything, ACounterThatWasOverwrittenGivesNoHugeNumber) {
    auto before = host(1);
    auto now = host(2);
    before.interfaces = {interface("eth0", 2, 0, 0, true)};
    now.interfaces = {interface("eth0", 2, UINT64_MAX, UINT64_MAX, true)};
    before.disks = {disk("vda", 0, true, 0, 0)};
    now.disks = {disk("vda", 0, true, UINT64_MAX, 0)};
    const auto rates = host_rates(before, now);
    EXPECT_EQ(rates.receive, Traffic{});
    EXPECT_EQ(rates.network_paper, PaperTraffic{});
    EXPECT_EQ(rates.disk_bytes, Columns{});
}

} // namespace
} // namespace baton::monitor
