#include "hypervisor/console_files.h"
#include "hypervisor/guest_channels.h"
#include "hypervisor/qemu_process.h"
#include "process/child.h"
#include "support/temporary_directory.h"

#include <gtest/gtest.h>

#include <array>
#include <condition_variable>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace baton::hypervisor {

namespace {

using namespace std::chrono_literals;

constexpr std::chrono::seconds patience{30};

/// QEMU's end of a guest's port: a listening unix socket, and the connection that was made to it.
class Port {
  public:
    explicit Port(const std::string& path)
        : listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, path.data(), path.size());
        ::unlink(path.c_str());
        if (::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
            ::listen(listener_.get(), 1) != 0)
            throw std::runtime_error("cannot listen at " + path);
    }

    bool accept() {
        pollfd ready{listener_.get(), POLLIN, 0};
        if (::poll(&ready, 1, 30'000) <= 0)
            return false;
        connection_ = process::Descriptor(::accept(listener_.get(), nullptr, nullptr));
        return connection_.open();
    }

    void hang_up() { connection_.reset(); }

    [[nodiscard]] bool say(const std::string& bytes) const {
        return ::send(connection_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
               static_cast<ssize_t>(bytes.size());
    }

    /// One line of what the host said.
    [[nodiscard]] std::string hear() const {
        std::string line;
        char c = 0;
        pollfd ready{connection_.get(), POLLIN, 0};
        while (::poll(&ready, 1, 30'000) > 0 && ::recv(connection_.get(), &c, 1, 0) == 1 &&
               c != '\n')
            line += c;
        return line;
    }

    /// Writes until nobody takes any more for a while; how much was taken.
    [[nodiscard]] std::size_t flood(const std::string& bytes) const {
        std::size_t taken = 0;
        pollfd ready{connection_.get(), POLLOUT, 0};
        while (::poll(&ready, 1, 200) > 0 && taken < 64U * 1024 * 1024) {
            const ssize_t n =
                ::send(connection_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
            if (n > 0)
                taken += static_cast<std::size_t>(n);
        }
        return taken;
    }

  private:
    process::Descriptor listener_;
    process::Descriptor connection_;
};

class Heard {
  public:
    void add(guest::FromGuest message) {
        const std::scoped_lock lock(mutex_);
        messages_.push_back(std::move(message));
        changed_.notify_all();
    }

    bool wait(std::size_t count) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, patience, [&] { return messages_.size() >= count; });
    }

    std::vector<guest::FromGuest> all() {
        const std::scoped_lock lock(mutex_);
        return messages_;
    }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<guest::FromGuest> messages_;
};

class ChannelsTest : public ::testing::Test {
  protected:
    testing::TemporaryDirectory folder_;
    std::string path_ = folder_.file("port");
    DesktopId desktop_{"d-1"};
    Heard heard_;
};

} // namespace

TEST_F(ChannelsTest, AskFirstThenTalkAndAskAgainAfterEveryHangUp) {
    Port port(path_);
    GuestChannels channels([&](const DesktopId&, guest::FromGuest message) {
        heard_.add(std::move(message));
        channels.delivered(desktop_);
    });
    EXPECT_EQ(channels.send(desktop_, guest::Release{}).error().code, Errc::unavailable);
    channels.open(desktop_, path_);
    ASSERT_TRUE(port.accept());
    EXPECT_EQ(port.hear() + "\n", guest::encode(guest::ToGuest{guest::Ask{}}));
    EXPECT_FALSE(channels.spoke(desktop_));
    ASSERT_TRUE(port.say("garbage\n\n" + guest::encode(guest::FromGuest{guest::Ready{}})));
    ASSERT_TRUE(heard_.wait(1));
    EXPECT_TRUE(channels.spoke(desktop_));
    EXPECT_TRUE(std::holds_alternative<guest::Ready>(heard_.all().front()));
    ASSERT_TRUE(channels.send(desktop_, guest::Release{5}));
    EXPECT_EQ(port.hear() + "\n", guest::encode(guest::ToGuest{guest::Release{5}}));
    // half a line is lost with its connection
    ASSERT_TRUE(port.say("{\"type\":"));
    port.hang_up();
    ASSERT_TRUE(port.accept());
    EXPECT_EQ(port.hear() + "\n", guest::encode(guest::ToGuest{guest::Ask{}}));
    EXPECT_FALSE(channels.spoke(desktop_)) << "who is at the other end now has not said anything";
    ASSERT_TRUE(port.say(guest::encode(guest::FromGuest{guest::LoggedOut{}})));
    ASSERT_TRUE(heard_.wait(2));
    EXPECT_TRUE(std::holds_alternative<guest::LoggedOut>(heard_.all().back()));
    channels.close(desktop_);
    EXPECT_FALSE(channels.spoke(desktop_));
    EXPECT_EQ(channels.send(desktop_, guest::Release{}).error().code, Errc::unavailable);
}

TEST_F(ChannelsTest, AGuestThatFloodsIsHeldBackAndOthersAreHeard) {
    Port flooding(path_);
    Port quiet(folder_.file("quiet"));
    Heard flood;
    GuestChannels channels([&](const DesktopId& from, guest::FromGuest message) {
        if (from == desktop_) {
            flood.add(std::move(message));
            return;
        }
        heard_.add(std::move(message));
    });
    channels.open(desktop_, path_);
    channels.open(DesktopId("d-2"), folder_.file("quiet"));
    ASSERT_TRUE(flooding.accept());
    ASSERT_TRUE(quiet.accept());
    std::string messages;
    for (int i = 0; i < 1000; ++i)
        messages += guest::encode(guest::FromGuest{guest::Ready{}});
    const std::size_t taken = flooding.flood(messages);
    EXPECT_LT(taken, 4U * 1024 * 1024) << "what sockets hold, and no more";
    // one reading of 4 KiB may go over
    const std::size_t undelivered = flood.all().size();
    EXPECT_LT(undelivered, GuestChannels::most_undelivered + 4096 / 16);
    ASSERT_TRUE(quiet.say(guest::encode(guest::FromGuest{guest::Ready{}})));
    EXPECT_TRUE(heard_.wait(1));
    // dealt with, it may go on
    for (std::size_t n = undelivered; n > 0; --n)
        channels.delivered(desktop_);
    EXPECT_TRUE(flood.wait(undelivered + 1));
}

TEST_F(ChannelsTest, AGuestThatDoesNotListenIsUnavailable) {
    Port port(path_);
    GuestChannels channels([](const DesktopId&, guest::FromGuest) {});
    channels.open(desktop_, path_);
    ASSERT_TRUE(port.accept());
    Result<void> sent;
    int count = 0;
    while (sent && ++count < 100'000)
        sent = channels.send(desktop_, guest::Notify{std::string(4000, 'x'), 0, false});
    ASSERT_FALSE(sent);
    EXPECT_EQ(sent.error().code, Errc::unavailable);
    EXPECT_LT(count, 1000) << "a few hundred kilobytes are kept for it, no more";
}

TEST(ConsoleFilesTest, CutsWhatGrowsAndKeepsItsEnd) {
    const testing::TemporaryDirectory folder;
    const auto files = StateFiles::open(folder.file("s"));
    ASSERT_TRUE(files);
    const DesktopId desktop("d-1");
    const process::Descriptor changes(::inotify_init1(IN_CLOEXEC));
    ASSERT_GE(::inotify_add_watch(changes.get(), files->consoles().c_str(), IN_CREATE), 0);
    const ConsoleFiles keeper(*files);
    // as QEMU writes it: appending
    std::ofstream console(files->console(desktop), std::ios::app);
    for (std::int64_t written = 0; written <= ConsoleFiles::longest; written += 64)
        console << std::string(63, 'a') << '\n';
    console << "the end\n" << std::flush;
    std::array<char, 4096> events{};
    pollfd created{changes.get(), POLLIN, 0};
    while (!std::filesystem::exists(files->console(desktop) + ".1")) {
        ASSERT_GT(::poll(&created, 1, 30'000), 0);
        ASSERT_GT(::read(changes.get(), events.data(), events.size()), 0);
    }
    // the older part is written before the file is cut: this looks until both are so
    const auto end = std::chrono::steady_clock::now() + patience;
    while (std::filesystem::file_size(files->console(desktop)) > ConsoleFiles::longest)
        ASSERT_LT(std::chrono::steady_clock::now(), end);
    console << "and on\n" << std::flush;
    EXPECT_EQ(std::filesystem::file_size(files->console(desktop)), 7U);
    EXPECT_EQ(files->console_tail(desktop, 15), "the end\nand on\n");
    EXPECT_LE(std::filesystem::file_size(files->console(desktop) + ".1"), ConsoleFiles::kept);
    EXPECT_TRUE(files->remove_all_but({desktop}).empty());
    files->remove(desktop);
    EXPECT_TRUE(std::filesystem::is_empty(files->consoles()));
}

TEST(QemuProcess, IsFoundByItsUuidAndMayNotWriteLargeFiles) {
    const testing::TemporaryDirectory folder;
    const std::string uuid = "2d6d0ad2-5d2b-4a6e-9c5d-" + std::to_string(::getpid());
    EXPECT_EQ(find_qemu(uuid), 0);
    const std::string file = folder.file("f");
    // a stand-in with QEMU's words: waits for a line, then writes 1 MiB
    auto child = process::Child::start(
        "/bin/bash",
        {"bash", "-c",
         "trap '' XFSZ; read line; head -c 1048576 /dev/zero >\"$0\"; echo done; read line", file,
         "-uuid", uuid, "-x"},
        {});
    ASSERT_TRUE(child) << child.error().message();
    ASSERT_EQ(find_qemu(uuid), child->pid());
    ASSERT_TRUE(limit_file_size(child->pid(), 4096));
    ASSERT_EQ(::write(child->input.get(), "\n", 1), 1);
    pollfd said{child->output.get(), POLLIN, 0};
    ASSERT_GT(::poll(&said, 1, 30'000), 0);
    EXPECT_EQ(std::filesystem::file_size(file), 4096U);
}

} // namespace baton::hypervisor
