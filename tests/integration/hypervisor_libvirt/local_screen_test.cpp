#include "fixture.h"
#include "process/child.h"

#include <array>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

/// Screens that are sockets of the machine's own.
namespace baton::hypervisor::contract {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

namespace {

/// The first bytes that the screen at this socket says.
std::string local_screen_says(const std::string& path) {
    const process::Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), std::min(path.size(), sizeof address.sun_path - 1));
    std::array<char, 12> bytes{};
    ssize_t got = 0;
    if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0)
        got = ::recv(socket.get(), bytes.data(), bytes.size(), MSG_WAITALL);
    return {bytes.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
}

/// The inodes of the sockets that a process holds.
std::set<std::string> sockets_of(pid_t process) {
    std::set<std::string> inodes;
    for (const auto& entry : fs::directory_iterator("/proc/" + std::to_string(process) + "/fd")) {
        std::error_code gone;
        const std::string target = fs::read_symlink(entry.path(), gone).string();
        if (target.starts_with("socket:["))
            inodes.insert(target.substr(8, target.size() - 9));
    }
    return inodes;
}

/// How many TCP sockets of a process listen.
std::size_t listening_ports(pid_t process) {
    const auto own = sockets_of(process);
    std::size_t listening = 0;
    for (const char* table : {"tcp", "tcp6"}) {
        std::ifstream file("/proc/" + std::to_string(process) + "/net/" + table);
        std::string line;
        while (std::getline(file, line)) {
            std::istringstream fields(line);
            std::array<std::string, 10> words; // the 4th is the state, the 10th the inode
            for (std::string& word : words)
                fields >> word;
            listening += words[3] == "0A" && own.contains(words[9]) ? 1 : 0;
        }
    }
    return listening;
}

class LocalScreenTest : public LibvirtTest {
  protected:
    DesktopSpec local(const std::string& id) {
        DesktopSpec spec = world_.spec(id);
        spec.local_screen = true;
        spec.screen_password.clear();
        return spec;
    }

    std::string socket_of(const DesktopSpec& spec) {
        return screen_socket(world_.settings().state_directory, spec.id);
    }
};

} // namespace

TEST_F(LocalScreenTest, IsASocketInAFolderOfQemusOwnAndNoPort) {
    const DesktopSpec with_port = world_.spec("port");
    ASSERT_TRUE(hypervisor().start(with_port));
    EXPECT_EQ(listening_ports(LibvirtWorld::qemu_of(with_port.id)), 1U) << "the test sees ports";
    ASSERT_TRUE(hypervisor().stop(with_port.id));

    const DesktopSpec spec = local("local");
    const auto started = hypervisor().start(spec);
    ASSERT_TRUE(started) << started.error().message();
    EXPECT_EQ(local_screen_says(socket_of(spec)), "RFB 003.008\n");
    EXPECT_EQ(listening_ports(LibvirtWorld::qemu_of(spec.id)), 0U);
    struct stat folder{};
    ASSERT_EQ(::stat(fs::path(socket_of(spec)).parent_path().c_str(), &folder), 0);
    EXPECT_EQ(folder.st_mode & 0777U, 0700U);
    struct stat socket{};
    ASSERT_EQ(::stat(socket_of(spec).c_str(), &socket), 0);
    EXPECT_EQ(socket.st_uid, folder.st_uid) << "QEMU made it, in its own folder";
    ASSERT_TRUE(hypervisor().stop(spec.id));
    EXPECT_FALSE(fs::exists(socket_of(spec)));
}

/// Also under lab/with-libvirtd --qemu-user, as where Debian's libvirt runs QEMU as libvirt-qemu.
TEST_F(LocalScreenTest, IsOfTheUserAsWhomQemuRuns) {
    // a folder that others may pass, as a host's state folder is
    const fs::path state = world_.settings().state_directory;
    fs::permissions(state.parent_path(), fs::perms::others_exec, fs::perm_options::add);
    DesktopSpec spec = mute(world_, "mute", state.parent_path() / "disk.qcow2");
    spec.local_screen = true;
    const auto started = hypervisor().start(spec);
    ASSERT_TRUE(started) << started.error().message();
    struct stat process{};
    struct stat folder{};
    struct stat socket{};
    const std::string qemu = "/proc/" + std::to_string(LibvirtWorld::qemu_of(spec.id));
    ASSERT_EQ(::stat(qemu.c_str(), &process), 0);
    ASSERT_EQ(::stat((state / "sc").c_str(), &folder), 0);
    ASSERT_EQ(::stat(socket_of(spec).c_str(), &socket), 0);
    EXPECT_EQ(folder.st_uid, process.st_uid);
    EXPECT_EQ(folder.st_mode & 0777U, 0700U);
    EXPECT_EQ(socket.st_uid, process.st_uid);
    if (const char* user = std::getenv("BATON_QEMU_USER"); user != nullptr) {
        EXPECT_EQ(std::to_string(process.st_uid) + "\n", run({"id", "-u", user}));
    }
    EXPECT_EQ(local_screen_says(socket_of(spec)), "RFB 003.008\n");
    ASSERT_TRUE(hypervisor().stop(spec.id));
    EXPECT_FALSE(fs::exists(socket_of(spec)));
}

TEST_F(LocalScreenTest, AnotherAgentLeavesItAndWhatIsLeftOfADeadOneIsSwept) {
    const DesktopSpec spec = local("kept");
    ASSERT_TRUE(hypervisor().start(spec));
    world_.disconnect();
    world_.connect();
    ASSERT_TRUE(LibvirtWorld::wait_for([&] { return hypervisor().list().has_value(); },
                                       LibvirtWorld::patience));
    EXPECT_EQ(local_screen_says(socket_of(spec)), "RFB 003.008\n");

    // everything is killed at once: the agent, libvirtd, QEMU
    const pid_t qemu = LibvirtWorld::qemu_of(spec.id);
    world_.disconnect();
    LibvirtWorld::kill_libvirtd();
    ::kill(qemu, SIGKILL);
    ASSERT_TRUE(LibvirtWorld::wait_end(qemu, LibvirtWorld::patience));
    EXPECT_TRUE(fs::exists(socket_of(spec))) << "QEMU had no time to remove it";
    LibvirtWorld::start_libvirtd();
    world_.connect();
    EXPECT_TRUE(LibvirtWorld::wait_for(
        [&] {
            const auto list = hypervisor().list();
            return list && list->empty() && world_.left_behind().empty();
        },
        LibvirtWorld::patience));
    EXPECT_FALSE(fs::exists(socket_of(spec)));
    EXPECT_TRUE(hypervisor().start(spec)) << "its place is free again";
    EXPECT_EQ(local_screen_says(socket_of(spec)), "RFB 003.008\n");
}

} // namespace baton::hypervisor::contract
