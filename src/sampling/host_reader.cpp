#include "sampling/host_reader.h"

#include "monitor/host_files.h"
#include "sampling/kept_file.h"
#include "sampling/links.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <unistd.h>

namespace baton::sampling {

namespace fs = std::filesystem;
using namespace monitor;

namespace {

/// One file that stays open, and is opened again after it failed.
class Source {
  public:
    explicit Source(std::string path) : path_(std::move(path)) {}

    Result<std::string_view> read(ReadBuffer& buffer) {
        if (!file_.is_open()) {
            auto opened = KeptFile::open(path_);
            if (!opened)
                return tl::unexpected(opened.error());
            file_ = std::move(*opened);
        }
        auto text = file_.read(buffer);
        if (!text) {
            file_ = KeptFile();
            return tl::unexpected(text.error().in(path_));
        }
        return text;
    }

    [[nodiscard]] const std::string& path() const { return path_; }

    bool failed = false; ///< it was complained about

  private:
    std::string path_;
    KeptFile file_;
};

/// What sysfs tells of a disk, once: whether its traffic is its own.
struct KnownDisk {
    unsigned major, minor;
    ShortName name;
    bool whole;
};

bool has_entries(const fs::path& folder) {
    std::error_code error;
    fs::directory_iterator entries(folder, error);
    return !error && entries != fs::directory_iterator();
}

} // namespace

struct HostReader::State {
    State(HostReaderSettings wanted, const Clock& given)
        : settings(std::move(wanted)),
          clock(given),
          root(settings.root == "/" ? "" : settings.root),
          stat(root + "/proc/stat"),
          meminfo(root + "/proc/meminfo"),
          diskstats(root + "/proc/diskstats"),
          partitions(root + "/proc/partitions"),
          net_dev(root + "/proc/net/dev"),
          pressures{Source(root + "/proc/pressure/cpu"), Source(root + "/proc/pressure/memory"),
                    Source(root + "/proc/pressure/io")} {}

    /// Reads and parses one source; its moment is the one before it was read.
    template <class Parse>
    void read(Source& source, Moment& at, Parse parse);
    void note(bool& failed, const Result<void>& result);
    void read_disks(HostSample& sample);
    bool is_whole(const DiskCounters& disk);
    void read_interfaces(HostSample& sample);
    void name_cards(std::vector<NetCounters>& interfaces) const;
    void read_pressure(Pressures& all);

    HostReaderSettings settings;
    const Clock& clock;
    std::string root;
    ReadBuffer buffer;
    Source stat, meminfo, diskstats, partitions, net_dev;
    std::array<Source, 3> pressures;
    bool no_pressure = false; ///< this kernel has none
    std::optional<Links> links;
    bool links_failed = false;
    std::vector<ShortName> names;
    std::vector<KnownDisk> disks;
};

template <class Parse>
void HostReader::State::read(Source& source, Moment& at, Parse parse) {
    const Moment now = clock.now();
    const auto text = source.read(buffer);
    const Result<void> done = text ? parse(*text) : tl::unexpected(text.error());
    at = done ? now : Moment{};
    note(source.failed, done);
}

void HostReader::State::note(bool& failed, const Result<void>& result) {
    if (!result && !failed)
        settings.complain(result.error());
    failed = !result.has_value();
}

bool HostReader::State::is_whole(const DiskCounters& disk) {
    for (const KnownDisk& known : disks)
        if (known.major == disk.major && known.minor == disk.minor && known.name == disk.disk_name)
            return known.whole;
    // a disk of other disks (LVM, RAID) or of a file, and a part of one: another counts it too
    constexpr unsigned ram = 1;
    constexpr unsigned loop = 7;
    const fs::path folder = fs::path(root + "/sys/class/block") / disk.disk_name.view();
    std::error_code error;
    const bool whole = disk.major != ram && disk.major != loop &&
                       !fs::exists(folder / "partition", error) && !has_entries(folder / "slaves");
    disks.push_back({disk.major, disk.minor, disk.disk_name, whole});
    return whole;
}

void HostReader::State::read_disks(HostSample& sample) {
    Moment partitions_at;
    read(partitions, partitions_at,
         [&](std::string_view text) { return parse_partitions(text, names); });
    read(diskstats, sample.disks_at,
         [&](std::string_view text) { return parse_diskstats(text, sample.disks); });
    if (!sample.disks_at.known())
        return;
    // slots for disks that are not there (loop0, ram0) have counters and no size
    if (partitions_at.known())
        std::erase_if(sample.disks, [&](const DiskCounters& disk) {
            return std::ranges::find(names, disk.disk_name) == names.end();
        });
    std::erase_if(disks, [&](const KnownDisk& known) {
        return std::ranges::none_of(sample.disks, [&](const DiskCounters& disk) {
            return disk.major == known.major && disk.minor == known.minor;
        });
    });
    for (DiskCounters& disk : sample.disks)
        disk.whole = is_whole(disk);
}

void HostReader::State::name_cards(std::vector<NetCounters>& interfaces) const {
    for (NetCounters& one : interfaces) {
        const std::string folder = root + "/sys/class/net/" + std::string(one.net_name.view());
        if (const auto address = read_file(folder + "/address"))
            one.net_hwaddress = std::string_view(*address).substr(0, address->find('\n'));
        std::error_code error;
        one.physical = fs::exists(folder + "/device", error);
    }
}

void HostReader::State::read_interfaces(HostSample& sample) {
    if (!root.empty()) {
        read(net_dev, sample.interfaces_at,
             [&](std::string_view text) { return parse_net_dev(text, sample.interfaces); });
        name_cards(sample.interfaces);
        return;
    }
    const Moment now = clock.now();
    const auto done = [&]() -> Result<void> {
        if (!links) {
            auto opened = Links::open();
            if (!opened)
                return tl::unexpected(opened.error());
            links = std::move(*opened);
        }
        return links->read(sample.interfaces);
    }();
    sample.interfaces_at = done ? now : Moment{};
    if (!done)
        sample.interfaces.clear();
    note(links_failed, done);
}

void HostReader::State::read_pressure(Pressures& all) {
    all = {};
    if (no_pressure)
        return;
    all.at = clock.now();
    const std::array<std::optional<Pressure>*, 3> places{&all.cpu, &all.memory, &all.io};
    for (std::size_t i = 0; i < places.size(); ++i) {
        const auto text = pressures[i].read(buffer);
        const auto pressure = text ? parse_pressure(*text) : tl::unexpected(text.error());
        if (pressure)
            *places[i] = *pressure;
        // compiled out, or switched off at boot (psi=0): not worth asking again, nor a complaint
        else if (pressure.error().code == Errc::not_found || pressure.error().native == EOPNOTSUPP)
            no_pressure = true;
        else
            note(pressures[i].failed, tl::unexpected(pressure.error()));
    }
    if (no_pressure)
        all = {};
}

HostReader::HostReader(HostReaderSettings settings, const Clock& clock)
    : state_(std::make_unique<State>(std::move(settings), clock)) {}

HostReader::~HostReader() = default;

void HostReader::read(HostSample& sample) {
    sample.wall = state_->clock.wall();
    sample.at = state_->clock.now();
    state_->read(state_->stat, sample.cpu.at,
                 [&](std::string_view text) { return parse_stat(text, sample.cpu); });
    state_->read(state_->meminfo, sample.memory.at,
                 [&](std::string_view text) { return parse_meminfo(text, sample.memory); });
    state_->read_disks(sample);
    state_->read_interfaces(sample);
    state_->read_pressure(sample.pressure);
}

} // namespace baton::sampling
