/// Memory and time of the collector with a thousand VMs, on a tree of files: monitor_thousand,
/// monitor_cost_flat_thousand.
#include "sampling/collector.h"
#include "sampling/news.h"

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <string>
#include <unistd.h>

namespace {

namespace fs = std::filesystem;
using namespace baton;

void write(const fs::path& path, const std::string& text) {
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
}

/// A host with `count` QEMU processes of two vCPUs and one tap each.
void make_tree(const fs::path& root, int count) {
    write(root / "proc/stat", "cpu  100 0 0 100\ncpu0 50 0 0 50\ncpu1 50 0 0 50\n");
    write(root / "proc/meminfo", "MemTotal: 1000 kB\nMemFree: 100 kB\nMemAvailable: 600 kB\n");
    write(root / "proc/diskstats", " 8 0 sda 1 0 8 0 1 0 8 0 0 0 0\n");
    write(root / "proc/partitions", "major minor  #blocks  name\n\n 8 0 100 sda\n");
    std::string net = "Inter-| Receive | Transmit\n face |bytes\n";
    for (int i = 0; i < count; ++i) {
        net += fmt::format("vnet{}: 1000 10 0 0 0 0 0 0 1000 10 0 0 0 0 0 0\n", i);
        const fs::path folder = root / "proc" / std::to_string(1000 + i);
        write(folder / "stat", fmt::format("{} (qemu) S 1 2 3 4 5 6 7 8 9 10 100 50 13 14 15 16 5 "
                                           "0 99 1000 10 1\n",
                                           1000 + i));
        write(folder / "cmdline", fmt::format("qemu{0}-uuid{0}u-{1}{0}", '\0', i));
        write(folder / "io", "read_bytes: 4096\nwrite_bytes: 0\n");
        for (int cpu = 0; cpu < 2; ++cpu) {
            const fs::path task = folder / "task" / std::to_string(cpu);
            write(task / "comm", fmt::format("CPU {}/KVM\n", cpu));
            write(task / "schedstat", "1000 7 1\n");
        }
    }
    write(root / "proc/net/dev", net);
}

double cpu_seconds() {
    timespec time{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

double resident_mebibytes() {
    std::ifstream file("/proc/self/statm");
    long total = 0;
    long resident = 0;
    file >> total >> resident;
    return static_cast<double>(resident) * static_cast<double>(::sysconf(_SC_PAGESIZE)) /
           (1024 * 1024);
}

void follow(sampling::Collector& collector, int count) {
    for (int i = 0; i < count; ++i) {
        sampling::Found found;
        found.facts.who.uuid = fmt::format("u-{}", i);
        found.facts.who.name = fmt::format("vm-{}", i);
        found.facts.who.vcpus = 2;
        found.facts.who.given = Mebibytes(1024);
        found.facts.taps = {{fmt::format("vnet{}", i).c_str(), true}};
        found.pid = 1000 + i;
        collector.mailbox().put(std::move(found));
        sampling::Told told;
        told.uuid = fmt::format("u-{}", i);
        told.sample.memory.at = sampling::system_clock().now();
        told.sample.memory.actual = told.sample.memory.available = std::uint64_t{1} << 30;
        told.sample.memory.usable = std::uint64_t{1} << 29;
        told.sample.disks_at = told.sample.memory.at;
        told.sample.disks.resize(2);
        collector.mailbox().put(std::move(told));
    }
}

} // namespace

int main() {
    std::string pattern = (fs::temp_directory_path() / "baton-bench-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr)
        return 1;
    const fs::path root = pattern;
    constexpr int count = 1000;
    constexpr int rounds = 20;
    make_tree(root, count);
    sampling::CollectorSettings settings;
    settings.host = HostId("bench");
    settings.root = root.string();
    double memory = 0;
    double per_sample = 0;
    std::size_t seen = 0;
    {
        sampling::Collector collector(settings);
        follow(collector, count);
        seen = collector.collect().desktops.size();
        const double before = cpu_seconds();
        for (int i = 0; i < rounds; ++i)
            collector.collect();
        per_sample = (cpu_seconds() - before) * 1e6 / (rounds * count);
        memory = resident_mebibytes();
    }
    fs::remove_all(root);
    if (seen != count) {
        fmt::print(stderr, "only {} of {} VMs were followed\n", seen, count);
        return 1;
    }
    const auto record = [](const char* name, double ours, double peer, const char* peer_name,
                           const char* unit, const std::string& how) {
        fmt::print("{}\n", boost::json::serialize(boost::json::value{{"name", name},
                                                                     {"ours", ours},
                                                                     {"peer", peer},
                                                                     {"peer_name", peer_name},
                                                                     {"unit", unit},
                                                                     {"better", "lower"},
                                                                     {"limit", 1.0},
                                                                     {"how", how}}));
    };
    record("monitor_thousand", memory, 20, "the budget", "MiB resident",
           "resident memory of a collector that follows 1,000 VMs with two vCPUs, two disks and "
           "one interface each on a tree of files, after 21 readings");
    record("monitor_thousand_cpu", per_sample, 28.85,
           "a hundredth of the paper's calls as once measured (2,885)", "us of CPU per VM-sample",
           "the same collector's own CPU time; files of a disk stand for those of /proc, so this "
           "is the collector's work more than the kernel's");
    return 0;
}
