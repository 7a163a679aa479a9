#include "player/base_image.h"

#include "player/loop.h"
#include "player/mounts.h"
#include "process/exec.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <string_view>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace baton::player {

namespace {

using process::Descriptor;

constexpr int disk_place = 3;
constexpr int monitor_place = 4;
/// In the storage daemon's own mount namespace; its folder is covered by a memory file system
/// there.
constexpr const char* covered = "/tmp";
constexpr const char* place = "/tmp/base";

/// After fork. Async-signal-safe.
struct DaemonStart {
    const char* program;
    std::vector<char*> words;
    int disk, monitor, said;
    pid_t parent;

    [[noreturn]] void go() {
        ::setsid();
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != parent || ::unshare(CLONE_NEWNS) != 0 ||
            ::mount("none", "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0 ||
            ::mount("none", covered, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") != 0)
            ::_exit(127);
        const int file = ::open(place, O_CREAT | O_WRONLY | O_CLOEXEC, 0400);
        process::reset_signals();
        const int nothing = ::open("/dev/null", O_RDWR);
        ::dup2(nothing, 0);
        ::dup2(nothing, 1);
        ::dup2(said, 2);
        const int from[] = {::fcntl(disk, F_DUPFD, 10), ::fcntl(monitor, F_DUPFD, 10)};
        ::dup2(from[0], disk_place);
        ::dup2(from[1], monitor_place);
        ::close_range(monitor_place + 1, ~0U, 0);
        if (file >= 0)
            ::execv(program, words.data());
        ::_exit(127);
    }
};

std::string last_words(int pipe) {
    std::array<char, 4096> text{};
    ::fcntl(pipe, F_SETFL, O_NONBLOCK);
    const auto n = ::read(pipe, text.data(), text.size());
    return process::last_line({text.data(), static_cast<std::size_t>(std::max<ssize_t>(n, 0))});
}

void stop(pid_t& pid) {
    if (pid <= 0)
        return;
    ::kill(pid, SIGKILL);
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    pid = -1;
}

/// The monitor's greeting, which it says when all that its command line names is there.
bool greeted(int monitor, std::chrono::milliseconds deadline) {
    pollfd ready{monitor, POLLIN, 0};
    while (::poll(&ready, 1, static_cast<int>(deadline.count())) < 0 && errno == EINTR) {
    }
    char first = 0;
    return (ready.revents & POLLIN) != 0 && ::recv(monitor, &first, 1, 0) == 1;
}

struct Export {
    pid_t pid = -1;
    Descriptor file;
};

Result<Export> start_export(const Descriptor& disk, const std::string& id,
                            std::chrono::milliseconds deadline) {
    const auto refuse = [&](const std::string& why, int native = 0) {
        return fail(Errc::unsupported, "cannot show the image " + id + " as a file: " + why,
                    "the player needs FUSE (modprobe fuse) and qemu-storage-daemon "
                    "(apt install qemu-system-common)",
                    native);
    };
    const auto program = process::find_program("qemu-storage-daemon");
    if (!program)
        return refuse("qemu-storage-daemon is not installed");
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
    const auto command = export_command(disk_place, monitor_place, place);
    DaemonStart launch{program->c_str(), process::exec_pointers(command.words),
                       disk.get(),       theirs.get(),
                       writing.get(),    ::getpid()};
    Export result;
    result.pid = ::fork();
    if (result.pid < 0)
        return refuse("no process", errno);
    if (result.pid == 0)
        launch.go();
    theirs.reset();
    writing.reset();
    const bool up = greeted(ours.get(), deadline);
    if (up) {
        const auto seen = "/proc/" + std::to_string(result.pid) + "/root" + place;
        result.file = Descriptor(::open(seen.c_str(), O_RDONLY | O_CLOEXEC));
    }
    if (result.file.open())
        return result;
    const int reason = up ? errno : 0;
    stop(result.pid);
    return refuse(last_words(reading.get()), reason);
}

Result<osimage::Library> open_library(const std::string& folder) {
    const auto path = folder.empty() ? osimage::Library::default_folder() : folder;
    // a PC that has no library does not get one
    if (::access(path.c_str(), F_OK) != 0)
        return fail(Errc::not_found, "there is no library of OS images at " + path,
                    "name one with --library, or BATON_IMAGES");
    return osimage::Library::open_folder(path);
}

} // namespace

process::Command export_command(int disk, int monitor, const std::string& file) {
    process::Command command;
    command.words = {"qemu-storage-daemon",
                     "--blockdev",
                     "driver=file,node-name=disk,filename=/proc/self/fd/" + std::to_string(disk) +
                         ",read-only=on,auto-read-only=off",
                     "--blockdev",
                     "driver=qcow2,node-name=base,file=disk,read-only=on",
                     "--export",
                     "type=fuse,id=base,node-name=base,mountpoint=" + file +
                         ",writable=off,growable=off,allow-other=off",
                     "--chardev",
                     "socket,id=monitor,fd=" + std::to_string(monitor),
                     "--monitor",
                     "chardev=monitor"};
    return command;
}

Result<std::string> BaseImage::find(const std::string& name, const std::string& library) {
    const auto images = open_library(library);
    if (!images)
        return tl::unexpected(images.error());
    return images->resolve(name).map([](const auto& manifest) { return manifest.id.value; });
}

Result<BaseImage> BaseImage::open(const std::string& name, const std::string& library,
                                  std::chrono::milliseconds deadline) {
    auto images = open_library(library);
    if (!images)
        return tl::unexpected(images.error());
    const auto manifest = images->resolve(name);
    if (!manifest)
        return tl::unexpected(manifest.error());
    BaseImage base;
    base.id_ = manifest->id.value;
    auto hold = images->hold(manifest->id);
    if (!hold)
        return tl::unexpected(hold.error());
    base.hold_ = std::move(*hold);
    const auto verified = images->open(manifest->id);
    if (!verified)
        return tl::unexpected(verified.error());
    const Descriptor disk(::open(verified->disk.c_str(), O_RDONLY | O_CLOEXEC));
    if (!disk.open())
        return fail_errno(errno, "cannot open " + verified->disk);
    auto shown = start_export(disk, base.id_, deadline);
    if (!shown)
        return tl::unexpected(shown.error());
    base.pid_ = shown->pid;
    struct stat status{};
    if (::fstat(shown->file.get(), &status) != 0)
        return fail_errno(errno, "cannot look at the image " + base.id_);
    auto loop = attach_loop(shown->file.get(), 0, status.st_size, true, "the image " + base.id_);
    if (!loop)
        return tl::unexpected(loop.error());
    auto mount = make_mount("ext4", {{"source", loop->path}, {"ro", ""}},
                            MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
                            "the image " + base.id_);
    if (!mount)
        return fail(Errc::unsupported,
                    "a desk cannot be laid over the image " + base.id_ + ": " + mount.error().what,
                    "it takes an image with a Linux system in an ext4 on the whole disk, as "
                    "baton os build makes them",
                    mount.error().native);
    base.mount_ = std::move(*mount);
    return base;
}

BaseImage::BaseImage(BaseImage&& other) noexcept
    : id_(std::move(other.id_)),
      hold_(std::move(other.hold_)),
      mount_(std::move(other.mount_)),
      pid_(std::exchange(other.pid_, -1)) {}

BaseImage::~BaseImage() {
    mount_.reset();
    stop(pid_);
}

} // namespace baton::player
