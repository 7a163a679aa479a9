#include "monitor/process_files.h"

#include "monitor/scan.h"

#include <fmt/format.h>

namespace baton::monitor {

namespace {

tl::unexpected<Error> corrupt(std::string_view file) {
    return fail(Errc::corrupt, fmt::format("{} is not as Baton knows it", file));
}

/// "a,b" has the word "b".
bool has_word(std::string_view list, std::string_view word) {
    Scan words(list);
    while (!words.done())
        if (words.upto(',') == word)
            return true;
    return false;
}

bool stays_inside(std::string_view path) {
    if (!path.starts_with('/'))
        return false;
    Scan parts(path);
    while (!parts.done())
        if (parts.upto('/') == "..")
            return false;
    return true;
}

} // namespace

Result<ProcessStat> parse_process_stat(std::string_view text) {
    const auto name_end = text.rfind(')'); // nothing behind the name has one
    if (name_end == std::string_view::npos)
        return corrupt("/proc/PID/stat");
    Scan scan(text.substr(name_end + 1, text.find('\n', name_end) - name_end - 1));
    ProcessStat stat;
    const std::string_view state = scan.word();
    // 3 state; 14, 15 the times; 20 threads; 22 start; 24 rss (proc(5))
    if (state.size() != 1 || !scan.skip_words(10) ||
        !scan.numbers(stat.user_ticks, stat.system_ticks) || !scan.skip_words(4) ||
        !scan.number(stat.threads) || !scan.skip_words(1) || !scan.number(stat.start_ticks) ||
        !scan.skip_words(1) || !scan.number(stat.rss_pages))
        return corrupt("/proc/PID/stat");
    stat.state = state[0];
    return stat;
}

Result<ProcessIo> parse_process_io(std::string_view text) {
    ProcessIo io;
    bool read = false;
    bool written = false;
    Scan lines(text);
    while (!lines.done()) {
        Scan scan(lines.line());
        const std::string_view name = scan.upto(':');
        if (name == "read_bytes")
            read = scan.number(io.read_bytes);
        else if (name == "write_bytes")
            written = scan.number(io.written_bytes);
    }
    if (!read || !written)
        return corrupt("/proc/PID/io");
    return io;
}

Result<SchedStat> parse_schedstat(std::string_view text) {
    SchedStat stat;
    if (!Scan(Scan(text).line()).numbers(stat.run_ns, stat.wait_ns))
        return corrupt("/proc/PID/task/TID/schedstat");
    return stat;
}

bool is_vcpu_thread(std::string_view comm) {
    if (!comm.starts_with("CPU "))
        return false;
    Scan scan(comm.substr(4));
    std::uint64_t number = 0;
    return Scan(scan.upto('/')).number(number) && !scan.done();
}

Result<std::uint64_t> parse_group_cpu_ns(std::string_view text) {
    Scan lines(text);
    std::uint64_t value = 0;
    while (!lines.done()) {
        Scan scan(lines.line());
        Scan alone = scan;
        if (alone.number(value))
            return value; // version 1: nanoseconds
        if (scan.word() == "usage_usec" && scan.number(value) && value <= UINT64_MAX / 1000)
            return value * 1000;
    }
    return corrupt("a control group's CPU time");
}

Result<GroupPaths> parse_cgroup(std::string_view text) {
    GroupPaths paths;
    Scan lines(text);
    while (!lines.done()) {
        Scan scan(lines.line());
        const std::string_view hierarchy = scan.upto(':');
        const std::string_view controllers = scan.upto(':');
        const std::string_view path = scan.upto('\n');
        const bool unified = hierarchy == "0" && controllers.empty();
        const bool cpuacct = has_word(controllers, "cpuacct");
        if (!unified && !cpuacct)
            continue;
        if (!stays_inside(path))
            return corrupt("/proc/PID/cgroup");
        (unified ? paths.unified : paths.cpuacct) = path;
    }
    return paths;
}

bool is_qemu_of(std::string_view cmdline, std::string_view uuid) {
    Scan words(cmdline);
    while (!words.done())
        if (words.upto('\0') == "-uuid")
            return words.upto('\0') == uuid;
    return false;
}

} // namespace baton::monitor
