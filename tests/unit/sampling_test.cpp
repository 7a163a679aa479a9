/// Readers on trees of files, the kernel's own interfaces, and messages of a kernel that lies.
#include "sampling/collector.h"
#include "sampling/domain_facts.h"
#include "sampling/host_reader.h"
#include "sampling/link_messages.h"
#include "sampling/links.h"
#include "sampling/news.h"
#include "sampling/process_reader.h"
#include "support/temporary_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <libvirt/libvirt.h>
#include <rapidcheck.h>

#include <array>
#include <chrono>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace baton::sampling {
namespace {

namespace fs = std::filesystem;
using namespace monitor;
using ::testing::DoubleNear;
using ::testing::Optional;

auto near(double value) {
    return Optional(DoubleNear(value, 1e-6));
}

class TestClock : public Clock {
  public:
    [[nodiscard]] Moment now() const override { return {monotonic}; }

    [[nodiscard]] WallTime wall() const override { return WallTime(std::chrono::milliseconds(ms)); }

    void pass(std::int64_t milliseconds) {
        monotonic += milliseconds * 1'000'000;
        ms += milliseconds;
    }

    std::int64_t monotonic = 1'000'000'000;
    std::int64_t ms = 1'700'000'000'000;
};

/// A machine made of files.
class Tree {
  public:
    Tree() {
        write("proc/stat", "cpu  100 0 0 100 0 0 0 0 0 0\ncpu0 100 0 0 100 0 0 0 0 0 0\n");
        write("proc/meminfo", "MemTotal: 1000 kB\nMemFree: 100 kB\nMemAvailable: 600 kB\n");
        write("proc/diskstats", " 8 0 sda 1 0 8 0 1 0 8 0 0 0 0\n 8 1 sda1 1 0 8 0 1 0 8 0 0 0 0\n"
                                " 7 0 loop0 0 0 0 0 0 0 0 0 0 0 0\n"
                                " 253 0 dm-0 1 0 8 0 1 0 8 0 0 0 0\n");
        write("proc/partitions", "major minor  #blocks  name\n\n 8 0 100 sda\n 8 1 99 sda1\n"
                                 " 253 0 99 dm-0\n");
        write("sys/class/block/sda1/partition", "1\n");
        write("sys/class/block/dm-0/slaves/sda1/x", "");
        network(10, 1000);
        write("sys/class/net/eth0/address", "52:54:00:12:34:56\n");
        write("sys/class/net/eth0/device/vendor", "");
        for (const char* kind : {"cpu", "memory", "io"})
            write(std::string("proc/pressure/") + kind,
                  "some avg10=0.00 total=100\nfull avg10=0.00 total=50\n");
    }

    void write(const std::string& name, const std::string& text) const {
        const fs::path path = folder_.path() / name;
        fs::create_directories(path.parent_path());
        std::ofstream(path, std::ios::trunc) << text;
    }

    void remove(const std::string& name) const { fs::remove_all(folder_.path() / name); }

    void network(unsigned packets, unsigned bytes) const {
        const auto line = [&](const char* name) {
            return std::string(name) + ": " + std::to_string(bytes) + " " +
                   std::to_string(packets) + " 0 0 0 0 0 0 2 1 0 0 0 0 0 0\n";
        };
        write("proc/net/dev", "Inter-| Receive | Transmit\n face |bytes\n" + line("  lo") +
                                  line("eth0") + line("vnet0"));
    }

    void process(int pid, const std::string& uuid, std::uint64_t ticks) const {
        const std::string folder = "proc/" + std::to_string(pid) + "/";
        write(folder + "stat", std::to_string(pid) + " (qemu) S 1 2 3 4 5 6 7 8 9 10 " +
                                   std::to_string(ticks) + " 0 13 14 15 16 3 0 99 1000 10 1\n");
        write(folder + "cmdline", std::string("qemu\0-uuid\0", 11) + uuid + '\0');
        write(folder + "io", "read_bytes: 4096\nwrite_bytes: 0\n");
        write(folder + "cgroup",
              "0::/machine.slice/machine-qemu\\x2d1\\x2da.scope/libvirt/emulator\n");
    }

    void thread(int pid, int tid, const std::string& name, std::uint64_t ns) const {
        const std::string folder =
            "proc/" + std::to_string(pid) + "/task/" + std::to_string(tid) + "/";
        write(folder + "comm", name + "\n");
        write(folder + "schedstat", std::to_string(ns) + " 7 1\n");
    }

    [[nodiscard]] std::string path() const { return folder_.path().string(); }

  private:
    baton::testing::TemporaryDirectory folder_;
};

// ---- hosts --------------------------------------------------------------------------------------

TEST(HostReaderTest, ReadsEverySource) {
    const Tree tree;
    TestClock clock;
    HostReader reader({tree.path()}, clock);
    HostSample sample;
    reader.read(sample);
    EXPECT_EQ(sample.cpu.total.user, 100U);
    EXPECT_EQ(sample.memory.available, 600U * 1024);
    ASSERT_EQ(sample.disks.size(), 3U); // loop0 has no size
    EXPECT_TRUE(sample.disks[0].whole);
    EXPECT_FALSE(sample.disks[1].whole); // a partition
    EXPECT_FALSE(sample.disks[2].whole); // made of one
    ASSERT_EQ(sample.interfaces.size(), 3U);
    EXPECT_EQ(sample.interfaces[1].net_hwaddress.view(), "52:54:00:12:34:56");
    EXPECT_TRUE(sample.interfaces[1].physical);
    EXPECT_FALSE(sample.interfaces[2].physical);
    EXPECT_EQ(sample.pressure.memory, (Pressure{100, 50}));
    EXPECT_EQ(sample.cpu.at, clock.now());
}

TEST(HostReaderTest, WhatFailsIsAGapInItselfAlone) {
    const Tree tree;
    TestClock clock;
    std::vector<std::string> complaints;
    HostReader reader(
        {tree.path(), [&](const Error& error) { complaints.push_back(error.message()); }}, clock);
    HostSample sample;
    tree.write("proc/stat", "garbage\n");
    reader.read(sample);
    EXPECT_FALSE(sample.cpu.at.known());
    EXPECT_TRUE(sample.memory.at.known());
    reader.read(sample);
    ASSERT_EQ(complaints.size(), 1U); // once
    tree.write("proc/stat", "cpu  1 1 1 1\ncpu0 1 1 1 1\n");
    reader.read(sample);
    EXPECT_TRUE(sample.cpu.at.known());
    tree.write("proc/stat", "garbage again\n");
    reader.read(sample);
    EXPECT_EQ(complaints.size(), 2U);
}

TEST(HostReaderTest, AKernelWithoutPressureIsNothingToComplainAbout) {
    const Tree tree;
    tree.remove("proc/pressure");
    unsigned complaints = 0;
    HostReader reader({tree.path(), [&](const Error&) { ++complaints; }});
    HostSample sample;
    reader.read(sample);
    EXPECT_EQ(sample.pressure, Pressures{});
    EXPECT_EQ(complaints, 0U);
}

TEST(HostReaderTest, ThisMachine) {
    unsigned complaints = 0;
    HostReader reader({"/", [&](const Error&) { ++complaints; }});
    HostSample sample;
    reader.read(sample);
    EXPECT_EQ(complaints, 0U);
    EXPECT_GE(sample.cpu.each.size(), 1U);
    EXPECT_GT(sample.memory.total, 0U);
    const auto lo = std::ranges::find(sample.interfaces, ShortName("lo"), &NetCounters::net_name);
    ASSERT_NE(lo, sample.interfaces.end());
    EXPECT_GT(lo->index, 0U);
    EXPECT_FALSE(lo->physical);
}

// ---- the kernel's messages ----------------------------------------------------------------------

template <class T>
void append(std::vector<std::byte>& bytes, const T& value) {
    const auto* begin = reinterpret_cast<const std::byte*>(&value);
    for (std::size_t i = 0; i < sizeof value; ++i)
        bytes.push_back(begin[i]);
}

std::vector<std::byte> stats_message(unsigned index, std::uint64_t received) {
    rtnl_link_stats64 stats{};
    stats.rx_bytes = received;
    stats.rx_dropped = 1;
    stats.rx_missed_errors = 2;
    rtattr attribute{};
    attribute.rta_type = IFLA_STATS_LINK_64;
    attribute.rta_len = sizeof attribute + sizeof stats;
    if_stats_msg body{};
    body.ifindex = index;
    nlmsghdr header{};
    header.nlmsg_type = RTM_NEWSTATS;
    header.nlmsg_len = sizeof header + sizeof body + attribute.rta_len;
    std::vector<std::byte> bytes;
    append(bytes, header);
    append(bytes, body);
    append(bytes, attribute);
    append(bytes, stats);
    return bytes;
}

TEST(LinkMessages, AreCountedAsProcNetDevDoes) {
    std::vector<NetCounters> counters;
    const auto state = parse_link_stats(stats_message(7, 1234), counters);
    ASSERT_TRUE(state);
    EXPECT_FALSE(state->done);
    ASSERT_EQ(counters.size(), 1U);
    EXPECT_EQ(counters[0].index, 7U);
    EXPECT_EQ(counters[0].r_byte, 1234U);
    EXPECT_EQ(counters[0].r_drop, 3U);
}

TEST(LinkMessages, AnyBytesAreReadOrRefused) {
    EXPECT_TRUE(
        rc::check("cut and overwritten", [](std::size_t cut, std::size_t where, std::uint8_t what) {
            auto bytes = stats_message(7, 1234);
            bytes.resize(cut % (bytes.size() + 1));
            if (!bytes.empty())
                bytes[where % bytes.size()] = std::byte{what};
            std::vector<NetCounters> counters;
            const bool stats = parse_link_stats(bytes, counters).has_value();
            const bool links = parse_links(bytes, counters).has_value();
            RC_ASSERT(counters.size() <= 2U);
            RC_CLASSIFY(stats && links, "fine");
        }));
}

TEST(LinksTest, TellWhatProcNetDevTells) {
    auto links = Links::open();
    ASSERT_TRUE(links) << links.error().message();
    std::vector<NetCounters> interfaces;
    ASSERT_TRUE(links->read(interfaces));
    std::ifstream file("/proc/net/dev");
    std::string line;
    std::size_t lines = 0;
    while (std::getline(file, line))
        ++lines;
    EXPECT_EQ(interfaces.size() + 2, lines);
    EXPECT_TRUE(links->read(interfaces)); // and again, over the same socket
    EXPECT_EQ(interfaces.size() + 2, lines);
}

// ---- processes ----------------------------------------------------------------------------------

TEST(ProcessReaderTest, ReadsItsThreadsAndItsGroup) {
    const Tree tree;
    tree.process(42, "u-1", 250);
    tree.thread(42, 42, "qemu-system-x86", 1);
    tree.thread(42, 43, "CPU 0/KVM", 1000);
    tree.thread(42, 44, "CPU 1/KVM", 2000);
    const std::string group = "sys/fs/cgroup/machine.slice/machine-qemu\\x2d1\\x2da.scope/";
    tree.write(group + "cpu.stat", "usage_usec 5\n");
    tree.write(group + "memory.pressure", "some total=9\nfull total=8\n");
    const auto reader = ProcessReader::open(tree.path(), 42, "u-1");
    ASSERT_TRUE(reader) << reader.error().message();
    ReadBuffer buffer;
    ProcessCounters counters;
    Pressures pressure;
    ASSERT_TRUE(reader->read(buffer, TestClock(), counters, pressure));
    EXPECT_EQ(counters.cpu_time_ns, std::uint64_t{250} * 1'000'000'000 /
                                        static_cast<std::uint64_t>(sysconf(_SC_CLK_TCK)));
    EXPECT_EQ(counters.vcpu_ns, 3000U);
    EXPECT_EQ(counters.vcpu_wait_ns, 14U);
    EXPECT_EQ(counters.group_ns, 5000U);
    EXPECT_EQ(counters.disk_read_bytes, 4096U);
    EXPECT_EQ(pressure.memory, (Pressure{9, 8}));
    EXPECT_EQ(pressure.cpu, std::nullopt);
}

TEST(ProcessReaderTest, AnotherProcessIsNotOurs) {
    const Tree tree;
    tree.process(42, "u-1", 250);
    EXPECT_EQ(ProcessReader::open(tree.path(), 42, "u-2").error().code, Errc::not_found);
    EXPECT_EQ(ProcessReader::open(tree.path(), 43, "u-1").error().code, Errc::not_found);
}

TEST(ProcessReaderTest, AProcessThatHasEndedIsToldSo) {
    // a real one: only the kernel knows that a descriptor's process is gone
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    std::array<const char*, 6> words{"sh", "-c", "read x", "-uuid", "u-1", nullptr};
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, ends[0], STDIN_FILENO);
    pid_t child = 0;
    ASSERT_EQ(::posix_spawn(&child, "/bin/sh", &actions, nullptr, const_cast<char**>(words.data()),
                            environ),
              0);
    ::posix_spawn_file_actions_destroy(&actions);
    // the kernel shows its command line a moment after it has begun
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    auto reader = ProcessReader::open("/", child, "u-1");
    while (!reader && std::chrono::steady_clock::now() < until)
        reader = ProcessReader::open("/", child, "u-1");
    ReadBuffer buffer;
    ProcessCounters counters;
    Pressures pressure;
    Result<void> alive = tl::unexpected(Error{});
    if (reader)
        alive = reader->read(buffer, system_clock(), counters, pressure);
    ::close(ends[0]);
    ::close(ends[1]); // its input ends, and so does it
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(reader) << reader.error().message();
    EXPECT_TRUE(alive);
    EXPECT_TRUE(counters.at.known());
    EXPECT_EQ(reader->read(buffer, system_clock(), counters, pressure).error().code,
              Errc::not_found);
    EXPECT_FALSE(counters.at.known());
}

TEST(FindQemu, ByPidFileOrByLooking) {
    const Tree tree;
    tree.process(42, "u-1", 1);
    tree.process(77, "u-2", 1);
    tree.write("run/libvirt/qemu/a.pid", "42");
    EXPECT_EQ(find_qemu(tree.path(), {"/run/libvirt/qemu"}, "a", "u-1"), 42);
    // a pid file that is of another by now
    tree.write("run/libvirt/qemu/b.pid", "42\n");
    EXPECT_EQ(find_qemu(tree.path(), {"/run/libvirt/qemu"}, "b", "u-2"), 77);
    EXPECT_EQ(find_qemu(tree.path(), {}, "c", "u-3").error().code, Errc::not_found);
}

TEST(OwnGroup, IsLibvirtsAndNothingElse) {
    EXPECT_EQ(own_group("/machine.slice/machine-qemu\\x2d1\\x2da.scope/libvirt/emulator"),
              "/machine.slice/machine-qemu\\x2d1\\x2da.scope");
    EXPECT_EQ(own_group("/machine/a.libvirt-qemu/emulator"), "/machine/a.libvirt-qemu");
    EXPECT_EQ(own_group("/system.slice/libvirtd.service"), "");
    EXPECT_EQ(own_group(""), "");
}

// ---- libvirt's words ----------------------------------------------------------------------------

TEST(DomainFactsTest, WhatADomainIs) {
    const auto facts = domain_facts(
        "<domain type='kvm'><name>a</name><uuid>u-1</uuid><memory unit='KiB'>524288</memory>"
        "<vcpu current='2'>4</vcpu><devices><interface type='bridge'><target dev='vnet0'/>"
        "</interface><interface type='direct'><target dev='macvtap0'/></interface>"
        "<interface type='user'/></devices></domain>");
    ASSERT_TRUE(facts);
    EXPECT_EQ(facts->who.uuid, "u-1");
    EXPECT_EQ(facts->who.vcpus, 2U);
    EXPECT_EQ(facts->who.given, Mebibytes(512));
    ASSERT_EQ(facts->taps.size(), 2U);
    EXPECT_TRUE(facts->taps[0].mirrored);
    EXPECT_FALSE(facts->taps[1].mirrored);
    EXPECT_EQ(domain_facts("<domain").error().code, Errc::corrupt);
    EXPECT_EQ(domain_facts("<network/>").error().code, Errc::corrupt);
}

class Parameters {
  public:
    Parameters() { virInitialize(); }

    Parameters(const Parameters&) = delete;
    Parameters& operator=(const Parameters&) = delete;

    ~Parameters() { virTypedParamsFree(list_, count_); }

    void number(const char* name, unsigned long long value) {
        virTypedParamsAddULLong(&list_, &count_, &most_, name, value);
    }

    void text(const char* name, const char* value) {
        virTypedParamsAddString(&list_, &count_, &most_, name, value);
    }

    [[nodiscard]] DesktopSample read() const { return domain_stats(list_, count_, {5}); }

  private:
    virTypedParameterPtr list_ = nullptr;
    int count_ = 0;
    int most_ = 0;
};

TEST(DomainStats, OfAllGroups) {
    Parameters parameters;
    parameters.number("cpu.time", 100);
    parameters.number("vcpu.0.time", 30);
    parameters.number("vcpu.1.time", 40);
    parameters.number("vcpu.0.delay", 5);
    parameters.number("balloon.current", 1024);
    parameters.number("balloon.usable", 512);
    parameters.number("balloon.major_fault", 3);
    parameters.number("net.count", 1);
    parameters.text("net.0.name", "vnet0");
    parameters.number("net.0.tx.pkts", 8);
    parameters.number("block.count", 1);
    parameters.text("block.0.name", "vda");
    parameters.number("block.0.wr.bytes", 4096);
    const DesktopSample sample = parameters.read();
    EXPECT_EQ(sample.process.cpu_time_ns, 100U);
    EXPECT_EQ(sample.process.vcpu_ns, 70U);
    EXPECT_EQ(sample.process.vcpu_wait_ns, 5U);
    EXPECT_EQ(sample.memory.actual, 1024U * 1024);
    EXPECT_EQ(sample.memory.usable, 512U * 1024);
    EXPECT_EQ(sample.memory.available, std::nullopt);
    EXPECT_EQ(sample.memory.major_faults, 3U);
    EXPECT_EQ(sample.interfaces.at(0).t_pack, 8U);
    EXPECT_EQ(sample.disks.at(0).wr_bytes, 4096U);
    EXPECT_EQ(sample.disks_at, Moment{5});
}

TEST(DomainStats, StrangeOnesAreLeftOut) {
    Parameters parameters;
    parameters.number("block.99999999999.wr.bytes", 1);
    parameters.number("net.x.rx.bytes", 1);
    parameters.number("net.3.rx.bytes", 1); // without a name
    parameters.text("cpu.time", "soon");
    parameters.number("balloon.current", UINT64_MAX);
    const DesktopSample sample = parameters.read();
    EXPECT_TRUE(sample.disks.empty());
    EXPECT_TRUE(sample.interfaces.empty());
    EXPECT_FALSE(sample.process.at.known());
    EXPECT_EQ(sample.memory.actual, std::nullopt);
}

// ---- all of it ----------------------------------------------------------------------------------

class CollectorTest : public ::testing::Test {
  protected:
    void SetUp() override {
        CollectorSettings settings;
        settings.host = HostId("host1");
        settings.root = tree.path();
        collector = std::make_unique<Collector>(settings, clock);
        tree.process(42, "u-1", 100);
        tree.thread(42, 43, "CPU 0/KVM", 0);
    }

    Found found() {
        Found news;
        news.facts.who.uuid = "u-1";
        news.facts.who.name = "a";
        news.facts.who.vcpus = 1;
        news.facts.who.given = Mebibytes(512);
        news.facts.taps = {{"vnet0", true}};
        news.pid = 42;
        return news;
    }

    Told told(std::uint64_t usable_mib) {
        Told news;
        news.uuid = "u-1";
        news.sample.memory.at = clock.now();
        news.sample.memory.actual = std::uint64_t{512} << 20;
        news.sample.memory.available = std::uint64_t{500} << 20;
        news.sample.memory.usable = usable_mib << 20;
        return news;
    }

    const Reading& after(std::int64_t milliseconds) {
        clock.pass(milliseconds);
        return collector->collect();
    }

    Tree tree;
    TestClock clock;
    std::unique_ptr<Collector> collector;
};

TEST_F(CollectorTest, TheFirstReadingHasWhatOneReadingGives) {
    const Reading& reading = collector->collect();
    EXPECT_THAT(reading.rates.memory_percent.corrected, near(40));
    EXPECT_EQ(reading.rates.cpu_percent, Columns{});
    EXPECT_TRUE(reading.desktops.empty());
}

TEST_F(CollectorTest, FollowsADesktop) {
    collector->mailbox().put(found());
    collector->collect();
    tree.thread(42, 43, "CPU 0/KVM", 500'000'000);
    tree.network(30, 3000);
    const Reading& reading = after(1000);
    ASSERT_EQ(reading.desktops.size(), 1U);
    const DesktopRates& rates = reading.desktops[0].rates;
    EXPECT_THAT(rates.cpu_percent_of_vcpus, near(50));
    // what the host received on the tap, the guest has sent
    EXPECT_THAT(rates.transmit.packets_per_second, near(20));
    EXPECT_THAT(rates.receive.packets_per_second, near(0));
    EXPECT_EQ(rates.memory_given_bytes, std::nullopt); // nobody told yet
}

TEST_F(CollectorTest, TheGuestsMemoryIsKeptUntilItIsTooOld) {
    collector->mailbox().put(found());
    collector->mailbox().put(told(400));
    EXPECT_THAT(collector->collect().desktops.at(0).rates.memory.corrected, near(20));
    EXPECT_THAT(after(10'000).desktops.at(0).rates.memory.corrected, near(20));
    EXPECT_EQ(after(16'000).desktops.at(0).rates.memory.corrected, std::nullopt);
}

TEST_F(CollectorTest, AGuestThatTalksNonsenseIsAGap) {
    collector->mailbox().put(found());
    collector->mailbox().put(told(501));
    const Reading& reading = collector->collect();
    EXPECT_EQ(reading.desktops.at(0).rates.memory.corrected, std::nullopt);
    EXPECT_THAT(reading.desktops.at(0).rates.memory_given_bytes, near(512.0 * 1024 * 1024));
}

TEST_F(CollectorTest, AClockThatJumpsAnHourChangesNoRate) {
    collector->mailbox().put(found());
    collector->collect();
    tree.thread(42, 43, "CPU 0/KVM", 250'000'000);
    clock.ms -= 3'600'000;
    const Reading& reading = after(1000);
    EXPECT_THAT(reading.desktops.at(0).rates.cpu_percent_of_vcpus, near(25));
    EXPECT_EQ(reading.wall, clock.wall());
}

TEST_F(CollectorTest, GarbageInProcIsAGap) {
    collector->mailbox().put(found());
    collector->collect();
    tree.write("proc/42/stat", "42 (qemu\n");
    tree.write("proc/net/dev", "nothing\n");
    const Reading& reading = after(1000);
    ASSERT_EQ(reading.desktops.size(), 1U);
    EXPECT_EQ(reading.desktops[0].rates.cpu_percent, Columns{});
    EXPECT_EQ(reading.desktops[0].rates.receive, Traffic{});
    EXPECT_EQ(reading.rates.receive, Traffic{});
}

TEST_F(CollectorTest, WhatIsGoneIsGone) {
    collector->mailbox().put(found());
    EXPECT_EQ(collector->collect().desktops.size(), 1U);
    collector->mailbox().put(Gone{"u-1"});
    EXPECT_TRUE(after(1000).desktops.empty());
    collector->mailbox().put(told(100)); // a late answer brings nobody back
    EXPECT_TRUE(after(1000).desktops.empty());
}

} // namespace
} // namespace baton::sampling
