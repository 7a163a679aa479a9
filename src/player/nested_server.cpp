#include "player/nested_server.h"

#include "player/confine.h"
#include "process/exec.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace baton::player {

namespace {

using process::Descriptor;

constexpr off_t most_words = 64 * 1024;

/// A file in memory with these bytes, to be read from its beginning.
Result<Descriptor> file_of(const char* name, const void* bytes, std::size_t size) {
    Descriptor file(static_cast<int>(::memfd_create(name, MFD_CLOEXEC)));
    if (!file.open() || ::write(file.get(), bytes, size) != static_cast<ssize_t>(size) ||
        ::lseek(file.get(), 0, SEEK_SET) != 0)
        return fail_errno(errno, "cannot start the desk's display");
    return file;
}

/// A file in memory that takes so much and no more: what a desk makes its server say is bounded.
Result<Descriptor> bounded_file() {
    Descriptor file(static_cast<int>(::memfd_create("said", MFD_CLOEXEC | MFD_ALLOW_SEALING)));
    if (!file.open() || ::ftruncate(file.get(), most_words) != 0 ||
        ::fcntl(file.get(), F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0)
        return fail_errno(errno, "cannot start the desk's display");
    return file;
}

/// Between fork and exec: descriptors 3 to 6 as xephyr_command says. Async-signal-safe.
struct DisplayStart {
    const char* program;
    std::vector<char*> words;
    const Person& person;
    std::array<int, 4> passed;
    int said;
    pid_t parent;

    [[noreturn]] void go() {
        ::setsid();
        const bool as_person =
            person.uid == ::geteuid() ||
            (::setgroups(0, nullptr) == 0 && ::setresgid(person.gid, person.gid, person.gid) == 0 &&
             ::setresuid(person.uid, person.uid, person.uid) == 0);
        // after the change of user, which forgets it
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (!as_person || ::getppid() != parent || ::chdir("/") != 0)
            ::_exit(127);
        process::reset_signals();
        const int nothing = ::open("/dev/null", O_RDWR);
        ::dup2(nothing, 0);
        ::dup2(nothing, 1);
        ::dup2(said, 2);
        constexpr int out_of_the_way = 16;
        std::array<int, 4> from{};
        for (std::size_t i = 0; i < from.size(); ++i)
            from.at(i) = ::fcntl(passed.at(i), F_DUPFD, out_of_the_way);
        for (std::size_t i = 0; i < from.size(); ++i)
            ::dup2(from.at(i), 3 + static_cast<int>(i));
        ::close_range(3 + static_cast<unsigned>(from.size()), ~0U, 0);
        ::execv(program, words.data());
        ::_exit(127);
    }
};

void say_install(std::vector<std::string>& missing, const char* program, const char* package) {
    if (!process::find_program(program))
        missing.emplace_back(package);
}

} // namespace

Result<void> check_nested_server() {
    std::vector<std::string> missing;
    say_install(missing, "Xephyr", "xserver-xephyr");
    say_install(missing, "bwrap", "bubblewrap");
    if (missing.empty())
        return {};
    std::string names;
    for (const auto& package : missing)
        names += (names.empty() ? "" : " ") + package;
    return fail(Errc::not_found,
                "this PC cannot show a desk's own desktop: " + names + " is not installed",
                "apt install " + names + "; without --graphical the desk opens as it is");
}

process::Command xephyr_command(const NestedOrder& order) {
    process::Command command;
    auto& words = command.words;
    const auto add = [&](std::initializer_list<std::string> more) {
        words.insert(words.end(), more);
    };
    add({"bwrap",
         "--unshare-user",
         "--unshare-ipc",
         "--unshare-pid",
         "--as-pid-1",
         "--unshare-uts",
         "--unshare-cgroup-try",
         "--cap-drop",
         "ALL",
         "--die-with-parent",
         "--new-session",
         "--clearenv",
         "--setenv",
         "PATH",
         "/usr/bin",
         "--setenv",
         "DISPLAY",
         order.pc.name,
         "--setenv",
         "LISTEN_FDS",
         "1",
         "--setenv",
         "LISTEN_PID",
         "1"});
    add({"--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin", "--symlink", "usr/lib",
         "/lib", "--symlink", "usr/lib64", "/lib64", "--dev", "/dev", "--tmpfs", "/tmp"});
    if (order.pc.socket.empty())
        add({"--ro-bind-try", "/etc/hosts", "/etc/hosts", "--ro-bind-try", "/etc/resolv.conf",
             "/etc/resolv.conf"});
    else
        add({"--unshare-net", "--bind", order.pc.socket, order.pc.socket});
    if (!order.pc_cookies.empty())
        add({"--ro-bind", order.pc_cookies, "/pc-cookies", "--setenv", "XAUTHORITY",
             "/pc-cookies"});
    add({"--ro-bind-data", "6", "/desk-cookies", "--remount-ro", "/", "--seccomp", "5", "--"});
    std::array<char, 16> window{};
    std::snprintf(window.data(), window.size(), "0x%x", order.window);
    // no shared memory: its numbers are the PC's; no video, no direct rendering: they lead to the
    // PC's own; no grab of the PC's keyboard and pointer
    add({"Xephyr",        ":0",         "-parent",    window.data(), "-title",     order.title,
         "-no-host-grab", "-nolisten",  "tcp",        "-nolisten",   "unix",       "-nolisten",
         "local",         "-noreset",   "-extension", "MIT-SHM",     "-extension", "GLX",
         "-extension",    "DRI3",       "-noxv",      "-s",          "0",          "-auth",
         "/desk-cookies", "-displayfd", "4"});
    return command;
}

Result<NestedServer> NestedServer::start(const process::Command& command, const Person& person,
                                         int socket, const std::string& cookies) {
    BATON_TRY(check_nested_server());
    const auto program = process::find_program(command.words.front());
    if (!program)
        return tl::unexpected(program.error());
    const auto filter = system_call_filter();
    if (!filter)
        return tl::unexpected(filter.error());
    const auto filter_file = file_of("filter", filter->data(), filter->size());
    const auto cookie_file = file_of("cookies", cookies.data(), cookies.size());
    auto said = bounded_file();
    std::array<int, 2> pipe{};
    if (!filter_file || !cookie_file || !said || ::pipe2(pipe.data(), O_CLOEXEC) != 0)
        return fail_errno(errno, "cannot start the desk's display");
    NestedServer server;
    server.ready_ = Descriptor(pipe[0]);
    const Descriptor ready(pipe[1]);
    DisplayStart launch{
        program->c_str(), process::exec_pointers(command.words),
        person,           {socket, ready.get(), filter_file->get(), cookie_file->get()},
        said->get(),      ::getpid()};
    const pid_t pid = ::fork();
    if (pid < 0)
        return fail_errno(errno, "cannot start the desk's display");
    if (pid == 0)
        launch.go();
    server.pid_ = pid;
    server.said_ = std::move(*said);
    server.pidfd_ = Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (!server.pidfd_.open())
        return fail_errno(errno, "cannot watch the desk's display");
    return server;
}

std::string NestedServer::last_words() const {
    std::string text(static_cast<std::size_t>(most_words), '\0');
    const auto n = ::pread(said_.get(), text.data(), text.size(), 0);
    text.resize(static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
    text.resize(std::min(text.find('\0'), text.size()));
    // "(EE) " alone ends what an X server says before it gives up
    std::string told;
    for (std::size_t from = 0; from < text.size();) {
        const auto to = std::min(text.find('\n', from), text.size());
        auto line = text.substr(from, to - from);
        from = to + 1;
        while (line.starts_with("(EE)") || line.starts_with(" "))
            line.erase(0, line.starts_with(" ") ? 1 : 4);
        if (!line.empty() && line != "Fatal server error:" && !line.starts_with("("))
            told = line;
    }
    return process::last_line(told);
}

Result<void> NestedServer::wait_ready(std::chrono::milliseconds deadline) {
    pollfd up{ready_.get(), POLLIN, 0};
    while (::poll(&up, 1, static_cast<int>(deadline.count())) < 0 && errno == EINTR) {
    }
    char digit = 0;
    if ((up.revents & POLLIN) != 0 && ::read(ready_.get(), &digit, 1) == 1)
        return {};
    stop();
    const auto words = last_words();
    return fail(Errc::unavailable,
                "the desk's own X server does not start" + (words.empty() ? "" : ": " + words),
                words.starts_with("bwrap: ")
                    ? "its sandbox needs user namespaces for ordinary users "
                      "(sysctl kernel.unprivileged_userns_clone=1)"
                    : "can another X program be started on this display?");
}

void NestedServer::stop() {
    if (pid_ <= 0)
        return;
    ::kill(pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
}

NestedServer::~NestedServer() {
    stop();
}

NestedServer::NestedServer(NestedServer&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      pidfd_(std::move(other.pidfd_)),
      ready_(std::move(other.ready_)),
      said_(std::move(other.said_)) {}

NestedServer& NestedServer::operator=(NestedServer&& other) noexcept {
    if (this != &other) {
        stop();
        pid_ = std::exchange(other.pid_, -1);
        pidfd_ = std::move(other.pidfd_);
        ready_ = std::move(other.ready_);
        said_ = std::move(other.said_);
    }
    return *this;
}

} // namespace baton::player
