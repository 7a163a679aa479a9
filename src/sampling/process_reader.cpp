#include "sampling/process_reader.h"

#include "monitor/host_files.h"
#include "monitor/process_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <unistd.h>

namespace baton::sampling {

namespace fs = std::filesystem;
using namespace monitor;

namespace {

std::string proc_folder(const std::string& root, pid_t pid) {
    return fmt::format("{}/proc/{}", root, pid);
}

std::uint64_t nanoseconds_of_ticks(std::uint64_t ticks) {
    static const auto per_second = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
    return ticks * (1'000'000'000 / per_second);
}

std::uint64_t page_bytes() {
    static const auto size = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    return size;
}

KeptFile open_or_none(const std::string& path) {
    auto file = KeptFile::open(path);
    return file ? std::move(*file) : KeptFile();
}

std::optional<Pressure> read_pressure(const KeptFile& file, ReadBuffer& buffer) {
    if (!file.is_open())
        return std::nullopt;
    const auto text = file.read_line(buffer);
    const auto pressure = text ? parse_pressure(*text) : tl::unexpected(text.error());
    return pressure ? std::optional(*pressure) : std::nullopt;
}

std::string environment(const char* name) {
    const char* value = std::getenv(name); // NOLINT(concurrency-mt-unsafe): nobody sets it
    return value != nullptr ? value : "";
}

} // namespace

Result<ProcessReader> ProcessReader::open(const std::string& root, pid_t pid,
                                          const std::string& uuid) {
    ProcessReader reader;
    reader.root_ = root == "/" ? "" : root;
    reader.folder_ = proc_folder(reader.root_, pid);
    // opened first: whoever it is, it stays the same process from here on
    auto stat = KeptFile::open(reader.folder_ + "/stat");
    if (!stat)
        return tl::unexpected(stat.error());
    reader.stat_ = std::move(*stat);
    const auto command = read_file(reader.folder_ + "/cmdline");
    if (!command || !is_qemu_of(*command, uuid))
        return fail(Errc::not_found, fmt::format("process {} is not that of VM {}", pid, uuid));
    reader.io_ = open_or_none(reader.folder_ + "/io");
    reader.look_for_threads();
    reader.open_group();
    return reader;
}

void ProcessReader::open_group() {
    const auto text = read_file(folder_ + "/cgroup");
    const auto paths = text ? parse_cgroup(*text) : tl::unexpected(text.error());
    if (!paths)
        return;
    if (const std::string group = own_group(paths->unified); !group.empty()) {
        const std::string folder = root_ + "/sys/fs/cgroup" + group;
        group_cpu_ = open_or_none(folder + "/cpu.stat");
        cpu_pressure_ = open_or_none(folder + "/cpu.pressure");
        memory_pressure_ = open_or_none(folder + "/memory.pressure");
        io_pressure_ = open_or_none(folder + "/io.pressure");
    } else if (const std::string old = own_group(paths->cpuacct); !old.empty()) {
        group_cpu_ = open_or_none(root_ + "/sys/fs/cgroup/cpuacct" + old + "/cpuacct.usage");
    }
}

void ProcessReader::look_for_threads() {
    std::vector<Thread> found;
    std::error_code error;
    for (fs::directory_iterator task(folder_ + "/task", error);
         !error && task != fs::directory_iterator(); task.increment(error)) {
        std::string id = task->path().filename().string();
        const auto old = std::ranges::find(threads_, id, &Thread::id);
        if (old != threads_.end()) {
            found.push_back(std::move(*old));
            continue;
        }
        const auto comm = read_file(task->path().string() + "/comm");
        if (!comm || !is_vcpu_thread(std::string_view(*comm).substr(0, comm->find('\n'))))
            continue;
        if (auto file = KeptFile::open(task->path().string() + "/schedstat"))
            found.push_back({std::move(id), std::move(*file)});
    }
    threads_ = std::move(found);
}

void ProcessReader::read_threads(ReadBuffer& buffer, ProcessCounters& counters) const {
    std::uint64_t run = 0;
    std::uint64_t wait = 0;
    for (const Thread& thread : threads_) {
        const auto text = thread.schedstat.read_line(buffer);
        const auto stat = text ? parse_schedstat(*text) : tl::unexpected(text.error());
        if (!stat)
            return; // one has gone: the sum would run backwards
        run += stat->run_ns;
        wait += stat->wait_ns;
    }
    if (threads_.empty())
        return;
    counters.vcpu_ns = run;
    counters.vcpu_wait_ns = wait;
}

Result<void> ProcessReader::read(ReadBuffer& buffer, const Clock& clock, ProcessCounters& counters,
                                 Pressures& pressure) const {
    counters = {};
    pressure = {};
    const Moment at = clock.now();
    const auto text = stat_.read_line(buffer);
    const auto stat = text ? parse_process_stat(*text) : tl::unexpected(text.error());
    if (!stat)
        return tl::unexpected(stat.error());
    if (stat->state == 'Z' || stat->state == 'X')
        return fail(Errc::not_found, "the process has ended");
    counters.at = at;
    counters.cpu_time_ns = nanoseconds_of_ticks(stat->user_ticks + stat->system_ticks);
    counters.rss_bytes = stat->rss_pages * page_bytes();
    read_threads(buffer, counters);
    if (io_.is_open()) {
        const auto lines = io_.read_line(buffer);
        if (const auto io = lines ? parse_process_io(*lines) : tl::unexpected(lines.error())) {
            counters.disk_read_bytes = io->read_bytes;
            counters.disk_written_bytes = io->written_bytes;
        }
    }
    if (group_cpu_.is_open()) {
        const auto usage = group_cpu_.read_line(buffer);
        if (const auto ns = usage ? parse_group_cpu_ns(*usage) : tl::unexpected(usage.error()))
            counters.group_ns = *ns;
    }
    pressure.cpu = read_pressure(cpu_pressure_, buffer);
    pressure.memory = read_pressure(memory_pressure_, buffer);
    pressure.io = read_pressure(io_pressure_, buffer);
    if (pressure.cpu || pressure.memory || pressure.io)
        pressure.at = at;
    return {};
}

std::string own_group(const std::string& path) {
    std::size_t begin = 1;
    while (begin < path.size()) {
        const std::size_t end = std::min(path.find('/', begin), path.size());
        const auto part = std::string_view(path).substr(begin, end - begin);
        if (part.starts_with("machine-qemu") || part.ends_with(".libvirt-qemu"))
            return path.substr(0, end);
        begin = end + 1;
    }
    return {};
}

std::vector<std::string> pid_folders(const std::string& uri) {
    if (uri.find("/session") == std::string::npos)
        return {"/run/libvirt/qemu", "/var/run/libvirt/qemu"};
    std::vector<std::string> folders;
    if (const auto runtime = environment("XDG_RUNTIME_DIR"); !runtime.empty())
        folders.push_back(runtime + "/libvirt/qemu/run");
    if (const auto home = environment("HOME"); !home.empty())
        folders.push_back(home + "/.cache/libvirt/qemu/run");
    return folders;
}

Result<pid_t> find_qemu(const std::string& root, const std::vector<std::string>& folders,
                        const std::string& name, const std::string& uuid) {
    const std::string base = root == "/" ? "" : root;
    const auto is_it = [&](pid_t pid) {
        const auto command = read_file(proc_folder(base, pid) + "/cmdline");
        return command && is_qemu_of(*command, uuid);
    };
    const auto number = [](std::string_view text) {
        pid_t pid = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), pid);
        const bool whole = end == text.data() + text.size() || *end == '\n';
        return error == std::errc{} && whole ? pid : 0;
    };
    for (const std::string& folder : folders) {
        const auto text = read_file(fmt::format("{}{}/{}.pid", base, folder, name));
        if (const pid_t pid = text ? number(*text) : 0; pid > 0 && is_it(pid))
            return pid;
    }
    std::error_code error;
    for (fs::directory_iterator entry(base + "/proc", error);
         !error && entry != fs::directory_iterator(); entry.increment(error))
        if (const pid_t pid = number(entry->path().filename().string()); pid > 0 && is_it(pid))
            return pid;
    return fail(Errc::not_found, fmt::format("no process of the VM '{}' is to be seen", name),
                "run the monitor on the host itself, as root or as the user of its VMs");
}

} // namespace baton::sampling
