/// The files of /proc and of control groups: as kernels write them, and as they do not.
#include "monitor/host_files.h"
#include "monitor/process_files.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <string>

namespace baton::monitor {
namespace {

template <class T>
Errc code(const Result<T>& result) {
    return result ? Errc{255} : result.error().code;
}

// ---- /proc/stat ---------------------------------------------------------------------------------

TEST(Stat, AsAKernelOfTodayWritesIt) {
    CpuCounters cpu;
    ASSERT_TRUE(parse_stat("cpu  10 2 3 400 5 6 7 8 9 1\n"
                           "cpu0 5 1 1 200 2 3 3 4 4 0\n"
                           "cpu3 5 1 2 200 3 3 4 4 5 1\n"
                           "intr 1234 0 0 9\nctxt 5\n",
                           cpu));
    EXPECT_EQ(cpu.total, (CpuTimes{10, 2, 3, 400, 5, 6, 7, 8, 9, 1}));
    ASSERT_EQ(cpu.each.size(), 2U);
    EXPECT_EQ(cpu.each[1].id, 3U);
    EXPECT_EQ(cpu.each[1].times.guest_nice, 1U);
}

TEST(Stat, AnOldKernelKnowsFewerStates) {
    CpuCounters cpu;
    ASSERT_TRUE(parse_stat("cpu  10 2 3 400\ncpu0 10 2 3 400\n", cpu));
    EXPECT_EQ(cpu.total, (CpuTimes{10, 2, 3, 400, 0, 0, 0, 0, 0, 0}));
}

TEST(Stat, WhatIsReadIntoIsFilledAgain) {
    CpuCounters cpu;
    ASSERT_TRUE(parse_stat("cpu  1 1 1 1\ncpu0 1 1 1 1\ncpu1 1 1 1 1\n", cpu));
    ASSERT_TRUE(parse_stat("cpu  2 1 1 1\ncpu1 1 1 1 1\n", cpu));
    ASSERT_EQ(cpu.each.size(), 1U);
    EXPECT_EQ(cpu.each[0].id, 1U);
}

TEST(Stat, GarbledIsAnError) {
    for (const char* text :
         {"", "hello", "cpu", "cpu  1 2 3\n", "cpu  1 2 3 x\n", "cpu  1 2 3 -4\n",
          "cpu  1 2 3 18446744073709551616\n", "cpu  1 2 3 4\ncpu  1 2 3 4\n",
          "cpu  1 2 3 4\ncpu1 1 2 3 4\ncpu0 1 2 3 4\n", "cpu  1 2 3 4\ncpux 1 2 3 4\n",
          "cpu  1 2 3 4\ncpu99999999999 1 2 3 4\n", "cpu0 1 2 3 4\n", "cpu  1 2 3 4\ncpu0\n"}) {
        CpuCounters cpu;
        EXPECT_EQ(code(parse_stat(text, cpu)), Errc::corrupt) << text;
    }
}

// ---- /proc/meminfo ------------------------------------------------------------------------------

TEST(Meminfo, InBytes) {
    MemoryInfo memory;
    ASSERT_TRUE(parse_meminfo("MemTotal:       1000 kB\nMemFree:  100 kB\nMemAvailable: 700 kB\n"
                              "Buffers: 5 kB\nCached: 50 kB\nSwapCached: 7 kB\n"
                              "SwapTotal: 9 kB\nSwapFree: 8 kB\nHugePages_Total: 0\n",
                              memory));
    EXPECT_EQ(memory.total, 1000U * 1024);
    EXPECT_EQ(memory.available, 700U * 1024);
    EXPECT_EQ(memory.cached, 50U * 1024);
    EXPECT_EQ(memory.swap_free, 8U * 1024);
}

TEST(Meminfo, WithoutMemAvailable) {
    MemoryInfo memory;
    memory.available = 5;
    ASSERT_TRUE(parse_meminfo("MemTotal: 1000 kB\nMemFree: 100 kB\n", memory));
    EXPECT_EQ(memory.available, std::nullopt);
}

TEST(Meminfo, GarbledIsAnError) {
    for (const char* text : {"", "MemTotal: 1000 kB\n", "MemTotal: 1000 pages\nMemFree: 1 kB\n",
                             "MemTotal: many kB\nMemFree: 1 kB\n",
                             "MemTotal: 18446744073709551615 kB\nMemFree: 1 kB\n"}) {
        MemoryInfo memory;
        EXPECT_EQ(code(parse_meminfo(text, memory)), Errc::corrupt) << text;
    }
}

// ---- disks --------------------------------------------------------------------------------------

TEST(Diskstats, OfThreeGenerationsOfKernels) {
    std::vector<DiskCounters> disks;
    ASSERT_TRUE(parse_diskstats(" 254 0 vda 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\n"
                                "   8 1 sda1 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15\n"
                                "   8 16 sdb 1 2 3 4 5 6 7 8 9 10 11\n",
                                disks));
    ASSERT_EQ(disks.size(), 3U);
    EXPECT_EQ(disks[0].disk_name.view(), "vda");
    EXPECT_EQ(disks[0].r_sectr, 3U);
    EXPECT_EQ(disks[0].w_sectr, 7U);
    EXPECT_EQ(disks[0].f_milsc, 17U);
    EXPECT_EQ(disks[1].d_milsc, 15U);
    EXPECT_EQ(disks[2].io_w_milsc, 11U);
    EXPECT_EQ(disks[2].d_compl, 0U);
}

TEST(Diskstats, GarbledIsAnError) {
    for (const char* text : {"\n", "8 0\n", "8 0 sda 1 2 3\n", "8 x sda 1 2 3 4 5 6 7 8 9 10 11\n",
                             "8 0 sda 1 2 3 4 5 6 7 8 9 10 11 twelve\n",
                             "8589934592 0 sda 1 2 3 4 5 6 7 8 9 10 11\n"}) {
        std::vector<DiskCounters> disks;
        EXPECT_EQ(code(parse_diskstats(text, disks)), Errc::corrupt) << text;
    }
}

TEST(Partitions, AreNames) {
    std::vector<ShortName> names;
    ASSERT_TRUE(parse_partitions(
        "major minor  #blocks  name\n\n 254        0  268435456 vda\n 254 1 5 vda1\n", names));
    ASSERT_EQ(names.size(), 2U);
    EXPECT_EQ(names[1].view(), "vda1");
    EXPECT_EQ(code(parse_partitions("major minor\n 254 0 x vda\n", names)), Errc::corrupt);
}

// ---- network ------------------------------------------------------------------------------------

constexpr std::string_view heading =
    "Inter-|   Receive                                                |  Transmit\n"
    " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets\n";

TEST(NetDev, WithOrWithoutASpaceAfterTheName) {
    std::vector<NetCounters> interfaces;
    ASSERT_TRUE(parse_net_dev(std::string(heading) +
                                  "    lo:1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n"
                                  "  eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n",
                              interfaces));
    ASSERT_EQ(interfaces.size(), 2U);
    EXPECT_EQ(interfaces[0].net_name.view(), "lo");
    EXPECT_EQ(interfaces[0].r_byte, 1U);
    EXPECT_EQ(interfaces[1].r_mult, 8U);
    EXPECT_EQ(interfaces[1].t_col, 14U);
    EXPECT_EQ(interfaces[1].t_cmp, 16U);
}

TEST(NetDev, GarbledIsAnError) {
    std::vector<NetCounters> interfaces;
    EXPECT_EQ(code(parse_net_dev("", interfaces)), Errc::corrupt);
    for (const char* line : {"eth0\n", "eth0:\n", ": 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n",
                             "eth0: 1 2 3\n", "eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 -1\n"})
        EXPECT_EQ(code(parse_net_dev(std::string(heading) + line, interfaces)), Errc::corrupt)
            << line;
}

TEST(PressureFile, SomeAndFull) {
    const auto both = parse_pressure("some avg10=0.12 avg60=0.00 avg300=0.00 total=123\n"
                                     "full avg10=0.00 avg60=0.00 avg300=0.00 total=45\n");
    ASSERT_TRUE(both);
    EXPECT_EQ(both->some_us, 123U);
    EXPECT_EQ(both->full_us, 45U);
    EXPECT_EQ(parse_pressure("some total=1\n")->full_us, std::nullopt);
    for (const char* text : {"", "full total=1\n", "some avg10=0\n", "some total=x\n", "none\n"})
        EXPECT_EQ(code(parse_pressure(text)), Errc::corrupt) << text;
}

// ---- processes ----------------------------------------------------------------------------------

TEST(ProcessStatFile, TheNameMayHoldAnything) {
    const auto stat = parse_process_stat("42 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 1100 1200 13 14 15 "
                                         "16 5 0 99 1000 77 18446744073709551615 1\n");
    ASSERT_TRUE(stat);
    EXPECT_EQ(stat->state, 'S');
    EXPECT_EQ(stat->user_ticks, 1100U);
    EXPECT_EQ(stat->system_ticks, 1200U);
    EXPECT_EQ(stat->threads, 5U);
    EXPECT_EQ(stat->start_ticks, 99U);
    EXPECT_EQ(stat->rss_pages, 77U);
    for (const char* text : {"", "42", "42 (qemu", "42 (qemu)", "42 (qemu) S 1 2 3",
                             "42 (q) S 1 2 3 4 5 6 7 8 9 10 x 1200 13 14 15 16 5 0 99 1000 77"})
        EXPECT_EQ(code(parse_process_stat(text)), Errc::corrupt) << text;
}

TEST(ProcessIoFile, IsWhatReachedTheDisk) {
    const auto io = parse_process_io("rchar: 1\nwchar: 2\nsyscr: 3\nsyscw: 4\nread_bytes: 5\n"
                                     "write_bytes: 6\ncancelled_write_bytes: 7\n");
    ASSERT_TRUE(io);
    EXPECT_EQ(io->read_bytes, 5U);
    EXPECT_EQ(io->written_bytes, 6U);
    EXPECT_EQ(code(parse_process_io("read_bytes: 5\n")), Errc::corrupt);
    EXPECT_EQ(code(parse_process_io("read_bytes: 5\nwrite_bytes: lots\n")), Errc::corrupt);
}

TEST(SchedStatFile, RunAndWait) {
    EXPECT_EQ(parse_schedstat("31677 103143 2\n")->wait_ns, 103143U);
    EXPECT_EQ(code(parse_schedstat("31677\n")), Errc::corrupt);
}

TEST(Threads, OfVirtualProcessors) {
    EXPECT_TRUE(is_vcpu_thread("CPU 0/KVM"));
    EXPECT_TRUE(is_vcpu_thread("CPU 12/TCG"));
    for (const char* name :
         {"", "CPU ", "CPU 0", "CPU x/KVM", "IO mon_iothread", "qemu-system-x86"})
        EXPECT_FALSE(is_vcpu_thread(name)) << name;
}

TEST(Groups, OfBothVersions) {
    EXPECT_EQ(parse_group_cpu_ns("usage_usec 5\nuser_usec 3\n"), 5000U);
    EXPECT_EQ(parse_group_cpu_ns("123456789\n"), 123456789U);
    EXPECT_EQ(code(parse_group_cpu_ns("")), Errc::corrupt);
    EXPECT_EQ(code(parse_group_cpu_ns("usage_usec 18446744073709551615\n")), Errc::corrupt);

    const auto paths =
        parse_cgroup("9:name=systemd:/\n2:cpu,cpuacct:/machine/vm\n0::/machine.slice/x:y\n");
    ASSERT_TRUE(paths);
    EXPECT_EQ(paths->cpuacct, "/machine/vm");
    EXPECT_EQ(paths->unified, "/machine.slice/x:y");
    EXPECT_EQ(code(parse_cgroup("0::/../../etc\n")), Errc::corrupt);
    EXPECT_TRUE(parse_cgroup("nonsense")->unified.empty());
}

TEST(CommandLine, OfADomainsProcess) {
    using namespace std::string_view_literals;
    EXPECT_TRUE(is_qemu_of("/usr/bin/qemu\0-name\0guest=a\0-uuid\0u-1\0-S\0"sv, "u-1"));
    EXPECT_FALSE(is_qemu_of("/usr/bin/qemu\0-uuid\0u-12\0"sv, "u-1"));
    EXPECT_FALSE(is_qemu_of("grep\0u-1\0"sv, "u-1"));
    EXPECT_FALSE(is_qemu_of("qemu\0-uuid"sv, "u-1"));
}

TEST(AnyText, IsReadOrRefusedAndNothingElse) {
    EXPECT_TRUE(rc::check("any bytes", [](const std::string& tail, unsigned char cut) {
        const std::string real = "cpu  1 2 3 4\ncpu0 1 2 3 4\nMemTotal: 5 kB\nMemFree: 1 kB\n"
                                 " 8 0 sda 1 2 3 4 5 6 7 8 9 10 11\nsome total=4\n0::/a\n(q) S 1";
        const std::string text = real.substr(cut % real.size()) + tail;
        CpuCounters cpu;
        MemoryInfo memory;
        std::vector<DiskCounters> disks;
        std::vector<NetCounters> interfaces;
        const auto fine = [](Errc result) {
            return result == Errc::corrupt || result == Errc{255};
        };
        RC_ASSERT(fine(code(parse_stat(text, cpu))));
        RC_ASSERT(fine(code(parse_meminfo(text, memory))));
        RC_ASSERT(fine(code(parse_diskstats(text, disks))));
        RC_ASSERT(fine(code(parse_net_dev(text, interfaces))));
        RC_ASSERT(fine(code(parse_pressure(text))));
        RC_ASSERT(fine(code(parse_process_stat(text))));
        RC_ASSERT(fine(code(parse_process_io(text))));
        RC_ASSERT(fine(code(parse_schedstat(text))));
        RC_ASSERT(fine(code(parse_cgroup(text))));
        RC_ASSERT(fine(code(parse_group_cpu_ns(text))));
    }));
}

} // namespace
} // namespace baton::monitor
