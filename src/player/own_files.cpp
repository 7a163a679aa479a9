#include "player/own_files.h"

#include "player/mounts.h"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace baton::player {

namespace {

constexpr unsigned usual_person = 1000;
constexpr unsigned shadow_group = 42; // Debian's

/// A new file, whole and durable before it has its name: a desk whose disk fills up in the next
/// moment has it, or not at all.
Result<void> write_new(int folder, const char* name, const std::string& text, mode_t mode,
                       unsigned group = 0) {
    if (::faccessat(folder, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return {};
    const auto failed = [&] {
        return fail_errno(errno, std::string("cannot write /etc/") + name,
                          errno == ENOSPC ? "the desk is full" : "");
    };
    const auto working = std::string(".") + name + ".new";
    const Descriptor file(::openat(folder, working.c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode));
    if (!file.open())
        return failed();
    std::size_t done = 0;
    while (done < text.size()) {
        const auto n = ::write(file.get(), text.data() + done, text.size() - done);
        if (n <= 0)
            return failed();
        done += static_cast<std::size_t>(n);
    }
    if ((group != 0 && ::fchown(file.get(), 0, group) != 0) || ::fsync(file.get()) != 0 ||
        ::renameat(folder, working.c_str(), folder, name) != 0)
        return failed();
    return {};
}

bool is_there(int folder, const char* name) {
    struct stat status{};
    return ::fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0;
}

Result<void> write_accounts(const Blueprint& blueprint, int lower, int etc, unsigned uid,
                            unsigned gid) {
    if (is_there(etc, "passwd") && is_there(etc, "group") && is_there(etc, "shadow") &&
        is_there(etc, "gshadow"))
        return {};
    const auto accounts =
        accounts_for(contents_of(lower, "passwd").value_or(""),
                     contents_of(lower, "group").value_or(""), blueprint.owner, uid, gid);
    BATON_TRY(write_new(etc, "passwd", accounts.passwd, 0644));
    BATON_TRY(write_new(etc, "group", accounts.group, 0644));
    BATON_TRY(write_new(etc, "shadow", accounts.shadow, 0640, shadow_group));
    return write_new(etc, "gshadow", accounts.gshadow, 0640, shadow_group);
}

Result<void> link_new(int folder, const char* name, const char* target) {
    if (::symlinkat(target, folder, name) != 0 && errno != EEXIST)
        return fail_errno(errno, std::string("cannot make the link ") + name);
    return {};
}

Result<void> write_etc(const Blueprint& blueprint, int lower, int etc, unsigned uid, unsigned gid) {
    BATON_TRY(write_accounts(blueprint, lower, etc, uid, gid));
    const auto& name = blueprint.host_name;
    BATON_TRY(write_new(etc, "hostname", name + "\n", 0644));
    BATON_TRY(write_new(etc, "hosts",
                        "127.0.0.1 localhost " + name + "\n::1 localhost ip6-localhost\n", 0644));
    BATON_TRY(write_new(etc, "machine-id", blueprint.machine_id + "\n", 0444));
    BATON_TRY(write_new(etc, "subuid", "", 0644));
    BATON_TRY(write_new(etc, "subgid", "", 0644));
    BATON_TRY(link_new(etc, "resolv.conf", "/run/baton/resolv.conf"));
    return link_new(etc, "mtab", "/proc/self/mounts");
}

Result<void> write_run(const Blueprint& blueprint, int run, unsigned uid, unsigned gid) {
    const auto own = "user/" + std::to_string(uid);
    constexpr std::array names{"user", "baton"};
    for (const char* name : names)
        if (::mkdirat(run, name, 0755) != 0 && errno != EEXIST)
            return fail_errno(errno, "cannot make the folders of /run");
    if ((::mkdirat(run, "lock", 01777) != 0 && errno != EEXIST) ||
        (::mkdirat(run, own.c_str(), 0700) != 0 && errno != EEXIST) ||
        ::fchownat(run, own.c_str(), uid, gid, AT_SYMLINK_NOFOLLOW) != 0)
        return fail_errno(errno, "cannot make the folders of /run");
    const Descriptor folder(::openat(run, "baton", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return write_new(folder.get(), "resolv.conf", blueprint.resolver, 0644);
}

} // namespace

Result<void> write_own_files(const Blueprint& blueprint, int lower, int etc, int run, int homes) {
    struct stat home{};
    unsigned uid = usual_person;
    unsigned gid = usual_person;
    if (homes >= 0 && ::fstatat(homes, blueprint.owner.c_str(), &home, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISDIR(home.st_mode) && home.st_uid != 0) {
        uid = home.st_uid;
        gid = home.st_gid;
    }
    if (etc >= 0)
        BATON_TRY(write_etc(blueprint, lower, etc, uid, gid));
    return run >= 0 ? write_run(blueprint, run, uid, gid) : Result<void>{};
}

Result<void> begin_var(int var) {
    struct Folder {
        const char* path;
        mode_t mode;
    };

    constexpr std::array folders{Folder{"backups", 0755},
                                 Folder{"cache", 0755},
                                 Folder{"cache/apt", 0755},
                                 Folder{"cache/apt/archives", 0755},
                                 Folder{"cache/apt/archives/partial", 0700},
                                 Folder{"cache/debconf", 0755},
                                 Folder{"cache/ldconfig", 0700},
                                 Folder{"cache/man", 0755},
                                 Folder{"lib", 0755},
                                 Folder{"lib/misc", 0755},
                                 Folder{"lib/pam", 0755},
                                 Folder{"lib/dbus", 0755},
                                 Folder{"lib/systemd", 0755},
                                 Folder{"local", 0775},
                                 Folder{"log", 0755},
                                 Folder{"log/apt", 0755},
                                 Folder{"mail", 0775},
                                 Folder{"opt", 0755},
                                 Folder{"spool", 0755},
                                 Folder{"spool/cron", 0755},
                                 Folder{"tmp", 01777}};
    for (const auto& folder : folders)
        if (::mkdirat(var, folder.path, folder.mode) != 0 && errno != EEXIST)
            return fail_errno(errno, std::string("cannot make /var/") + folder.path,
                              "the desk may be full");
    BATON_TRY(link_new(var, "run", "/run"));
    return link_new(var, "lock", "/run/lock");
}

} // namespace baton::player
