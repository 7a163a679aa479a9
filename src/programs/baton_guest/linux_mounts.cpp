#include "programs/baton_guest/linux_mounts.h"

#include "programs/baton_guest/loop.h"

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <poll.h>
#include <signal.h>
#include <string>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <system_error>
#include <unistd.h>
#include <vector>

namespace baton::guest_program {

namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds holder_deadline{2};
// linux/ext4.h is not exported; the numbers are the kernel's ABI (fs/ext4/ext4.h)
constexpr unsigned long ext4_shutdown = _IOR('X', 125, std::uint32_t);
constexpr std::uint32_t ext4_shutdown_flush_journal = 1;

/// Whether process `proc` (a folder of /proc) has a file of device `device` open, mapped, or as its
/// working, root or program file.
bool holds(const fs::path& proc, dev_t device) {
    const auto is_on = [device](const fs::path& path) {
        struct stat status{};
        return ::stat(path.c_str(), &status) == 0 && status.st_dev == device;
    };
    for (const char* link : {"cwd", "root", "exe"})
        if (is_on(proc / link))
            return true;
    std::error_code error;
    for (fs::directory_iterator fd(proc / "fd", error), end; !error && fd != end;
         fd.increment(error))
        if (is_on(fd->path()))
            return true;
    char wanted[16];
    std::snprintf(wanted, sizeof wanted, " %02x:%02x ", major(device), minor(device));
    std::ifstream maps(proc / "maps");
    for (std::string line; std::getline(maps, line);)
        if (line.find(wanted) != std::string::npos)
            return true;
    return false;
}

} // namespace

Result<void> LinuxMounts::make_folder(const std::string& path) {
    std::error_code error;
    fs::create_directories(path, error);
    struct stat status{};
    if (::lstat(path.c_str(), &status) != 0)
        return fail_errno(error ? error.value() : errno, "cannot make the folder " + path);
    if (!S_ISDIR(status.st_mode))
        return fail(Errc::conflict, "something that is no folder is in the place of " + path);
    return {};
}

Result<void> LinuxMounts::give_to_person(const std::string& path) {
    struct stat status{};
    if (::lstat(path.c_str(), &status) == 0 && status.st_uid == guest::desk_uid)
        return {};
    if (::lchown(path.c_str(), guest::desk_uid, guest::desk_uid) != 0)
        return fail_errno(errno, "cannot give the folder " + path + " to the person");
    return {};
}

Result<void> LinuxMounts::mount_ext4(const std::string& device, const std::string& at,
                                     bool read_only) {
    unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOATIME;
    if (read_only)
        flags |= MS_RDONLY;
    // a read-only desk may be one whose journal cannot be replayed, because its disk is read-only
    // too
    const char* options = read_only ? "noload" : "errors=remount-ro";
    if (::mount(device.c_str(), at.c_str(), "ext4", flags, options) != 0)
        return fail_errno(errno, "cannot mount the desk's disk " + device);
    return {};
}

Result<void> LinuxMounts::bind(const std::string& from, const std::string& to) {
    if (::mount(from.c_str(), to.c_str(), nullptr, MS_BIND, nullptr) != 0)
        return fail_errno(errno, "cannot show " + from + " at " + to);
    return {};
}

Result<void> LinuxMounts::unmount(const std::string& at) {
    if (::umount2(at.c_str(), UMOUNT_NOFOLLOW) != 0 && errno != EINVAL)
        return fail_errno(errno, "cannot unmount " + at);
    return {};
}

Result<void> LinuxMounts::detach(const std::string& at) {
    if (::umount2(at.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0 && errno != EINVAL)
        return fail_errno(errno, "cannot take " + at + " out of the tree");
    return {};
}

Result<void> LinuxMounts::flush(const std::string& at) {
    const Fd folder(::open(at.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder || ::syncfs(folder.get()) != 0)
        return fail_errno(errno, "not everything could be written to the desk's disk");
    return {};
}

void LinuxMounts::kill_holders(const std::string& at) {
    struct stat status{};
    if (::stat(at.c_str(), &status) != 0)
        return;
    std::vector<Fd> killed;
    std::error_code error;
    for (fs::directory_iterator proc("/proc", error), end; !error && proc != end;
         proc.increment(error)) {
        const std::string name = proc->path().filename().string();
        pid_t pid = 0;
        const auto read = std::from_chars(name.data(), name.data() + name.size(), pid);
        if (read.ptr != name.data() + name.size() || pid <= 1 || pid == ::getpid() ||
            !holds(proc->path(), status.st_dev))
            continue;
        Fd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
        if (::kill(pid, SIGKILL) == 0 && process)
            killed.push_back(std::move(process));
    }
    const auto until = std::chrono::steady_clock::now() + holder_deadline;
    for (const Fd& process : killed) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
            until - std::chrono::steady_clock::now());
        pollfd ended{process.get(), POLLIN, 0};
        ::poll(&ended, 1, left.count() > 0 ? static_cast<int>(left.count()) : 0);
    }
}

Result<void> LinuxMounts::cut_off(const std::string& at) {
    const Fd folder(::open(at.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    std::uint32_t how = ext4_shutdown_flush_journal;
    if (!folder || ::ioctl(folder.get(), ext4_shutdown, &how) != 0)
        return fail_errno(errno, "a program holds files of the desk and cannot be ended");
    return {};
}

Result<void> LinuxMounts::make_home(const std::string& path) {
    struct stat status{};
    if (::lstat(path.c_str(), &status) == 0) {
        if (!S_ISDIR(status.st_mode))
            return fail(Errc::conflict, path + " on the desk is no folder");
        return {};
    }
    std::error_code error;
    if (!fs::create_directory(path, error))
        return fail_errno(error.value(), "cannot make the home " + path);
    ::chmod(path.c_str(), 0700);
    std::error_code missing; // small images have nothing for a new home
    if (fs::is_directory("/etc/skel", missing))
        fs::copy("/etc/skel", path, fs::copy_options::recursive | fs::copy_options::copy_symlinks,
                 error);
    if (error)
        return fail_errno(error.value(), "cannot fill the new home " + path);
    BATON_TRY(give_to_person(path));
    for (const auto& entry : fs::recursive_directory_iterator(path, error))
        BATON_TRY(give_to_person(entry.path().string()));
    return {};
}

} // namespace baton::guest_program
