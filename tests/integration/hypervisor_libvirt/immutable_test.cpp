#include "fixture.h"
#include "hypervisor/domain_xml.h"
#include "hypervisor/state_files.h"
#include "osimage/hash.h"
#include "process/run.h"

#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/// The operating system forgets, and takes no more of the host's disk than it may.
namespace baton::hypervisor::contract {

namespace {

constexpr const char* writes_and_reboots = R"(
if [ -e /newroot/etc/marker ]; then echo MARKER-THERE; else echo MARKER-ABSENT; fi
echo 1 > /newroot/etc/marker
rm -rf /newroot/etc/baton
sync
[ -e /newroot/etc/marker ] && echo WRITTEN
reboot -f
)";

constexpr const char* fills_the_disk = R"(
echo FILLING
dd if=/dev/zero of=/newroot/filler bs=1M oflag=direct
echo FILLED
while :; do sleep 1; done
)";

/// A file that is deleted meanwhile can still be measured.
class Watched {
  public:
    explicit Watched(const std::string& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}

    ~Watched() { ::close(fd_); }

    Watched(const Watched&) = delete;
    Watched& operator=(const Watched&) = delete;

    [[nodiscard]] std::int64_t size() const {
        struct stat status{};
        return ::fstat(fd_, &status) == 0 ? status.st_size : -1;
    }

    [[nodiscard]] bool deleted() const {
        struct stat status{};
        return ::fstat(fd_, &status) == 0 && status.st_nlink == 0;
    }

  private:
    int fd_;
};

} // namespace

TEST_F(LibvirtTest, WhatAGuestWritesToItsSystemIsGoneAfterAReboot) {
    const std::string before = *osimage::sha256_file(world_.image().disk);
    for (const char* id : {"first", "second"}) {
        const std::string text = run_to_the_end(scripted(id, writes_and_reboots));
        EXPECT_NE(text.find("MARKER-ABSENT"), std::string::npos) << text;
        EXPECT_NE(text.find("WRITTEN"), std::string::npos) << text;
        EXPECT_TRUE(hypervisor().list()->empty()) << "a reboot inside ends the desktop";
        EXPECT_TRUE(world_.left_behind().empty());
    }
    // cut off in the middle, again and again
    const DesktopSpec cut = scripted("cut", "echo 1 > /newroot/etc/marker; sync; echo WRITTEN\n"
                                            "while :; do sync; done\n");
    ASSERT_TRUE(hypervisor().start(cut));
    world_.crash(cut.id);
    ASSERT_TRUE(world_.wait_stopped(cut.id));
    EXPECT_EQ(*osimage::sha256_file(world_.image().disk), before);
    struct stat status{};
    ASSERT_EQ(::stat(world_.image().disk.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0444U);
}

TEST_F(LibvirtTest, NothingIsLeftWhenEverythingIsKilledAtOnce) {
    const std::string before = *osimage::sha256_file(world_.image().disk);
    const DesktopSpec first = world_.spec("one");
    const DesktopSpec second = world_.spec("two");
    ASSERT_TRUE(hypervisor().start(first));
    ASSERT_TRUE(hypervisor().start(second));
    ASSERT_FALSE(world_.left_behind().empty());
    world_.disconnect(); // the agent
    LibvirtWorld::kill_libvirtd();
    world_.crash(first.id);
    world_.crash(second.id);
    EXPECT_FALSE(world_.left_behind().empty()) << "nobody was there to clean up";
    LibvirtWorld::start_libvirtd();
    world_.connect();
    // libvirtd itself needs a moment to find that its machines are gone
    EXPECT_TRUE(
        LibvirtWorld::wait_for([&] { return world_.left_behind().empty(); }, World::patience));
    EXPECT_TRUE(hypervisor().list()->empty());
    EXPECT_EQ(*osimage::sha256_file(world_.image().disk), before);
}

TEST_F(LibvirtTest, AMachineThatDiedWhileTheHypervisorWasAwayIsSaid) {
    const DesktopSpec spec = world_.spec("unseen");
    ASSERT_TRUE(hypervisor().start(spec));
    LibvirtWorld::kill_libvirtd();
    world_.crash(spec.id);
    LibvirtWorld::start_libvirtd();
    const auto stopped = world_.wait_stopped(spec.id);
    ASSERT_TRUE(stopped);
    EXPECT_TRUE(world_.left_behind().empty());
}

TEST_F(LibvirtTest, ADesktopThatFillsItsDiskIsEndedAndSaysWhy) {
    world_.settings().overlay_limit_bytes = 96LL << 20;
    world_.connect();
    const DesktopSpec spec = scripted("fills", fills_the_disk);
    ASSERT_TRUE(hypervisor().start(spec));
    const Watched overlay(world_.settings().state_directory + "/overlays/" + spec.id.value);
    const auto stopped = world_.wait_stopped(spec.id);
    ASSERT_TRUE(stopped) << console(spec.id);
    EXPECT_NE(stopped->reason.find("more to its operating system"), std::string::npos)
        << stopped->reason;
    EXPECT_LE(overlay.size(), world_.settings().overlay_limit_bytes);
    EXPECT_GT(overlay.size(), 32LL << 20) << "it was not the limit that ended it";
    EXPECT_TRUE(overlay.deleted());
    EXPECT_NE(console(spec.id).find("FILLING"), std::string::npos);
}

TEST_F(LibvirtTest, TheLimitHoldsWhileNobodyWatches) {
    world_.settings().overlay_limit_bytes = 64LL << 20;
    world_.connect();
    const DesktopSpec spec = scripted("alone", fills_the_disk);
    ASSERT_TRUE(hypervisor().start(spec));
    const Watched overlay(world_.settings().state_directory + "/overlays/" + spec.id.value);
    const std::string path = world_.settings().state_directory + "/consoles/" + spec.id.value;
    world_.disconnect();
    ASSERT_TRUE(LibvirtWorld::wait_for(
        [&] { return file_tail(path, 8000).find("FILLED") != std::string::npos; }, World::patience))
        << file_tail(path, 8000);
    EXPECT_LE(overlay.size(), world_.settings().overlay_limit_bytes);
    EXPECT_GT(overlay.size(), 48LL << 20) << "the kernel stopped it, not its own end";
    world_.connect();
    const auto stopped = world_.wait_stopped(spec.id);
    ASSERT_TRUE(stopped) << "what went on unseen is dealt with";
    EXPECT_NE(stopped->reason.find("more to its operating system"), std::string::npos);
    EXPECT_TRUE(overlay.deleted());
}

TEST_F(LibvirtTest, ADeskServerThatIsFullHoldsTheDesktopUntilThereIsRoom) {
    const std::string disk = world_.settings().state_directory + "/../full";
    std::filesystem::create_directories(disk);
    // in the mount namespace of this test alone; the desk's own 32 MiB do not fit
    ASSERT_EQ(::mount("full", disk.c_str(), "tmpfs", 0, "size=12m"), 0);
    std::filesystem::create_symlink(std::filesystem::canonical(disk) / "desk", world_.desk_file(6));
    const DesktopSpec spec = scripted("thirsty", R"(
while [ ! -b /dev/vdb ]; do sleep 0.1; done
mkdir -p /newroot/mnt
mount -t ext4 /dev/vdb /newroot/mnt
echo FILLING
dd if=/dev/zero of=/newroot/mnt/fwd/home/kim/film bs=1M count=16 conv=fsync && echo KEPT
sync
while :; do sleep 1; done
)");
    ASSERT_TRUE(hypervisor().start(spec));
    ASSERT_TRUE(hypervisor().attach_disk(spec.id, world_.desk(6)));
    const auto state = [&] {
        process::Command command;
        command.words = {"virsh",
                         "-q",
                         "-c",
                         world_.settings().uri,
                         "domstate",
                         "--reason",
                         domain_name(spec.id)};
        const auto said = process::run(command);
        return said ? said->out : said.error().message();
    };
    EXPECT_TRUE(LibvirtWorld::wait_for(
        [&] { return state().find("paused (I/O error)") != std::string::npos; }, World::patience))
        << state() << console(spec.id);
    // a new agent finds it so, and it still waits
    world_.disconnect();
    world_.connect();
    EXPECT_TRUE(LibvirtWorld::wait_for([&] { return hypervisor().list()->front().running; },
                                       World::patience));
    EXPECT_EQ(console(spec.id).find("KEPT"), std::string::npos);
    ASSERT_EQ(::mount("full", disk.c_str(), "tmpfs", MS_REMOUNT, "size=64m"), 0);
    EXPECT_TRUE(world_.wait_console(hypervisor(), spec.id, "KEPT")) << state() << console(spec.id);
    ASSERT_TRUE(hypervisor().stop(spec.id));
    ::umount2(disk.c_str(), MNT_DETACH);
}

TEST_F(LibvirtTest, AFullHostDiskEndsTheDesktopAndSaysSo) {
    const std::string disk = world_.settings().state_directory + "/../small";
    std::filesystem::create_directories(disk);
    // in the mount namespace of this test alone
    ASSERT_EQ(::mount("small", disk.c_str(), "tmpfs", 0, "size=48m"), 0);
    world_.settings().state_directory = std::filesystem::canonical(disk);
    world_.connect();
    const DesktopSpec spec = scripted("full", fills_the_disk);
    ASSERT_TRUE(hypervisor().start(spec));
    const auto stopped = world_.wait_stopped(spec.id);
    ASSERT_TRUE(stopped) << console(spec.id);
    EXPECT_EQ(stopped->reason, "ended: the disk of the host is full");
    EXPECT_TRUE(world_.left_behind().empty());

    // and none is begun when there is no room at all
    const std::string filler = world_.settings().state_directory + "/filler";
    std::ofstream(filler, std::ios::binary) << std::string(64UL << 20, 'x');
    const auto refused = hypervisor().start(world_.spec("noroom"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::full) << refused.error().message();
    EXPECT_FALSE(refused.error().hint.empty());
    std::filesystem::remove(filler);
    EXPECT_TRUE(world_.left_behind().empty());
    world_.disconnect();
    ::umount2(disk.c_str(), MNT_DETACH);
}

} // namespace baton::hypervisor::contract
