#include "player/shown_disk.h"

#include "process/exec.h"
#include "process/run.h"

#include <boost/json.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <string_view>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace baton::player {

namespace {

using process::Descriptor;

constexpr int monitor_place = 3;
constexpr int first_file = 4;
/// Covered by a memory file system in the storage daemon's own mount namespace.
constexpr const char* covered = "/tmp";

/// After fork. Async-signal-safe.
struct ShowStart {
    const char* program;
    std::vector<char*> words;
    const char* place;
    bool apart;
    int monitor, said;
    std::array<int, 4> files;
    std::size_t count;
    pid_t parent;

    [[nodiscard]] bool stand_apart() const {
        if (!apart)
            return true;
        return ::unshare(CLONE_NEWNS) == 0 &&
               ::mount("none", "/", nullptr, MS_REC | MS_SLAVE, nullptr) == 0 &&
               ::mount("none", covered, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") ==
                   0 &&
               ::open(place, O_CREAT | O_WRONLY | O_CLOEXEC, 0400) >= 0;
    }

    [[noreturn]] void go() {
        ::setsid();
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != parent || !stand_apart())
            ::_exit(127);
        process::reset_signals();
        const int nothing = ::open("/dev/null", O_RDWR);
        ::dup2(nothing, 0);
        ::dup2(nothing, 1);
        ::dup2(said, 2);
        // out of the way of the places first
        constexpr int high = 100;
        const int socket = ::fcntl(monitor, F_DUPFD, high);
        for (std::size_t i = 0; i < count; ++i)
            files[i] = ::fcntl(files[i], F_DUPFD, high);
        ::dup2(socket, monitor_place);
        for (std::size_t i = 0; i < count; ++i)
            ::dup2(files[i], first_file + static_cast<int>(i));
        ::close_range(first_file + static_cast<unsigned>(count), ~0U, 0);
        ::execv(program, words.data());
        ::_exit(127);
    }
};

/// The same for a source.
struct SourceStart {
    const char* program;
    std::vector<char*> words;
    int socket, said;
    pid_t parent;

    [[noreturn]] void go() const {
        ::setsid();
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != parent)
            ::_exit(127);
        process::reset_signals();
        const int ours = ::fcntl(socket, F_DUPFD, 100);
        ::dup2(said, 2);
        ::dup2(ours, 0);
        ::dup2(ours, 1);
        ::close_range(3, ~0U, 0);
        ::execv(program, words.data());
        ::_exit(127);
    }
};

void end(pid_t& pid) {
    if (pid <= 0)
        return;
    ::kill(pid, SIGKILL);
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    pid = -1;
}

std::int64_t received_by(pid_t pid) {
    std::int64_t sum = 0;
    const Descriptor process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    std::error_code error;
    const auto folder = "/proc/" + std::to_string(pid) + "/fd";
    for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
        const auto target = std::filesystem::read_symlink(entry.path(), error).string();
        if (error || !target.starts_with("socket:"))
            continue;
        const Descriptor socket(static_cast<int>(::syscall(
            SYS_pidfd_getfd, process.get(), std::stoi(entry.path().filename().string()), 0)));
        tcp_info info{};
        socklen_t length = sizeof info;
        if (socket.open() && ::getsockopt(socket.get(), IPPROTO_TCP, TCP_INFO, &info, &length) == 0)
            sum += static_cast<std::int64_t>(info.tcpi_bytes_received);
    }
    return sum;
}

std::string last_words(int pipe) {
    std::array<char, 4096> text{};
    ::fcntl(pipe, F_SETFL, O_NONBLOCK);
    const auto n = ::read(pipe, text.data(), text.size());
    return process::last_line({text.data(), static_cast<std::size_t>(std::max<ssize_t>(n, 0))});
}

/// The monitor's greeting, which it says when all that its command line names is there.
bool greeted(int monitor, std::chrono::milliseconds deadline) {
    pollfd ready{monitor, POLLIN, 0};
    while (::poll(&ready, 1, static_cast<int>(deadline.count())) < 0 && errno == EINTR) {
    }
    char first = 0;
    return (ready.revents & POLLIN) != 0 && ::recv(monitor, &first, 1, 0) == 1;
}

bool says(const std::string& text, std::initializer_list<std::string_view> parts) {
    return std::any_of(parts.begin(), parts.end(),
                       [&](std::string_view part) { return text.find(part) != std::string::npos; });
}

} // namespace

std::vector<std::string> show_words(const ShowOrder& order, int monitor) {
    std::vector<std::string> words{"qemu-storage-daemon"};
    words.insert(words.end(), order.words.begin(), order.words.end());
    // as JSON: a comma in the place's name is no end of it
    const boost::json::object shown{{"type", "fuse"},
                                    {"id", "shown"},
                                    {"node-name", "shown"},
                                    {"mountpoint", order.place},
                                    {"writable", order.writable},
                                    {"growable", false},
                                    {"allow-other", "off"}};
    words.insert(words.end(), {"--export", boost::json::serialize(shown), "--chardev",
                               "socket,id=monitor,fd=" + std::to_string(monitor), "--monitor",
                               "chardev=monitor"});
    return words;
}

Error show_error(const std::string& what, const std::string& last_words, int native) {
    if (says(last_words, {"Invalid password", "No keyslot could be unlocked"}))
        return {Errc::unauthenticated, "that is not the passphrase of " + what, "try again", 0};
    if (says(last_words, {"Failed to get \"", "Is another process using"}))
        return {Errc::busy, what + " is in use by another program",
                "close its session, or wait until its player has let go of it", 0};
    if (says(last_words, {"certificate", "TLS", "handshake", "authz", "access denied"}))
        return {Errc::unauthenticated, what + ": " + last_words,
                "see that the folder of --tls holds the certificate that its server lets in", 0};
    if (says(last_words, {"refused", "unreachable", "timed out", "resolve", "Connection reset",
                          "HEAD request", "curl", "server closed", "Unexpected end-of-file"}))
        return {Errc::unavailable, what + " cannot be reached: " + last_words,
                "see that its server runs and that the address is right", 0};
    return {Errc::unsupported,
            "cannot show " + what + " as a file: " +
                (last_words.empty() ? "qemu-storage-daemon gave no reason" : last_words),
            "the player needs FUSE (modprobe fuse) and qemu-storage-daemon "
            "(apt install qemu-system-common qemu-block-extra)",
            native};
}

Result<ShownDisk> ShownDisk::show(const ShowOrder& order, std::chrono::milliseconds deadline) {
    const auto refuse = [&](const std::string& why, int native = 0) {
        return tl::unexpected(show_error(order.what, why, native));
    };
    const auto program = process::find_program("qemu-storage-daemon");
    if (!program)
        return tl::unexpected(program.error());
    std::array<int, 2> monitor{};
    std::array<int, 2> said{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, monitor.data()) != 0)
        return refuse("no socket", errno);
    const Descriptor ours(monitor[0]);
    Descriptor theirs(monitor[1]);
    if (::pipe2(said.data(), O_CLOEXEC) != 0)
        return refuse("no pipe", errno);
    const Descriptor reading(said[0]);
    Descriptor writing(said[1]);
    ShownDisk disk;
    disk.what_ = order.what;
    auto files = order.files;
    Descriptor source;
    if (!order.source.empty()) {
        auto started = disk.start_source(order.source, writing.get());
        if (!started)
            return tl::unexpected(started.error());
        source = std::move(*started);
        files.push_back(source.get());
    }
    const auto words = show_words(order, monitor_place);
    ShowStart start{program->c_str(),
                    process::exec_pointers(words),
                    order.place.c_str(),
                    order.apart,
                    theirs.get(),
                    writing.get(),
                    {},
                    files.size(),
                    ::getpid()};
    std::copy(files.begin(), files.end(), start.files.begin());
    disk.pid_ = ::fork();
    if (disk.pid_ < 0)
        return refuse("no process", errno);
    if (disk.pid_ == 0)
        start.go();
    theirs.reset();
    writing.reset();
    const bool up = greeted(ours.get(), deadline);
    if (up) {
        const auto seen = order.apart ? "/proc/" + std::to_string(disk.pid_) + "/root" + order.place
                                      : order.place;
        disk.file_ = Descriptor(::open(seen.c_str(), O_RDONLY | O_CLOEXEC));
    }
    if (disk.file_.open())
        return disk;
    const int reason = up ? errno : 0;
    disk.kill();
    return refuse(last_words(reading.get()), reason);
}

std::int64_t ShownDisk::received_bytes() const {
    return received_by(pid_) + (source_ > 0 ? received_by(source_) : 0);
}

Result<void> ShownDisk::put_away(std::chrono::milliseconds deadline) {
    if (pid_ <= 0)
        return {};
    file_.reset();
    const Descriptor process(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    ::kill(pid_, SIGTERM);
    pollfd ended{process.get(), POLLIN, 0};
    while (::poll(&ended, 1, static_cast<int>(deadline.count())) < 0 && errno == EINTR) {
    }
    const bool by_itself = (ended.revents & POLLIN) != 0;
    kill();
    if (by_itself)
        return {};
    return fail(Errc::timeout, "the storage daemon of " + what_ + " did not end in time",
                "what was saved is there; its disk or its server may be slow or gone");
}

Result<Descriptor> ShownDisk::start_source(const std::vector<std::string>& words, int said) {
    const auto program = process::find_program(words.front());
    if (!program)
        return tl::unexpected(program.error());
    std::array<int, 2> pair{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0)
        return fail_errno(errno, "cannot make a socket for " + words.front());
    Descriptor ours(pair[0]);
    const Descriptor theirs(pair[1]);
    const SourceStart start{program->c_str(), process::exec_pointers(words), theirs.get(), said,
                            ::getpid()};
    source_ = ::fork();
    if (source_ < 0)
        return fail_errno(errno, "cannot start " + words.front());
    if (source_ == 0)
        start.go();
    return ours;
}

void ShownDisk::kill() {
    end(pid_);
    end(source_);
}

ShownDisk::ShownDisk(ShownDisk&& other) noexcept
    : what_(std::move(other.what_)),
      pid_(std::exchange(other.pid_, -1)),
      source_(std::exchange(other.source_, -1)),
      file_(std::move(other.file_)) {}

ShownDisk::~ShownDisk() {
    kill();
}

} // namespace baton::player
