#include "process/child.h"

#include "process/exec.h"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace baton::process {

namespace {

struct Pipe {
    Descriptor read;
    Descriptor write;
};

Result<Pipe> make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
        return fail_errno(errno, "cannot make a pipe", "too many files may be open (ulimit -n)");
    return Pipe{Descriptor(ends[0]), Descriptor(ends[1])};
}

void make_nonblocking(const Descriptor& fd) {
    ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK);
}

std::vector<std::string> environment_with(const std::vector<std::string>& added) {
    std::vector<std::string> all = added;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string text = *entry;
        const auto name = text.substr(0, text.find('=') + 1);
        bool replaced = false;
        for (const auto& mine : added)
            replaced = replaced || mine.compare(0, name.size(), name) == 0;
        if (!replaced)
            all.push_back(text);
    }
    return all;
}

/// What the child does between fork and exec: async-signal-safe calls only.
struct Launch {
    const char* program;
    char** words;
    char** environment;
    int input, output, error, report;
    pid_t parent;

    [[noreturn]] void go() const {
        ::setpgid(0, 0);
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != parent) // it died before the line above
            ::_exit(127);
        reset_signals();
        ::dup2(input, 0);
        ::dup2(output, 1);
        ::dup2(error, 2);
        // libraries (Asio) open sockets without the flag: no program may keep one of ours open
        ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
        ::execve(program, words, environment);
        const int reason = errno;
        [[maybe_unused]] const ssize_t told = ::write(report, &reason, sizeof reason);
        ::_exit(127);
    }
};

} // namespace

void Descriptor::reset() {
    if (fd_ >= 0)
        ::close(std::exchange(fd_, -1));
}

Result<Child> Child::start(const std::string& program, const std::vector<std::string>& words,
                           const std::vector<std::string>& environment) {
    auto in = make_pipe();
    auto out = make_pipe();
    auto err = make_pipe();
    auto report = make_pipe();
    for (const auto* pipe : {&in, &out, &err, &report})
        if (!*pipe)
            return tl::unexpected(pipe->error());
    const auto all_environment = environment_with(environment);
    auto argument_pointers = exec_pointers(words);
    auto environment_pointers = exec_pointers(all_environment);
    const Launch launch{
        program.c_str(),  argument_pointers.data(), environment_pointers.data(), in->read.get(),
        out->write.get(), err->write.get(),         report->write.get(),         ::getpid()};
    const pid_t pid = ::fork();
    if (pid < 0)
        return fail_errno(errno, "cannot start " + program, "the machine may be out of memory");
    if (pid == 0)
        launch.go();
    ::setpgid(pid, pid); // both sides do it: whoever comes first
    Child child;
    child.pid_ = pid;
    report->write.reset();
    int reason = 0;
    if (::read(report->read.get(), &reason, sizeof reason) == sizeof reason)
        return fail_errno(reason, "cannot start " + program);
    child.pidfd = Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (!child.pidfd.open())
        return fail_errno(errno, "cannot watch " + program);
    child.input = std::move(in->write);
    child.output = std::move(out->read);
    child.error = std::move(err->read);
    make_nonblocking(child.input);
    make_nonblocking(child.output);
    make_nonblocking(child.error);
    return child;
}

Child::Child(Child&& other) noexcept
    : input(std::move(other.input)),
      output(std::move(other.output)),
      error(std::move(other.error)),
      pidfd(std::move(other.pidfd)),
      pid_(std::exchange(other.pid_, -1)) {}

Child::~Child() {
    if (pid_ > 0) {
        ::kill(-pid_, SIGKILL);
        wait();
    }
}

void Child::kill_group() {
    if (pid_ <= 0)
        return;
    ::kill(-pid_, SIGTERM);
    pollfd ended{pidfd.get(), POLLIN, 0};
    ::poll(&ended, 1, 2'000);
    ::kill(-pid_, SIGKILL);
    wait();
}

int Child::wait() {
    if (pid_ <= 0)
        return 127;
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

} // namespace baton::process
