#include "player/environment.h"

#include "player/assemble.h"
#include "player/confine.h"
#include "player/init.h"
#include "player/mounts.h"

#include <boost/algorithm/hex.hpp>
#include <boost/json.hpp>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

namespace baton::player {

namespace {

/// Nothing of the PC's stays open in the copy but its end of the channel.
Result<Channel> keep_channel_alone(const Channel& channel) {
    constexpr int place = 3;
    if (channel.fd() != place && ::dup2(channel.fd(), place) < 0)
        return fail_errno(errno, "cannot begin the environment");
    ::close_range(place + 1, ~0U, 0);
    ::fcntl(place, F_SETFD, FD_CLOEXEC);
    const int nothing = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int i = 0; i < place; ++i)
        ::dup2(nothing, i);
    ::close(nothing);
    return Channel(Descriptor(place));
}

Result<void> become_root_inside() {
    if (::setresgid(0, 0, 0) != 0 || ::setresuid(0, 0, 0) != 0 || ::setgroups(0, nullptr) != 0)
        return fail_errno(errno, "cannot become root of the environment");
    // after the change of user, which forgets it
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || ::prctl(PR_SET_DUMPABLE, 0) != 0)
        return fail_errno(errno, "cannot tie the environment to the player");
    ::prctl(PR_SET_NAME, "baton-desk");
    ::setsid();
    return {};
}

Result<std::vector<std::string>> prepare(Channel& channel, const Blueprint& blueprint) {
    auto mapped = channel.receive(player_deadline);
    if (!mapped)
        return tl::unexpected(mapped.error());
    BATON_TRY(become_root_inside());
    const auto filter = system_call_filter();
    if (!filter)
        return tl::unexpected(filter.error());
    auto notes = assemble(channel, blueprint);
    if (!notes)
        return notes;
    BATON_TRY(confine(*filter));
    return notes;
}

[[noreturn]] void live(const Channel& outer, const Blueprint& blueprint, std::span<char> arguments,
                       DesktopStart desktop) {
    std::fill(arguments.begin(), arguments.end(), '\0');
    auto channel = keep_channel_alone(outer);
    if (!channel)
        ::_exit(1);
    const auto done = prepare(*channel, blueprint);
    const auto told = channel->send(
        done ? boost::json::object{{"ready", true}, {"notes", boost::json::value_from(*done)}}
             : to_words(done.error()));
    if (!done || !told)
        ::_exit(1);
    run_init(std::move(*channel), blueprint.owner, desktop);
}

Result<void> write_map(pid_t pid, const char* which, IdRange ids) {
    const auto path = "/proc/" + std::to_string(pid) + "/" + which;
    const auto line = "0 " + std::to_string(ids.first) + " " + std::to_string(IdRange::count);
    const Descriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!file.open() ||
        ::write(file.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size()))
        return fail_errno(errno, "cannot map the users of the environment",
                          "play as root of the PC");
    return {};
}

} // namespace

Result<Environment> Environment::make(const Blueprint& blueprint, std::span<char> arguments,
                                      DesktopStart desktop) {
    auto ends = Channel::make();
    if (!ends)
        return tl::unexpected(ends.error());
    Environment environment(std::move(ends->first));
    int pidfd = -1;
    clone_args how{};
    how.flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |
                CLONE_NEWCGROUP | CLONE_NEWTIME | CLONE_PIDFD |
                (blueprint.policy.network == Network::host ? 0 : CLONE_NEWNET);
    how.exit_signal = SIGCHLD;
    how.pidfd = reinterpret_cast<std::uintptr_t>(&pidfd);
    const auto pid = static_cast<pid_t>(::syscall(SYS_clone3, &how, sizeof how));
    if (pid < 0)
        return fail(
            Errc::unsupported, "this PC lets nobody make the namespaces of a desk",
            "the player needs user namespaces (sysctl user.max_user_namespaces), and cannot "
            "run in a chroot",
            errno);
    if (pid == 0)
        live(ends->second, blueprint, arguments, desktop);
    environment.init_ = pid;
    environment.pidfd_ = Descriptor(pidfd);
    const auto path = "/proc/" + std::to_string(pid) + "/ns/user";
    environment.users_ = Descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!environment.users_.open())
        return fail_errno(errno, "cannot see the namespaces of the desk");
    return environment;
}

Environment::Environment(Environment&& other) noexcept
    : channel_(std::move(other.channel_)),
      pidfd_(std::move(other.pidfd_)),
      users_(std::move(other.users_)),
      init_(std::exchange(other.init_, -1)),
      last_program_(other.last_program_) {}

Environment::~Environment() {
    if (init_ <= 0)
        return;
    ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
    ::waitpid(init_, nullptr, 0);
}

Result<void> Environment::map_ids(IdRange ids) {
    BATON_TRY(write_map(init_, "uid_map", ids));
    BATON_TRY(write_map(init_, "gid_map", ids));
    return channel_.send({{"mapped", true}});
}

Result<void> Environment::give_layers(int root, const std::vector<std::string>& layers) {
    std::vector<Descriptor> mounts;
    std::vector<int> files;
    for (const auto& path : layers) {
        auto mount = copy_of_mount(root, path.substr(1));
        if (!mount)
            return tl::unexpected(mount.error());
        BATON_TRY(
            set_attributes(*mount, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, path));
        BATON_TRY(map_owners(*mount, users_.get(), path));
        files.push_back(mount->get());
        mounts.push_back(std::move(*mount));
    }
    return channel_.send({{"layers", layers.size()}}, files);
}

Result<void> Environment::give_base(const Descriptor& mount) {
    BATON_TRY(map_owners(mount, users_.get(), "the base"));
    return channel_.send({{"base", true}}, {mount.get()});
}

Result<void> Environment::give_desk(const Descriptor& mount) {
    BATON_TRY(map_owners(mount, users_.get(), "the desk"));
    return channel_.send({{"desk", true}}, {mount.get()});
}

Result<std::vector<std::string>> Environment::wait_ready(std::chrono::milliseconds deadline) {
    auto message = channel_.receive(deadline);
    if (!message)
        return tl::unexpected(message.error());
    if (const auto error = error_in(message->words))
        return tl::unexpected(*error);
    return boost::json::value_to<std::vector<std::string>>(message->words.at("notes"));
}

Result<void> Environment::begin_services() {
    return channel_.send({{"services", true}});
}

Result<Environment::DisplaySockets> Environment::begin_display(const std::string& cookies) {
    BATON_TRY(channel_.send({{"display", boost::algorithm::hex(cookies)}}));
    for (;;) {
        auto message = channel_.receive(player_deadline);
        if (!message)
            return tl::unexpected(message.error());
        if (const auto error = error_in(message->words))
            return tl::unexpected(*error);
        if (message->words.contains("display") && message->files.size() == 2)
            return DisplaySockets{std::move(message->files[0]), std::move(message->files[1])};
    }
}

Result<std::int64_t> Environment::run(const Program& program, const std::vector<int>& files) {
    BATON_TRY(channel_.send({{"run", ++last_program_}, {"program", to_words(program)}}, files));
    return last_program_;
}

Result<void> Environment::signal(std::int64_t program, int number) {
    return channel_.send({{"signal", number}, {"to", program}});
}

Result<void> Environment::end(std::chrono::milliseconds grace) {
    if (init_ <= 0)
        return {};
    const auto asked = channel_.send({{"end", grace.count()}});
    pollfd ended{pidfd_.get(), POLLIN, 0};
    // the grace is init's to keep; when it does not, it is killed, and all with it
    const auto limit = grace + std::chrono::milliseconds(2'000);
    while (asked && ::poll(&ended, 1, static_cast<int>(limit.count())) < 0 && errno == EINTR) {
    }
    ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
    while (::waitpid(init_, nullptr, 0) < 0 && errno == EINTR) {
    }
    init_ = -1;
    return {};
}

} // namespace baton::player
