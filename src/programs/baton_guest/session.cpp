#include "programs/baton_guest/session.h"

#include "guest/desk_mount.h"

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <grp.h>
#include <linux/sched.h>
#include <signal.h>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// this program has one thread, and its children are alone in theirs
// NOLINTBEGIN(concurrency-mt-unsafe)

namespace baton::guest_program {

namespace {

// a mount of our own: the image need not have one, and need not have it in a certain place
const std::string cgroup_root = "/run/baton/cgroup";
const std::string cgroup = cgroup_root + "/baton-session";

Result<void> write_text(const std::string& path, std::string_view text) {
    const Fd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!fd || ::write(fd.get(), text.data(), text.size()) < 0)
        return fail_errno(errno, "cannot write " + path);
    return {};
}

} // namespace

Result<void> Session::prepare() {
    ::mkdir("/run/baton", 0755);
    ::mkdir(cgroup_root.c_str(), 0755);
    if (::access((cgroup_root + "/cgroup.procs").c_str(), F_OK) != 0 &&
        ::mount("cgroup", cgroup_root.c_str(), "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC,
                nullptr) != 0)
        return fail_errno(errno, "cannot mount the control groups at " + cgroup_root,
                          "baton-guest needs a Linux of 5.14 or later with cgroup2");
    if (::mkdir(cgroup.c_str(), 0755) != 0 && errno != EEXIST)
        return fail_errno(errno, "cannot make the control group " + cgroup);
    group_.reset(::open(cgroup.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    events_.reset(::open((cgroup + "/cgroup.events").c_str(), O_RDONLY | O_CLOEXEC));
    if (!group_ || !events_)
        return fail_errno(errno, "cannot watch the control group " + cgroup);
    loop_.watch(events_.get(), EPOLLPRI, [this](std::uint32_t) { look(); });
    look();
    return {};
}

void Session::look() {
    std::array<char, 256> buffer{};
    const ssize_t count = ::pread(events_.get(), buffer.data(), buffer.size(), 0);
    const std::string_view text(buffer.data(), count > 0 ? static_cast<std::size_t>(count) : 0);
    const bool populated = text.find("populated 1") != std::string_view::npos;
    if (running_ && !populated && first_ < 0) {
        running_ = false;
        ended_();
    }
}

Result<pid_t> Session::fork_inside(const std::function<void()>& program) const {
    // born inside: to move a process into a control group costs tens of milliseconds
    clone_args arguments{};
    arguments.flags = CLONE_INTO_CGROUP;
    arguments.exit_signal = SIGCHLD;
    arguments.cgroup = static_cast<std::uint64_t>(group_.get());
    const auto child = static_cast<pid_t>(::syscall(SYS_clone3, &arguments, sizeof arguments));
    if (child == 0) {
        sigset_t none;
        ::sigemptyset(&none);
        ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
        program();
        ::_exit(127);
    }
    if (child < 0)
        return fail_errno(errno, "cannot start a program of the session");
    return child;
}

Result<void> Session::start(const std::function<void()>& program) {
    ending_ = false;
    const auto child = fork_inside(program);
    if (!child)
        return tl::unexpected(child.error());
    first_ = *child;
    running_ = true;
    return {};
}

Result<pid_t> Session::start_ahead(const std::function<void()>& program) {
    ending_ = ending_ && running_;
    return fork_inside(program);
}

void Session::signal_all(int signal) {
    std::ifstream file(cgroup + "/cgroup.procs");
    for (pid_t pid = 0; file >> pid;)
        ::kill(pid, signal);
}

void Session::ask_to_end() {
    ending_ = true;
    signal_all(SIGHUP); // what a shell listens to
    signal_all(SIGTERM);
    signal_all(SIGCONT);
}

void Session::kill() {
    ending_ = true;
    if (!write_text(cgroup + "/cgroup.kill", "1"))
        signal_all(SIGKILL); // a kernel before 5.14; may miss one that forks just now
    if (!running_)
        loop_.soon([this] { ended_(); });
}

void Session::child_ended(pid_t pid) {
    if (pid != first_)
        return;
    first_ = -1;
    if (!ending_)
        kill(); // logged out: what was left in the background goes too
    look();
}

void become_person(const std::string& person, const std::string& home) {
    ::setsid();
    ::clearenv();
    const std::string shell = ::access("/bin/bash", X_OK) == 0 ? "/bin/bash" : "/bin/sh";
    ::setenv("HOME", home.c_str(), 1);
    ::setenv("USER", person.c_str(), 1);
    ::setenv("LOGNAME", person.c_str(), 1);
    ::setenv("SHELL", shell.c_str(), 1);
    ::setenv("LANG", "C.UTF-8", 1);
    ::setenv("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin", 1);
    const std::array<gid_t, 1> groups{guest::desk_uid};
    if (::setgroups(groups.size(), groups.data()) != 0 || ::setgid(guest::desk_uid) != 0 ||
        ::setuid(guest::desk_uid) != 0)
        ::_exit(126);
    if (::chdir(home.c_str()) != 0 && ::chdir("/") != 0)
        ::_exit(126);
    ::umask(022);
}

} // namespace baton::guest_program

// NOLINTEND(concurrency-mt-unsafe)
