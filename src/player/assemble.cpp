#include "player/assemble.h"

#include "player/base.h"
#include "player/masks.h"
#include "player/mounts.h"
#include "player/own_files.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <map>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace baton::player {

namespace {

constexpr std::uint64_t plain = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
/// Where layers and desk are attached while overlays are made from them; gone afterwards.
const std::string stage = ".stage";

/// /usr/local -> usr/local
std::string below_root(const std::string& path) {
    return path.substr(1);
}

/// The name of a layer on the stage: /var/lib/dpkg -> var-lib-dpkg
std::string stage_name(const std::string& path) {
    auto name = below_root(path);
    std::replace(name.begin(), name.end(), '/', '-');
    return name;
}

class Assembler {
  public:
    Assembler(Channel& channel, const Blueprint& blueprint)
        : channel_(channel), blueprint_(blueprint) {}

    Result<void> begin();
    Result<void> take_layers();
    Result<void> hardware();
    Result<void> memory_folders();
    Result<void> take_desk();
    [[nodiscard]] std::vector<std::string> notes() const;
    Result<void> persons_paths();
    Result<void> own_files();
    Result<void> enter();

  private:
    Result<void> folder(const std::string& path, mode_t mode = 0755) const {
        if (::mkdirat(root_.get(), path.c_str(), mode) != 0 && errno != EEXIST)
            return fail_errno(errno, "cannot make /" + path);
        return {};
    }

    Result<void> device(const Descriptor& dev, const std::string& name) const;
    Result<void> take_base(Message& message);
    Result<void> overlay(const std::string& path);
    Result<void> forward(const std::string& path, const std::string& store);
    Result<void> own(const std::string& path);
    Result<void> mount_point(const std::string& path);

    Channel& channel_;
    const Blueprint& blueprint_;
    Descriptor root_;
    Descriptor masks_; ///< the tmpfs of the masking layers
    Descriptor desk_;
    std::map<std::string, bool> masked_; ///< layer -> whether it has anything to mask
};

Result<void> Assembler::begin() {
    mount_attr slave{};
    slave.propagation = MS_SLAVE;
    if (::mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &slave, sizeof slave) != 0)
        return fail_errno(errno, "cannot part the mounts inside from the PC's");
    auto root = make_mount("tmpfs", {{"mode", "0755"}, {"size", "16m"}}, plain, "the root folder");
    if (!root)
        return tl::unexpected(root.error());
    root_ = std::move(*root);
    // any folder that every system has: it is covered in this mount namespace alone
    if (::move_mount(root_.get(), "", AT_FDCWD, "/usr", MOVE_MOUNT_F_EMPTY_PATH) != 0)
        return fail_errno(errno, "cannot put the root folder in its place");
    if (::fchdir(root_.get()) != 0)
        return fail_errno(errno, "cannot go into the root folder");
    for (const char* name : {"dev", "proc", "sys", ".stage", ".stage/desk", ".stage/masks"})
        BATON_TRY(folder(name));
    for (const auto& [path, rule] : blueprint_.policy.rules)
        if (rule.rule != Rule::absent && path.find('/', 1) == std::string::npos)
            BATON_TRY(folder(below_root(path)));
    for (const auto& [name, target] : blueprint_.links)
        if (::symlinkat(target.c_str(), root_.get(), name.c_str()) != 0)
            return fail_errno(errno, "cannot make the link /" + name);
    return {};
}

/// The layers out of a whole system: from a mount that is attached to nothing older kernels than
/// 6.15 copy no folder.
Result<void> Assembler::take_base(Message& message) {
    if (message.files.size() != 1)
        return fail(Errc::internal, "the base does not come");
    const auto place = stage + "/base";
    BATON_TRY(folder(place));
    BATON_TRY(attach(message.files.front(), root_.get(), place));
    message.files.clear();
    for (const auto& path : blueprint_.layers) {
        auto at = open_folder_beneath(root_.get(), place + path, "the base");
        if (!at)
            return tl::unexpected(at.error());
        auto layer = copy_of_mount(at->get(), "");
        if (!layer)
            return tl::unexpected(layer.error());
        message.files.push_back(std::move(*layer));
    }
    if (::umount2(place.c_str(), MNT_DETACH) != 0 || ::rmdir(place.c_str()) != 0)
        return fail_errno(errno, "cannot clear up after the base");
    return {};
}

Result<void> Assembler::take_layers() {
    auto message = channel_.receive(player_deadline);
    if (!message)
        return tl::unexpected(message.error());
    if (message->words.contains("base"))
        BATON_TRY(take_base(*message));
    if (message->files.size() != blueprint_.layers.size())
        return fail(Errc::internal, "the layers of the base do not come");
    auto masks = make_mount("tmpfs", {{"mode", "0755"}, {"size", "16m"}}, plain, "the masks");
    if (!masks)
        return tl::unexpected(masks.error());
    masks_ = std::move(*masks);
    BATON_TRY(attach(masks_, root_.get(), stage + "/masks"));
    for (std::size_t i = 0; i < blueprint_.layers.size(); ++i) {
        const auto& path = blueprint_.layers[i];
        const auto name = stage_name(path);
        if (::mkdirat(masks_.get(), name.c_str(), 0755) != 0)
            return fail_errno(errno, "cannot make a layer for the masks of " + path);
        auto layer = open_folder_beneath(masks_.get(), name, "the masks");
        if (!layer)
            return tl::unexpected(layer.error());
        const auto& lower = message->files[i];
        const auto count = mask(lower.get(), layer->get(), path, blueprint_.policy.masks);
        if (!count)
            return tl::unexpected(count.error());
        masked_[path] = *count > 0;
        auto place = stage;
        place.append("/").append(name);
        BATON_TRY(folder(place));
        BATON_TRY(attach(lower, root_.get(), place));
    }
    return {};
}

Result<void> Assembler::device(const Descriptor& dev, const std::string& name) const {
    auto node = copy_of_mount(AT_FDCWD, "/dev/" + name);
    if (!node)
        return {}; // this PC does not have it
    const Descriptor place(::openat(dev.get(), name.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0444));
    if (!place.open())
        return fail_errno(errno, "cannot make /dev/" + name);
    return attach(*node, dev.get(), name);
}

Result<void> Assembler::hardware() {
    auto dev = make_mount("tmpfs", {{"mode", "0755"}, {"size", "1m"}},
                          MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, "/dev");
    if (!dev)
        return tl::unexpected(dev.error());
    BATON_TRY(attach(*dev, root_.get(), "dev"));
    for (const auto& name : blueprint_.policy.devices)
        BATON_TRY(device(*dev, name));
    constexpr std::array<std::pair<const char*, const char*>, 5> links{
        {{"fd", "/proc/self/fd"},
         {"stdin", "/proc/self/fd/0"},
         {"stdout", "/proc/self/fd/1"},
         {"stderr", "/proc/self/fd/2"},
         {"ptmx", "pts/ptmx"}}};
    for (const auto& [name, target] : links)
        ::symlinkat(target, dev->get(), name);
    for (const char* name : {"pts", "shm", "mqueue"})
        ::mkdirat(dev->get(), name, 0755);
    auto pts = make_mount(
        "devpts", {{"newinstance", ""}, {"ptmxmode", "0666"}, {"mode", "0620"}, {"gid", "5"}},
        MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, "/dev/pts");
    auto shm = make_mount("tmpfs", {{"mode", "1777"}, {"size", "50%"}}, plain, "/dev/shm");
    auto queues = make_mount("mqueue", {}, plain | MOUNT_ATTR_NOEXEC, "/dev/mqueue");
    auto proc = make_mount("proc", {}, plain | MOUNT_ATTR_NOEXEC, "/proc");
    auto sys =
        make_mount("tmpfs", {{"mode", "0755"}, {"size", "64k"}}, plain | MOUNT_ATTR_NOEXEC, "/sys");
    for (const auto* mount : {&pts, &shm, &proc, &sys})
        if (!*mount)
            return tl::unexpected(mount->error());
    BATON_TRY(attach(*pts, root_.get(), "dev/pts"));
    BATON_TRY(attach(*shm, root_.get(), "dev/shm"));
    if (queues) // a kernel may have none
        BATON_TRY(attach(*queues, root_.get(), "dev/mqueue"));
    BATON_TRY(attach(*proc, root_.get(), "proc"));
    BATON_TRY(attach(*sys, root_.get(), "sys"));
    for (const auto& name : blueprint_.policy.sys) {
        auto tree = copy_of_mount(AT_FDCWD, "/sys/" + name);
        if (!tree)
            continue; // this PC does not have it
        BATON_TRY(set_attributes(*tree, MOUNT_ATTR_RDONLY | plain | MOUNT_ATTR_NOEXEC, "/sys"));
        BATON_TRY(folder("sys/" + name));
        BATON_TRY(attach(*tree, root_.get(), "sys/" + name));
    }
    return set_attributes(*sys, MOUNT_ATTR_RDONLY, "/sys");
}

Result<void> Assembler::memory_folders() {
    for (const auto& [path, rule] : blueprint_.policy.rules) {
        if (rule.rule != Rule::memory || path.find('/', 1) != std::string::npos)
            continue;
        std::array<char, 8> mode{};
        std::snprintf(mode.data(), mode.size(), "%04o", rule.memory.mode);
        auto mount = make_mount("tmpfs", {{"mode", mode.data()}, {"size", rule.memory.size}}, plain,
                                "the memory file system of " + path);
        if (!mount)
            return tl::unexpected(mount.error());
        BATON_TRY(attach(*mount, root_.get(), below_root(path)));
    }
    return {};
}

Result<void> Assembler::take_desk() {
    auto message = channel_.receive(player_deadline);
    if (!message)
        return tl::unexpected(message.error());
    if (message->files.size() != 1)
        return fail(Errc::internal, "the desk does not come");
    desk_ = std::move(message->files.front());
    return attach(desk_, root_.get(), stage + "/desk");
}

std::vector<std::string> Assembler::notes() const {
    return left_behind(desk_.get(), blueprint_.base,
                       contents_of(root_.get(), stage + "/var-lib-dpkg/status").value_or(""));
}

/// A folder to mount on, made where it is missing, never through a link.
Result<void> Assembler::mount_point(const std::string& path) {
    if (path.find('/', 1) == std::string::npos)
        return {}; // begin() made it
    auto made = make_folder_beneath(root_.get(), below_root(path), "the desk");
    return made ? Result<void>{} : tl::unexpected(made.error());
}

Result<void> Assembler::overlay(const std::string& path) {
    if (std::find(blueprint_.layers.begin(), blueprint_.layers.end(), path) ==
        blueprint_.layers.end())
        return {}; // the base has none
    const auto layers = layer_folder(blueprint_.base, path, Rule::copy_on_write);
    for (const char* part : {"/upper", "/work"}) {
        auto made = make_folder_beneath(desk_.get(), layers + part, "the desk");
        if (!made)
            return tl::unexpected(made.error());
    }
    const auto name = stage_name(path);
    const auto lower =
        (masked_[path] ? stage + "/masks/" + name + ":" : std::string()) + stage + "/" + name;
    auto mount = make_mount("overlay",
                            {{"lowerdir", lower},
                             {"upperdir", stage + "/desk/" + layers + "/upper"},
                             {"workdir", stage + "/desk/" + layers + "/work"},
                             {"userxattr", ""},
                             {"xino", "off"}},
                            plain, "the layers of " + path);
    if (!mount)
        return tl::unexpected(mount.error());
    BATON_TRY(mount_point(path));
    return attach(*mount, root_.get(), below_root(path));
}

Result<void> Assembler::forward(const std::string& path, const std::string& store) {
    auto folder = make_folder_beneath(desk_.get(), store, "the desk");
    if (!folder)
        return tl::unexpected(folder.error());
    auto tree = copy_of_mount(folder->get(), "");
    if (!tree)
        return tl::unexpected(tree.error().in("taking " + store + " of the desk"));
    BATON_TRY(mount_point(path));
    return attach(*tree, root_.get(), below_root(path));
}

Result<void> Assembler::own(const std::string& path) {
    const auto store = layer_folder(blueprint_.base, path, Rule::own);
    const bool is_new = !open_folder_beneath(desk_.get(), store, "the desk").has_value();
    BATON_TRY(forward(path, store));
    if (!is_new || path != "/var")
        return {};
    auto folder = open_folder_beneath(desk_.get(), store, "the desk");
    if (!folder)
        return tl::unexpected(folder.error());
    return begin_var(folder->get());
}

Result<void> Assembler::persons_paths() {
    for (const auto& [path, rule] : blueprint_.policy.rules) {
        Result<void> done;
        if (rule.rule == Rule::copy_on_write)
            done = overlay(path);
        else if (rule.rule == Rule::forward)
            done = forward(path, rule.store);
        else if (rule.rule == Rule::own)
            done = own(path);
        if (!done)
            return tl::unexpected(done.error().in("opening " + path));
    }
    return {};
}

Result<void> Assembler::own_files() {
    const Descriptor lower(
        ::openat(root_.get(), (stage + "/etc").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const Descriptor etc(::openat(root_.get(), "etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const Descriptor run(::openat(root_.get(), "run", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const Descriptor homes(::openat(desk_.get(), "fwd/home", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return write_own_files(blueprint_, lower.get(), etc.get(), run.get(), homes.get());
}

Result<void> Assembler::enter() {
    if (::fchdir(root_.get()) != 0 || ::syscall(SYS_pivot_root, ".", ".") != 0 ||
        ::umount2(".", MNT_DETACH) != 0 || ::chdir("/") != 0)
        return fail_errno(errno, "cannot go into the environment");
    desk_.reset();
    masks_.reset();
    for (const char* name : {"desk", "masks"})
        if (::umount2(("/" + stage + "/" + name).c_str(), MNT_DETACH) != 0)
            return fail_errno(errno, "cannot clear up the environment");
    for (const auto& path : blueprint_.layers)
        if (::umount2(("/" + stage + "/" + stage_name(path)).c_str(), MNT_DETACH) != 0)
            return fail_errno(errno, "cannot clear up the environment");
    for (const auto& path : blueprint_.layers)
        ::rmdir(("/" + stage + "/" + stage_name(path)).c_str());
    for (const char* name : {"desk", "masks"})
        ::rmdir(("/" + stage + "/" + name).c_str());
    if (::rmdir(("/" + stage).c_str()) != 0)
        return fail_errno(errno, "cannot clear up the environment");
    BATON_TRY(set_attributes(root_, MOUNT_ATTR_RDONLY, "the root folder"));
    root_.reset();
    if (::sethostname(blueprint_.host_name.data(), blueprint_.host_name.size()) != 0)
        return fail_errno(errno, "cannot name the environment");
    return {};
}

/// The loopback device of a new network is down.
Result<void> raise_loopback() {
    const Descriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq request{};
    std::strcpy(request.ifr_name, "lo");
    request.ifr_flags = IFF_UP;
    if (!socket.open() || ::ioctl(socket.get(), SIOCSIFFLAGS, &request) != 0)
        return fail_errno(errno, "cannot raise the loopback device inside");
    return {};
}

} // namespace

Result<std::vector<std::string>> assemble(Channel& channel, const Blueprint& blueprint) {
    Assembler assembler(channel, blueprint);
    ::umask(0);
    BATON_TRY(assembler.begin());
    BATON_TRY(assembler.hardware());
    BATON_TRY(assembler.memory_folders());
    if (blueprint.policy.network != Network::host)
        BATON_TRY(raise_loopback());
    BATON_TRY(assembler.take_layers());
    BATON_TRY(assembler.take_desk());
    auto notes = assembler.notes();
    BATON_TRY(assembler.persons_paths());
    BATON_TRY(assembler.own_files());
    BATON_TRY(assembler.enter());
    ::umask(022);
    return notes;
}

} // namespace baton::player
