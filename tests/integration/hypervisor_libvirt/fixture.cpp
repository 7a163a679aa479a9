#include "fixture.h"

#include "process/run.h"

#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace baton::hypervisor::contract {

namespace fs = std::filesystem;

namespace {

constexpr const char* first_steps = R"(#!/bin/busybox sh
export PATH=/bin
for name in cat dd echo modprobe mount mkdir poweroff reboot sync sleep yes head; do
    /bin/busybox ln -s busybox /bin/$name 2>/dev/null
done
mount -t devtmpfs dev /dev
mkdir -p /proc /sys /newroot
mount -t proc proc /proc
mount -t sysfs sys /sys
modprobe -a $(cat /modules)
mount -t ext4 /dev/vda /newroot || echo CANNOT-MOUNT
)";

} // namespace

std::string run(const std::vector<std::string>& words, const std::string& input) {
    process::Command command;
    command.words = words;
    command.input = input;
    command.deadline = std::chrono::seconds(60);
    auto done = process::run_checked(command, "in the test");
    if (!done)
        throw std::runtime_error(done.error().message());
    return std::move(done->out);
}

DesktopSpec LibvirtTest::scripted(const std::string& id, const std::string& script) {
    DesktopSpec spec = world_.spec(id);
    const fs::path folder = fs::path(world_.settings().state_directory) / ".." / ("guest-" + id);
    fs::create_directories(folder / "root");
    std::ofstream(folder / "root/init") << first_steps << script;
    fs::permissions(folder / "root/init", fs::perms(0755));
    // an initrd may be several archives in a row: ours replaces /init of tiny's
    std::ifstream tiny(spec.image.initrd, std::ios::binary);
    std::string initrd((std::istreambuf_iterator<char>(tiny)), {});
    initrd.resize((initrd.size() + 511) / 512 * 512);
    initrd +=
        run({"cpio", "--quiet", "-o", "-H", "newc", "-D", (folder / "root").string()}, "init\n");
    std::ofstream(folder / "initrd", std::ios::binary) << initrd;
    spec.image.initrd = fs::weakly_canonical(folder / "initrd");
    return spec;
}

std::string LibvirtTest::run_to_the_end(const DesktopSpec& spec) {
    const auto started = hypervisor().start(spec);
    EXPECT_TRUE(started) << started.error().message();
    EXPECT_TRUE(world_.wait_stopped(spec.id)) << console(spec.id);
    return console(spec.id);
}

DesktopSpec mute(LibvirtWorld& world, const std::string& id, const std::string& disk) {
    DesktopSpec spec = world.spec(id);
    if (!fs::exists(disk))
        run({"qemu-img", "create", "-q", "-f", "qcow2", disk, "16M"});
    spec.image.disk = disk;
    spec.image.kernel.clear();
    spec.image.initrd.clear();
    spec.image.has_guest_agent = false;
    return spec;
}

} // namespace baton::hypervisor::contract
