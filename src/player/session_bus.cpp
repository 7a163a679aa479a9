#include "player/session_bus.h"

#include "process/exec.h"

#include <csignal>
#include <fcntl.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace baton::player {

namespace {

constexpr int first_passed = 3; // sd_listen_fds(3)

} // namespace

void become(const Account& account) {
    process::reset_signals();
    const std::vector<gid_t> groups(account.groups.begin(), account.groups.end());
    if (::setgroups(groups.size(), groups.data()) != 0 ||
        ::setresgid(account.gid, account.gid, account.gid) != 0 ||
        ::setresuid(account.uid, account.uid, account.uid) != 0)
        ::_exit(127);
}

SessionBus SessionBus::listen(const Account& account) {
    SessionBus bus;
    bus.account_ = account;
    bus.program_ = find_in_path("dbus-daemon", environment_for(account, {}));
    if (bus.program_.empty())
        return bus;
    bus.path_ = "/run/user/" + std::to_string(account.uid) + "/bus";
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    bus.path_.copy(address.sun_path, sizeof address.sun_path - 1);
    process::Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (socket.open() &&
        ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
        ::chmod(bus.path_.c_str(), 0600) == 0 &&
        ::lchown(bus.path_.c_str(), account.uid, account.gid) == 0 &&
        ::listen(socket.get(), SOMAXCONN) == 0)
        bus.socket_ = std::move(socket);
    return bus;
}

void SessionBus::start() {
    if (!patience_.again(std::chrono::steady_clock::now())) {
        given_up_ = true;
        return;
    }
    daemon_ = ::fork();
    if (daemon_ != 0)
        return;
    ::setsid();
    become(account_);
    ::dup2(socket_.get(), first_passed);
    ::fcntl(first_passed, F_SETFD, 0);
    ::close_range(first_passed + 1, ~0U, 0);
    auto environment = environment_for(account_, {});
    environment.push_back("LISTEN_FDS=1");
    environment.push_back("LISTEN_PID=" + std::to_string(::getpid()));
    environment.push_back("DBUS_SESSION_BUS_ADDRESS=" + address());
    const std::vector<std::string> words{"dbus-daemon", "--session",
                                         "--address=systemd:", "--nofork", "--nopidfile"};
    if (::chdir("/") == 0)
        ::execve(program_.c_str(), process::exec_pointers(words).data(),
                 process::exec_pointers(environment).data());
    ::_exit(127);
}

void SessionBus::ended(pid_t pid) {
    if (pid == daemon_)
        daemon_ = -1;
}

} // namespace baton::player
