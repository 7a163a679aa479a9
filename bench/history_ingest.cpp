/// What it costs to keep 1,000 desktops at one sample a second in SQLite, packing, rolling up and
/// forgetting included; and how long "one desktop, its last hour" takes. See bench/README.md.
#include "history/recorder.h"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <random>

namespace {

using namespace baton;
using namespace baton::history;

constexpr int desktops = 1000;
constexpr Seconds start = 1'700'000'040;
constexpr int warm_minutes = 2, minutes = 9;
constexpr Seconds hour = 3600;
constexpr int questions = 50;

double processor_seconds() {
    timespec now{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

[[noreturn]] void stop(const std::string& why) {
    fmt::print(stderr, "bench: {}\n", why);
    std::exit(1);
}

monitor::Reading site() {
    monitor::Reading reading;
    reading.host = HostId("host1");
    reading.address = "10.0.0.11";
    for (int i = 0; i < desktops; ++i) {
        monitor::DesktopReading desktop;
        desktop.who.uuid = fmt::format("00000000-0000-4000-8000-{:012x}", i);
        desktop.who.name = fmt::format("vm{}", i);
        desktop.who.state = monitor::DomainState::running;
        reading.desktops.push_back(desktop);
    }
    return reading;
}

/// Three in five idle, the others busy, as in the traces that the layout was chosen by.
void measure(monitor::Reading& reading, Seconds at, std::mt19937& random) {
    reading.wall = WallTime(std::chrono::seconds(at));
    const auto below = [&](unsigned most) { return static_cast<double>(random() % most); };
    reading.rates.cpu_percent = {below(100), below(100)};
    reading.rates.memory_percent = {80.0, 50.0};
    for (std::size_t i = 0; i < reading.desktops.size(); ++i) {
        monitor::DesktopReading& desktop = reading.desktops[i];
        const bool busy = i % 5 < 2;
        desktop.wall = reading.wall;
        desktop.rates.cpu_percent = {below(busy ? 100 : 2), below(busy ? 100 : 2)};
        desktop.rates.cpu_percent_of_vcpus = below(busy ? 100 : 2);
        desktop.rates.vcpu_wait_percent = busy ? below(5) : 0;
        desktop.rates.memory.corrected = 40.0;
        desktop.rates.memory_used_bytes = 8e8 + below(busy ? 50'000'000 : 4096);
        desktop.rates.memory_available_bytes = 2e9;
        desktop.rates.memory_given_bytes = 2.1e9;
        desktop.rates.rss_bytes = 1.5e9 + below(8192);
        desktop.rates.disk_bytes.corrected = busy ? below(5'000'000) : 0;
        desktop.rates.disk_written_bytes_per_second = busy ? below(2'000'000) : 0;
        desktop.rates.receive.l2_bits_per_second = busy ? below(8'000'000) : 0;
        desktop.rates.transmit.l2_bits_per_second = busy ? below(800'000) : 0;
        desktop.rates.receive.packets_per_second = busy ? below(900) : 0;
        desktop.rates.transmit.packets_per_second = busy ? below(900) : 0;
    }
}

struct Folder {
    std::string path;

    Folder() {
        path = (std::filesystem::temp_directory_path() / "baton-bench-XXXXXX").string();
        if (::mkdtemp(path.data()) == nullptr)
            stop("no temporary folder");
    }

    ~Folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path, ignored);
    }
};

/// A full hour of one desktop among others, packed.
void fill_hour(Samples& samples, monitor::Reading& reading, std::mt19937& random) {
    for (Seconds at = start - hour; at < start; at += 60) {
        std::vector<Sample> batch;
        for (Seconds second = at; second < at + 60; ++second) {
            measure(reading, second, random);
            const auto made = samples_of(samples, reading);
            if (!made)
                stop(made.error().message());
            batch.insert(batch.end(), made->begin(), made->begin() + 20);
        }
        if (!samples.append(batch) || !samples.tend(at + 70, 10))
            stop("the database refused");
    }
}

void print(const char* name, const boost::json::array& ours, double peer, const char* peer_name,
           const char* unit, const std::string& how) {
    fmt::print("{}\n", boost::json::serialize(boost::json::object{{"name", name},
                                                                  {"ours", ours},
                                                                  {"peer", peer},
                                                                  {"peer_name", peer_name},
                                                                  {"unit", unit},
                                                                  {"better", "lower"},
                                                                  {"limit", 1},
                                                                  {"how", how}}));
}

} // namespace

int main() {
    const Folder folder;
    const std::string path = folder.path + "/samples.db";
    auto opened = open_sqlite(path);
    if (!opened)
        stop(opened.error().message());
    std::mt19937 random(1);
    monitor::Reading reading = site();
    fill_hour(**opened, reading, random);

    boost::json::array milliseconds;
    for (int i = 0; i < questions; ++i) {
        const auto begin = std::chrono::steady_clock::now();
        const auto points = (*opened)->read(2 + i % 18, start - hour, start, Resolution::second);
        const std::chrono::duration<double, std::milli> took =
            std::chrono::steady_clock::now() - begin;
        if (!points || points->size() != static_cast<std::size_t>(hour))
            stop("the hour is not whole");
        milliseconds.emplace_back(took.count());
    }
    opened->reset();

    Recorder recorder([&] { return open_sqlite(path); },
                      [](history::Recorder::News, const std::string& sentence) { stop(sentence); });
    boost::json::array percent;
    for (int minute = 0; minute < warm_minutes + minutes; ++minute) {
        double used = 0;
        for (Seconds at = start + minute * 60; at < start + minute * 60 + 60; ++at) {
            measure(reading, at, random);
            const double before = processor_seconds();
            recorder.offer(reading);
            recorder.work(at);
            used += processor_seconds() - before;
        }
        if (minute >= warm_minutes)
            percent.emplace_back(used / 60 * 100);
    }
    if (recorder.figures().lost != 0)
        stop("samples were lost");
    auto again = open_sqlite(path);
    if (!again)
        stop(again.error().message());
    for (const std::int64_t subject : {1, 2, desktops + 1}) {
        const auto points = (*again)->read(subject, start, start + (warm_minutes + minutes) * 60,
                                           Resolution::second);
        if (!points || points->size() != (warm_minutes + minutes) * 60U)
            stop("what was offered is not all there");
    }
    const double bytes = static_cast<double>(std::filesystem::file_size(path));
    print("history_ingest", percent, 10, "the limit", "percent of a core",
          fmt::format("{} desktops and their host, a sample each a second, {} minutes of simulated "
                      "time one after the other, two in five busy; offered, committed each second, "
                      "packed, rolled up; this process's processor time over 60 s a minute. The "
                      "file has {:.1f} MB",
                      desktops, minutes, bytes / 1e6));
    print("history_last_hour", milliseconds, 5, "the limit", "ms",
          fmt::format("one desktop, its last hour at 1 s: 3,600 points out of SQLite, {} times",
                      questions));
}
