#include "fixture.h"
#include "hypervisor/domain_xml.h"
#include "hypervisor/libvirt_handles.h"
#include "process/run.h"
#include "rfb/client.h"

#include <fmt/format.h>

#include <arpa/inet.h>
#include <array>
#include <chrono>
#include <csignal>
#include <fstream>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

/// The world around the adapter: foreign domains, other people's libvirtd, viewers, desk servers.
namespace baton::hypervisor::contract {

using namespace std::chrono_literals;

namespace {

struct Closes {
    void operator()(virConnect* connection) const { virConnectClose(connection); }
};

using Connection = std::unique_ptr<virConnect, Closes>;

/// A domain that somebody else made: without a disk, and never run.
DomainHandle make_foreign(virConnect* connection, const std::string& name) {
    const std::string xml =
        fmt::format("<domain type='qemu'><name>{}</name><memory unit='MiB'>32</memory>"
                    "<os><type arch='x86_64' machine='q35'>hvm</type></os>"
                    "<devices><controller type='usb' model='none'/></devices></domain>",
                    name);
    return DomainHandle(virDomainCreateXML(connection, xml.c_str(), VIR_DOMAIN_START_PAUSED));
}

rfb::Challenge answer(const std::string& password, const rfb::Challenge& challenge) {
    // RFC 6143, 7.2.2: DES with every byte of the key mirrored
    std::string key;
    for (std::size_t i = 0; i < 8; ++i) {
        const unsigned char c = i < password.size() ? static_cast<unsigned char>(password[i]) : 0;
        unsigned mirrored = 0;
        for (int bit = 0; bit < 8; ++bit)
            mirrored |= static_cast<unsigned>((c >> bit) & 1) << (7 - bit);
        key += fmt::format("{:02x}", mirrored);
    }
    const std::string out = run({"openssl", "enc", "-des-ecb", "-provider", "legacy", "-provider",
                                 "default", "-nopad", "-K", key},
                                std::string(challenge.begin(), challenge.end()));
    rfb::Challenge result{};
    std::copy_n(out.begin(), std::min(out.size(), result.size()), result.begin());
    return result;
}

/// Logs in to a screen; the error, or success once the handshake is through.
Result<void> log_in(const Endpoint& screen, const std::string& password) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(screen.port);
    ::inet_pton(AF_INET, screen.address.c_str(), &address.sin_addr);
    Result<void> result;
    if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
        result = fail_errno(errno, "cannot connect to the screen");
    rfb::Client client([&](const rfb::Challenge& c) { return answer(password, c); });
    while (result && !client.ready()) {
        const std::string out = client.take_output();
        if (!out.empty() && ::send(fd, out.data(), out.size(), MSG_NOSIGNAL) < 0)
            break;
        pollfd readable{fd, POLLIN, 0};
        if (::poll(&readable, 1, 20'000) <= 0) {
            result = fail(Errc::timeout, "the screen says nothing");
            break;
        }
        std::array<char, 4096> buffer{};
        const ssize_t n = ::recv(fd, buffer.data(), buffer.size(), 0);
        if (n <= 0)
            result = fail(Errc::unavailable, "the screen hung up");
        else
            result = client.feed({buffer.data(), static_cast<std::size_t>(n)});
    }
    ::close(fd);
    return result;
}

} // namespace

TEST_F(LibvirtTest, ForeignDomainsAreNotListedNorTouched) {
    const Connection connection(virConnectOpen(world_.settings().uri.c_str()));
    ASSERT_TRUE(connection);
    const DomainHandle stranger = make_foreign(connection.get(), "stranger");
    const DomainHandle disguised = make_foreign(connection.get(), "baton-d-disguised");
    ASSERT_TRUE(stranger && disguised);
    world_.restart_agent();
    const auto desktops = hypervisor().list();
    ASSERT_TRUE(desktops);
    EXPECT_TRUE(desktops->empty());
    EXPECT_TRUE(hypervisor().stop(DesktopId("d-disguised"))) << "ours is not there: success";
    EXPECT_EQ(virDomainIsActive(disguised.get()), 1);
    const auto started = hypervisor().start(world_.spec("disguised"));
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().code, Errc::already_exists) << started.error().message();
    EXPECT_EQ(hypervisor().attach_disk(DesktopId("d-disguised"), world_.desk(1)).error().code,
              Errc::not_found);
    EXPECT_TRUE(world_.left_behind().empty());
    for (virDomain* domain : {stranger.get(), disguised.get()}) {
        EXPECT_EQ(virDomainIsActive(domain), 1);
        virDomainDestroy(domain);
    }
    EXPECT_EQ(
        world_.events().count([](const Event& e) { return std::holds_alternative<Stopped>(e); }),
        0U);
}

TEST_F(LibvirtTest, WhenStopReturnsItsProcessIsGone) {
    const DesktopSpec spec = world_.spec("process");
    ASSERT_TRUE(hypervisor().start(spec));
    const pid_t qemu = LibvirtWorld::qemu_of(spec.id);
    ASSERT_GT(qemu, 0);
    ASSERT_TRUE(hypervisor().stop(spec.id));
    EXPECT_TRUE(LibvirtWorld::wait_end(qemu, 0ms)) << "its memory is not free yet";
}

TEST_F(LibvirtTest, AHypervisorThatDoesNotRunIsSaidAndWaitedFor) {
    world_.disconnect();
    LibvirtWorld::kill_libvirtd();
    world_.connect();
    const auto desktops = hypervisor().list();
    ASSERT_FALSE(desktops);
    EXPECT_EQ(desktops.error().code, Errc::unavailable);
    EXPECT_NE(desktops.error().hint.find("libvirtd"), std::string::npos);
    EXPECT_EQ(hypervisor().start(world_.spec("early")).error().code, Errc::unavailable);
    EXPECT_TRUE(world_.left_behind().empty());
    const auto changes = [&] {
        return world_.events().count([](const Event& event) {
            const auto* change = std::get_if<ConnectionChanged>(&event);
            return change != nullptr && change->connected;
        });
    };
    const std::size_t before = changes();
    LibvirtWorld::start_libvirtd();
    EXPECT_TRUE(world_.wait_until([&] { return changes() > before; }));
    EXPECT_TRUE(hypervisor().list());
}

TEST_F(LibvirtTest, AGuestThatAnswersNothingKeepsItsDiskUntilItIsStopped) {
    const DesktopSpec spec = mute(world_, "mute", world_.desk_file(0) + ".qcow2");
    const auto started = hypervisor().start(spec);
    ASSERT_TRUE(started) << started.error().message();
    ASSERT_TRUE(hypervisor().attach_disk(spec.id, world_.desk(1)));
    ASSERT_TRUE(hypervisor().detach_disk(spec.id)) << "asked for, and not waited for";
    EXPECT_EQ(hypervisor().attach_disk(spec.id, world_.desk(1)).error().code, Errc::busy);
    EXPECT_TRUE(hypervisor().detach_disk(spec.id)) << "asking again is no error";
    const auto desktops = hypervisor().list();
    ASSERT_EQ(desktops->size(), 1U);
    EXPECT_TRUE(desktops->front().desk_attached) << "it is QEMU's word that counts";
    EXPECT_TRUE(hypervisor().stop(spec.id));
    EXPECT_TRUE(world_.wait_stopped(spec.id));
    EXPECT_EQ(world_.events().count(
                  [](const Event& e) { return std::holds_alternative<DiskDetached>(e); }),
              0U);
}

TEST_F(LibvirtTest, ADeskServerThatIsNotThereIsSaidAtOnce) {
    const DesktopSpec spec = mute(world_, "nodesk", world_.desk_file(0) + ".qcow2");
    ASSERT_TRUE(hypervisor().start(spec));
    DeskDisk disk = world_.desk(1);
    disk.source.server.port = 1;
    const auto nobody = hypervisor().attach_disk(spec.id, disk);
    ASSERT_FALSE(nobody);
    EXPECT_EQ(nobody.error().code, Errc::unavailable) << nobody.error().message();
    disk = world_.desk(1);
    disk.source.export_name = "desk.of.somebody.else";
    const auto other = hypervisor().attach_disk(spec.id, disk);
    ASSERT_FALSE(other);
    EXPECT_EQ(other.error().code, Errc::not_found) << other.error().message();
    EXPECT_FALSE(hypervisor().list()->front().desk_attached);
    EXPECT_TRUE(hypervisor().attach_disk(spec.id, world_.desk(1))) << "the right one still goes in";
}

TEST_F(LibvirtTest, WhatWasWrittenToTheDeskAndFlushedIsThere) {
    const DesktopSpec spec = scripted("flush", R"(
echo WAITING
while [ ! -b /dev/vdb ]; do sleep 0.1; done
cat /sys/block/vdb/serial
mkdir -p /newroot/mnt
mount -t ext4 /dev/vdb /newroot/mnt
echo kept > /newroot/mnt/fwd/home/kim/note
sync
echo FLUSHED > /dev/vport0p1
while :; do sleep 1; done
)");
    ASSERT_TRUE(hypervisor().start(spec));
    ASSERT_TRUE(hypervisor().attach_disk(spec.id, world_.desk(5)));
    // the word is no message of the protocol, and passed over: the desk's file shows it
    ASSERT_TRUE(world_.wait_console(hypervisor(), spec.id, "desk-5")) << console(spec.id);
    const auto note = [&] {
        process::Command command;
        command.words = {"debugfs", "-R", "cat /fwd/home/kim/note", world_.desk_file(5)};
        const auto read = process::run(command);
        return read ? read->out : "";
    };
    EXPECT_TRUE(LibvirtWorld::wait_for([&] { return note() == "kept\n"; }, World::patience));
    world_.crash(spec.id);
    ASSERT_TRUE(world_.wait_stopped(spec.id));
    EXPECT_EQ(note(), "kept\n");
}

TEST_F(LibvirtTest, AScreenTakesItsPasswordAndNoOtherAndNotForEver) {
    const DesktopSpec spec = mute(world_, "screen", world_.desk_file(0) + ".qcow2");
    const auto info = hypervisor().start(spec);
    ASSERT_TRUE(info);
    EXPECT_EQ(info->screen.address, "127.0.0.1");
    const auto right = log_in(info->screen, spec.screen_password);
    EXPECT_TRUE(right) << right.error().message();
    EXPECT_EQ(log_in(info->screen, "wrong").error().code, Errc::unauthenticated);
    ASSERT_TRUE(
        hypervisor().set_screen_password(spec.id, "another-longer", spec.screen_password_until));
    EXPECT_FALSE(log_in(info->screen, spec.screen_password));
    EXPECT_TRUE(log_in(info->screen, "another-")) << "eight characters count";
    ASSERT_TRUE(
        hypervisor().set_screen_password(spec.id, "another", spec.screen_password_until - 2h));
    EXPECT_FALSE(log_in(info->screen, "another")) << "it has expired";
}

TEST_F(LibvirtTest, AMissingImageAndABadSettingAreClearSentences) {
    DesktopSpec spec = world_.spec("missing");
    spec.image.kernel = "/nowhere/kernel";
    const auto started = hypervisor().start(spec);
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().code, Errc::not_found);
    EXPECT_NE(started.error().what.find("/nowhere/kernel"), std::string::npos);
    EXPECT_TRUE(world_.left_behind().empty());

    world_.settings().screen_address = "192.0.2.77"; // RFC 5737: nobody's
    world_.connect();
    const auto elsewhere = hypervisor().start(world_.spec("elsewhere"));
    ASSERT_FALSE(elsewhere);
    EXPECT_EQ(elsewhere.error().code, Errc::invalid_argument) << elsewhere.error().message();
    EXPECT_TRUE(world_.left_behind().empty());

    LibvirtSettings settings = world_.settings();
    EXPECT_EQ(make_libvirt(settings).error().code, Errc::busy) << "the state directory is in use";
    settings.overlay_limit_bytes = 1;
    EXPECT_EQ(make_libvirt(settings).error().code, Errc::invalid_argument);
}

TEST_F(LibvirtTest, AnImageOfAFirmwareBootsWithoutAKernelFile) {
    // what the BIOS says on its way is all that there is
    const DesktopSpec spec = mute(world_, "bios", world_.desk_file(0) + ".qcow2");
    ASSERT_TRUE(hypervisor().start(spec));
    EXPECT_TRUE(hypervisor().list()->front().running);
    EXPECT_FALSE(hypervisor().list()->front().guest_ready);
}

/// Waits until the console has `words`, or says what it has.
std::string console_with(Hypervisor& hypervisor, const DesktopId& desktop,
                         const std::string& words) {
    std::string text;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(120);
    while (std::chrono::steady_clock::now() < deadline) {
        text = hypervisor.console_tail(desktop, 4000).value_or("");
        if (text.find(words) != std::string::npos)
            return text;
        std::this_thread::sleep_for(std::chrono::milliseconds(200));
    }
    return text;
}

TEST_F(LibvirtTest, AnImageOfUefiBootsByUefiAndLeavesNoVariables) {
    DesktopSpec spec = mute(world_, "uefi", world_.desk_file(0) + ".qcow2");
    spec.image.firmware = "uefi";
    const auto started = hypervisor().start(spec);
    ASSERT_TRUE(started) << started.error().message();
    // EDK II names each boot option that it tries
    EXPECT_NE(console_with(hypervisor(), spec.id, "BdsDxe").find("BdsDxe"), std::string::npos)
        << console(spec.id);
    ASSERT_TRUE(hypervisor().stop(spec.id));
    EXPECT_TRUE(world_.left_behind().empty());
}

} // namespace baton::hypervisor::contract
