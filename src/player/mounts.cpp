#include "player/mounts.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sstream>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace baton::player {

namespace {

/// What the kernel wrote into the context of a file system: "e overlay: ...".
std::string kernel_says(int context) {
    std::array<char, 512> line{};
    std::string said;
    for (ssize_t n = 0; (n = ::read(context, line.data(), line.size())) > 0;) {
        std::string_view text(line.data(), static_cast<std::size_t>(n));
        if (text.size() > 2 && text[1] == ' ')
            text.remove_prefix(2);
        while (!text.empty() && text.back() == '\n')
            text.remove_suffix(1);
        said += said.empty() ? ": " : "; ";
        said += text;
    }
    return said;
}

int open_beneath(int at, const std::string& path) {
    open_how how{};
    how.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    return static_cast<int>(::syscall(SYS_openat2, at, path.c_str(), &how, sizeof how));
}

} // namespace

Result<Descriptor> make_mount(const char* type, const std::vector<MountOption>& options,
                              std::uint64_t attributes, std::string_view what) {
    const Descriptor context(::fsopen(type, FSOPEN_CLOEXEC));
    if (!context.open())
        return fail_errno(errno, "cannot make " + std::string(what),
                          std::string("this kernel needs the file system ") + type);
    const auto refused = [&](const std::string& step) {
        const int reason = errno;
        return fail_errno(reason,
                          "cannot make " + std::string(what) + step + kernel_says(context.get()));
    };
    for (const auto& [key, value] : options) {
        const int done =
            value.empty()
                ? ::fsconfig(context.get(), FSCONFIG_SET_FLAG, key.c_str(), nullptr, 0)
                : ::fsconfig(context.get(), FSCONFIG_SET_STRING, key.c_str(), value.c_str(), 0);
        if (done != 0)
            return refused(" with " + key + (value.empty() ? "" : "=" + value));
    }
    if (::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0)
        return refused("");
    Descriptor mount(::fsmount(context.get(), FSMOUNT_CLOEXEC, static_cast<unsigned>(attributes)));
    if (!mount.open())
        return refused("");
    return mount;
}

Result<Descriptor> copy_of_mount(int at, const std::string& path) {
    const unsigned flags =
        OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (path.empty() ? unsigned{AT_EMPTY_PATH} : 0U);
    Descriptor mount(::open_tree(at, path.c_str(), flags));
    if (!mount.open())
        return fail_errno(errno, "cannot take over " + (path.empty() ? "a folder" : path));
    return mount;
}

Result<void> map_owners(const Descriptor& mount, int user_namespace, const std::string& what) {
    mount_attr attributes{};
    attributes.attr_set = MOUNT_ATTR_IDMAP;
    attributes.userns_fd = static_cast<std::uint64_t>(user_namespace);
    if (::mount_setattr(mount.get(), "", AT_EMPTY_PATH, &attributes, sizeof attributes) != 0)
        return fail(Errc::unsupported,
                    "the owners of " + what + " cannot be mapped: its file system does not let",
                    "this works on ext4, xfs, btrfs and tmpfs with Linux 5.19 or later; "
                    "elsewhere lay the desk over an OS image (--base)",
                    errno);
    return {};
}

Result<void> set_attributes(const Descriptor& mount, std::uint64_t set, const std::string& what) {
    mount_attr attributes{};
    attributes.attr_set = set;
    if (::mount_setattr(mount.get(), "", AT_EMPTY_PATH, &attributes, sizeof attributes) != 0)
        return fail_errno(errno, "cannot restrict " + what);
    return {};
}

Result<void> attach(const Descriptor& mount, int at, const std::string& path) {
    open_how how{};
    how.flags = O_PATH | O_CLOEXEC | O_NOFOLLOW;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    const Descriptor place(
        static_cast<int>(::syscall(SYS_openat2, at, path.c_str(), &how, sizeof how)));
    if (!place.open() || ::move_mount(mount.get(), "", place.get(), "",
                                      MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) != 0)
        return fail_errno(errno, "cannot put the mount of /" + path + " in its place");
    return {};
}

Result<Descriptor> open_folder_beneath(int at, const std::string& path, const std::string& what) {
    Descriptor folder(open_beneath(at, path));
    if (folder.open())
        return folder;
    if (errno == ENOTDIR || errno == ELOOP || errno == EXDEV)
        return fail(Errc::corrupt, what + ": " + path + " is not a folder",
                    "somebody made this desk to mislead; look at it with: baton desk show FILE "
                    "--files /");
    return fail_errno(errno, what + ": cannot open " + path);
}

Result<Descriptor> make_folder_beneath(int at, const std::string& path, const std::string& what) {
    Descriptor here(::fcntl(at, F_DUPFD_CLOEXEC, 0));
    for (std::size_t from = 0; from < path.size();) {
        const auto to = std::min(path.find('/', from), path.size());
        const auto name = path.substr(from, to - from);
        from = to + 1;
        if (name.empty())
            continue;
        if (::mkdirat(here.get(), name.c_str(), 0755) != 0 && errno != EEXIST)
            return fail_errno(errno, what + ": cannot make the folder " + path,
                              errno == ENOSPC ? "the desk is full: remove something from it" : "");
        auto next = open_folder_beneath(here.get(), name, what);
        if (!next)
            return next;
        here = std::move(*next);
    }
    return here;
}

std::optional<std::string> contents_of(int at, const std::string& path) {
    const Descriptor file(::openat(at, path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat status{};
    if (!file.open() || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode) ||
        status.st_size > 64 * 1024 * 1024)
        return std::nullopt;
    std::string text(static_cast<std::size_t>(status.st_size), '\0');
    std::size_t have = 0;
    while (have < text.size()) {
        const auto n = ::read(file.get(), text.data() + have, text.size() - have);
        if (n <= 0)
            break;
        have += static_cast<std::size_t>(n);
    }
    text.resize(have);
    return text;
}

Result<void> check_root(uid_t user, const std::string& uid_map, const std::string& desk) {
    std::istringstream words(uid_map);
    std::uint64_t inside = 0;
    std::uint64_t outside = 0;
    std::uint64_t count = 0;
    words >> inside >> outside >> count;
    const bool whole = inside == 0 && outside == 0 && count == 0xffffffffU;
    if (user == 0 && whole)
        return {};
    return fail(
        Errc::forbidden,
        std::string(user == 0 ? "root of a container is no administrator of this PC, and " : "") +
            "only an administrator of this PC opens desks: it takes a loop device, mounts "
            "that other users do not get, and 65536 user ids of the desk's own",
        "say: sudo baton-play " + desk +
            "; who may not can be allowed to (docs/player.md, \"Without root\"); files come "
            "out of it without: baton desk show " +
            desk + " --files /fwd/home");
}

Result<void> check_kernel() {
    const std::string hint = "the player needs Linux 5.19 or later with user namespaces, overlayfs "
                             "and tmpfs, and may not run in a container that forbids mounts";
    if (::access("/proc/self/ns/user", F_OK) != 0)
        return fail(Errc::unsupported, "this kernel has no user namespaces", hint);
    const Descriptor tree(::open_tree(AT_FDCWD, "/", OPEN_TREE_CLOEXEC));
    if (!tree.open())
        return fail(Errc::unsupported, "this kernel lets nobody use the new mount calls", hint,
                    errno);
    return {};
}

} // namespace baton::player
