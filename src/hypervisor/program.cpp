#include "hypervisor/program.h"

#include "hypervisor/descriptor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>

namespace baton::hypervisor {

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kept_output = 1024 * 1024;

struct Pipe {
    Descriptor read;
    Descriptor write;
};

Result<Pipe> make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
        return fail_errno(errno, "cannot make a pipe");
    return Pipe{Descriptor(ends[0]), Descriptor(ends[1])};
}

Result<pid_t> spawn(const CommandLine& command, int out, int err) {
    std::vector<char*> arguments;
    for (const std::string& argument : command)
        arguments.push_back(const_cast<char*>(argument.c_str()));
    arguments.push_back(nullptr);
    // messages are read by programs here: no translations
    std::string locale = "LC_ALL=C";
    std::vector<char*> environment{locale.data()};
    for (char** entry = environ; *entry != nullptr; ++entry)
        if (std::strncmp(*entry, "LC_ALL=", 7) != 0)
            environment.push_back(*entry);
    environment.push_back(nullptr);

    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out, 1);
    posix_spawn_file_actions_adddup2(&actions, err, 2);
    pid_t pid = 0;
    const int failed =
        ::posix_spawnp(&pid, arguments[0], &actions, nullptr, arguments.data(), environment.data());
    posix_spawn_file_actions_destroy(&actions);
    if (failed != 0)
        return fail_errno(failed, fmt::format("cannot run {}", command[0]),
                          "tools/setup run installs what a host needs");
    return pid;
}

/// Reads both ends until they are closed; false: the deadline passed.
bool drain(Pipe& out, Pipe& err, std::string& output, std::string& errors, Clock::time_point end) {
    std::array<pollfd, 2> ends{{{out.read.get(), POLLIN, 0}, {err.read.get(), POLLIN, 0}}};
    const std::array<std::string*, 2> texts{&output, &errors};
    while (ends[0].fd >= 0 || ends[1].fd >= 0) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
        if (left <= 0)
            return false;
        if (::poll(ends.data(), ends.size(), static_cast<int>(left)) < 0 && errno != EINTR)
            return false;
        for (std::size_t i = 0; i < ends.size(); ++i) {
            if (ends[i].fd < 0 || ends[i].revents == 0)
                continue;
            std::array<char, 4096> buffer{};
            const ssize_t n = ::read(ends[i].fd, buffer.data(), buffer.size());
            if (n <= 0)
                ends[i].fd = -1;
            else if (texts[i]->size() < kept_output)
                texts[i]->append(buffer.data(), static_cast<std::size_t>(n));
        }
    }
    return true;
}

/// Waits for the end of a process that has closed its output; false: the deadline passed.
bool wait_for(pid_t pid, Clock::time_point end) {
    const Descriptor handle(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (!handle)
        return true; // an old kernel: waitpid waits
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
    pollfd ended{handle.get(), POLLIN, 0};
    return ::poll(&ended, 1, static_cast<int>(std::max<std::int64_t>(left, 0))) > 0;
}

std::string last_line(std::string text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == ' '))
        text.pop_back();
    const std::size_t newline = text.rfind('\n');
    return newline == std::string::npos ? text : text.substr(newline + 1);
}

} // namespace

CommandLine make_overlay_command(const std::string& base, const std::string& overlay) {
    return {"qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", base, overlay};
}

Result<std::string> run_program(const CommandLine& command, std::chrono::milliseconds deadline) {
    const Clock::time_point end = Clock::now() + deadline;
    auto out = make_pipe();
    auto err = make_pipe();
    if (!out || !err)
        return tl::unexpected((out ? err : out).error());
    const auto pid = spawn(command, out->write.get(), err->write.get());
    if (!pid)
        return tl::unexpected(pid.error());
    out->write.reset();
    err->write.reset();
    std::string output;
    std::string errors;
    const bool in_time = drain(*out, *err, output, errors, end) && wait_for(*pid, end);
    if (!in_time)
        ::kill(*pid, SIGKILL);
    int status = 0;
    while (::waitpid(*pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (!in_time)
        return fail(Errc::timeout,
                    fmt::format("{} did not end within {} ms", command[0], deadline.count()));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return output;
    const bool full = errors.find("No space left") != std::string::npos;
    return fail(full ? Errc::full : Errc::io,
                fmt::format("'{}' failed: {}", fmt::join(command, " "),
                            errors.empty() ? fmt::format("status {}", status) : last_line(errors)),
                full ? "make room on that file system" : "");
}

} // namespace baton::hypervisor
