#include "hypervisor/domain_xml.h"
#include "hypervisor/libvirt_handles.h"
#include "hypervisor/program.h"
#include "hypervisor/screen_folder.h"
#include "hypervisor/state_files.h"
#include "hypervisor/xml.h"
#include "support/temporary_directory.h"

#include <gtest/gtest.h>
#include <libvirt/virterror.h>
#include <rapidcheck.h>

#include <filesystem>
#include <fstream>

namespace baton::hypervisor {

namespace {

using namespace std::chrono_literals;

DomainPlan plan() {
    DomainPlan plan;
    plan.desktop.id = DesktopId("d-1234abcd");
    plan.desktop.session = SessionId("s-1");
    plan.desktop.person = UserName("kim");
    plan.desktop.image.id = OsImageId("tiny-1");
    plan.desktop.image.disk = "/images/tiny-1/disk.qcow2";
    plan.desktop.image.kernel = "/images/tiny-1/kernel";
    plan.desktop.image.initrd = "/images/tiny-1/initrd";
    plan.desktop.image.kernel_arguments = "console=ttyS0 quiet";
    plan.desktop.memory = 1_GiB;
    plan.desktop.screen_password = "password-and-more";
    plan.desktop.screen_password_until = WallTime(1'763'629'200'999ms);
    plan.uuid = "11111111-2222-4333-8444-555555555555";
    plan.overlay = "/state/overlays/d-1234abcd";
    plan.console = "/state/consoles/d-1234abcd";
    plan.channel = "/state/ch/d-1234abcd";
    plan.nvram = "/state/nvram/d-1234abcd";
    plan.screen_address = "10.99.0.11";
    plan.screen_socket = "/state/sc/d-1234abcd";
    return plan;
}

DomainPlan local_plan() {
    DomainPlan local = plan();
    local.desktop.local_screen = true;
    return local;
}

std::string of(const DomainPlan& spec, const char* path) {
    return xml::value(xml::parse(to_xml(spec)), path);
}

std::size_t count(const DomainPlan& spec, const char* path) {
    return xml::find(xml::parse(to_xml(spec)), path).size();
}

} // namespace

TEST(DomainXml, SaysWhatTheDesktopIs) {
    const DomainPlan spec = plan();
    EXPECT_EQ(of(spec, "/domain/@type"), "qemu");
    EXPECT_EQ(of(spec, "/domain/name"), "baton-d-1234abcd");
    EXPECT_EQ(of(spec, "/domain/uuid"), spec.uuid);
    EXPECT_EQ(of(spec, "/domain/title"), "desktop of kim");
    EXPECT_EQ(of(spec, "/domain/memory[@unit='MiB']"), "1024");
    EXPECT_EQ(of(spec, "/domain/currentMemory[@unit='MiB']"), "1024");
    EXPECT_EQ(of(spec, "/domain/vcpu"), "1");
    EXPECT_EQ(of(spec, "/domain/cpu/@mode"), "maximum");
    EXPECT_EQ(of(spec, "/domain/os/type[@machine='q35']"), "hvm");
    EXPECT_EQ(count(spec, "/domain/genid"), 1U);
    for (const char* event : {"/domain/on_poweroff", "/domain/on_reboot", "/domain/on_crash"})
        EXPECT_EQ(of(spec, event), "destroy") << event;
}

TEST(DomainXml, TheBaseIsOnlyEverABackingFileAndKeepsItsOwner) {
    const DomainPlan spec = plan();
    EXPECT_EQ(of(spec, "/domain/devices/disk[target/@dev='vda']/source/@file"), spec.overlay);
    EXPECT_EQ(of(spec, "/domain/devices/disk/backingStore/source/@file"), spec.desktop.image.disk);
    EXPECT_EQ(of(spec, "/domain/devices/disk/backingStore/source/seclabel/@relabel"), "no");
    EXPECT_EQ(count(spec, "/domain/devices/disk"), 1U);
}

TEST(DomainXml, BootsItsKernelOrItsFirmware) {
    DomainPlan spec = plan();
    EXPECT_EQ(of(spec, "/domain/os/kernel"), "/images/tiny-1/kernel");
    EXPECT_EQ(of(spec, "/domain/os/initrd"), "/images/tiny-1/initrd");
    EXPECT_EQ(of(spec, "/domain/os/cmdline"), "console=ttyS0 quiet");
    EXPECT_EQ(count(spec, "/domain/os/boot"), 0U);
    spec.desktop.image.kernel.clear();
    EXPECT_EQ(of(spec, "/domain/os/boot/@dev"), "hd");
    EXPECT_EQ(count(spec, "/domain/os/kernel | /domain/os/initrd | /domain/os/cmdline"), 0U);
    EXPECT_EQ(of(spec, "/domain/os/@firmware"), "");
    spec.desktop.image.firmware = "uefi";
    EXPECT_EQ(of(spec, "/domain/os/@firmware"), "efi");
    EXPECT_EQ(of(spec, "/domain/os/nvram"), spec.nvram);
}

TEST(DomainXml, KvmTakesTheHostsProcessor) {
    DomainPlan spec = plan();
    spec.kvm = true;
    EXPECT_EQ(of(spec, "/domain/@type"), "kvm");
    EXPECT_EQ(of(spec, "/domain/cpu/@mode"), "host-passthrough");
}

TEST(DomainXml, HasACardOnlyWithANetwork) {
    DomainPlan spec = plan();
    EXPECT_EQ(count(spec, "/domain/devices/interface"), 0U);
    spec.network = Network{Network::Kind::bridge, "baton0"};
    EXPECT_EQ(of(spec, "/domain/devices/interface[@type='bridge']/source/@bridge"), "baton0");
    EXPECT_EQ(of(spec, "/domain/devices/interface/port/@isolated"), "yes");
    EXPECT_EQ(of(spec, "/domain/devices/interface/model/@type"), "virtio");
    EXPECT_EQ(of(spec, "/domain/devices/interface/mac/@address"), mac_address(spec.desktop.id));
    spec.network = Network{Network::Kind::libvirt, "desktops"};
    EXPECT_EQ(of(spec, "/domain/devices/interface[@type='network']/source/@network"), "desktops");
}

TEST(DomainXml, TheScreenListensWhereItShouldAndItsPasswordExpires) {
    const DomainPlan spec = plan();
    EXPECT_EQ(of(spec, "/domain/devices/graphics/listen/@address"), "10.99.0.11");
    EXPECT_EQ(of(spec, "/domain/devices/graphics/@passwd"), "password") << "RFB takes eight";
    EXPECT_EQ(of(spec, "/domain/devices/graphics/@passwdValidTo"), "2025-11-20T09:00:00");
    EXPECT_EQ(valid_to(WallTime{}), "1970-01-01T00:00:00");
}

TEST(DomainXml, ALocalScreenIsASocketWithoutPortAndPassword) {
    const DomainPlan spec = local_plan();
    EXPECT_EQ(of(spec, "/domain/devices/graphics[@type='vnc']/listen[@type='socket']/@socket"),
              spec.screen_socket);
    EXPECT_EQ(count(spec, "/domain/devices/graphics"), 1U);
    EXPECT_EQ(count(spec, "/domain/devices/graphics/listen"), 1U);
    EXPECT_EQ(count(spec, "//@port | //@autoport | //@passwd | //@passwdValidTo | "
                          "/domain/devices/graphics//@address"),
              1U)
        << "the interface of none and the serial port's number, nothing of the screen";
}

TEST(DomainXml, LeavesRoomToPlugIn) {
    EXPECT_GE(count(plan(), "/domain/devices/controller[@model='pcie-root-port']"), 3U);
}

TEST(DomainXml, NoTwoFixedDevicesShareASlot) {
    DomainPlan spec = plan();
    spec.network = Network{Network::Kind::bridge, "baton0"};
    const xml::Document document = xml::parse(to_xml(spec));
    std::set<std::string> seen;
    for (xmlNode* node : xml::find(document, "//address[@type='pci']"))
        EXPECT_TRUE(seen.insert(xml::text(node).erase(0, 8)).second) << xml::text(node);
    EXPECT_GE(seen.size(), 10U);
}

TEST(DomainXml, WhatIsWrittenIsRecognised) {
    const auto facts = facts_from_xml(to_xml(plan()));
    ASSERT_TRUE(facts);
    EXPECT_EQ(facts->desktop, DesktopId("d-1234abcd"));
    EXPECT_EQ(facts->session, SessionId("s-1"));
    EXPECT_EQ(facts->image, OsImageId("tiny-1"));
    EXPECT_EQ(facts->memory, 1_GiB);
    EXPECT_EQ(facts->uuid, plan().uuid);
    EXPECT_EQ(facts->channel, "/state/ch/d-1234abcd");
    EXPECT_FALSE(facts->channel_open);
    EXPECT_FALSE(facts->desk);
    EXPECT_FALSE(facts->local_screen);
    EXPECT_EQ(facts->screen.address, "10.99.0.11");
    const auto local = facts_from_xml(to_xml(local_plan()));
    ASSERT_TRUE(local);
    EXPECT_TRUE(local->local_screen);
    EXPECT_EQ(local->screen, Endpoint{});
}

TEST(DomainXml, ForeignDomainsAndNonsenseAreNotOurs) {
    EXPECT_FALSE(facts_from_xml("<domain><name>baton-d-1</name></domain>"));
    EXPECT_FALSE(facts_from_xml("<domain><metadata><desktop id='d-1'/></metadata></domain>"))
        << "without the namespace it is somebody else's element";
    EXPECT_FALSE(facts_from_xml(""));
    EXPECT_FALSE(facts_from_xml("<domain"));
}

TEST(DomainXml, AnyTextStaysData) {
    rc::check("names and paths come back as they went in", [] {
        const auto text = *rc::gen::container<std::string>(rc::gen::inRange(' ', '~'));
        DomainPlan spec = plan();
        spec.desktop.session = SessionId(text);
        spec.overlay = "/x" + text;
        RC_ASSERT(facts_from_xml(to_xml(spec))->session.value == text);
        RC_ASSERT(of(spec, "/domain/devices/disk/source/@file") == "/x" + text);
        RC_ASSERT(count(spec, "/domain/devices/disk") == 1U);
    });
}

TEST(DeskXml, IsAnExportWithItsNumber) {
    DeskDisk disk;
    disk.source.fence = FencingNumber{42};
    disk.source.export_name = "desk.kim.42";
    disk.source.server = Endpoint{"10.99.0.1", 10809};
    const auto value = [&](const char* path) { return xml::value(xml::parse(to_xml(disk)), path); };
    EXPECT_EQ(value("/disk/@type"), "network");
    EXPECT_EQ(value("/disk/source/@protocol"), "nbd");
    EXPECT_EQ(value("/disk/source/@name"), "desk.kim.42");
    EXPECT_EQ(value("/disk/source/@tls"), "yes");
    EXPECT_EQ(value("/disk/source/host/@name"), "10.99.0.1");
    EXPECT_EQ(value("/disk/source/host/@port"), "10809");
    EXPECT_EQ(value("/disk/serial"), "desk-42");
    EXPECT_EQ(value("/disk/driver/@error_policy"), "enospace");
    EXPECT_EQ(value("/disk/alias/@name"), desk_alias);
    EXPECT_TRUE(xml::find(xml::parse(to_xml(disk)), "/disk/readonly").empty());
    disk.tls = false;
    disk.source.read_only = true;
    EXPECT_EQ(value("/disk/source/@tls"), "no");
    EXPECT_EQ(xml::find(xml::parse(to_xml(disk)), "/disk/readonly").size(), 1U);
}

TEST(DeskXml, TheFenceIsReadFromTheLiveDomain) {
    const xml::Document document = xml::parse(to_xml(plan()));
    DeskDisk disk;
    disk.source.fence = FencingNumber{18'446'744'073'709'551'615U};
    const xml::Document desk = xml::parse(to_xml(disk));
    xmlNode* devices = xml::find(document, "/domain/devices").front();
    xmlAddChild(devices, xmlDocCopyNode(xml::root(desk), document.get(), 1));
    const auto facts = facts_from_xml(xml::text(document));
    ASSERT_TRUE(facts && facts->desk);
    EXPECT_EQ(facts->desk->value, 18'446'744'073'709'551'615U);
}

TEST(ScreenXml, OnlyThePasswordChanges) {
    const auto screen = screen_with_password(to_xml(plan()), "new", WallTime(2'000'000'000'000ms));
    ASSERT_TRUE(screen);
    const xml::Document document = xml::parse(*screen);
    EXPECT_EQ(xml::value(document, "/graphics/@passwd"), "new");
    EXPECT_EQ(xml::value(document, "/graphics/@passwdValidTo"), "2033-05-18T03:33:20");
    EXPECT_EQ(xml::value(document, "/graphics/listen/@address"), "10.99.0.11");
    EXPECT_EQ(xml::value(document, "/graphics/@autoport"), "yes");
    EXPECT_FALSE(screen_with_password("<domain/>", "new", WallTime{}));
    const auto local = screen_with_password(to_xml(local_plan()), "new", WallTime{});
    EXPECT_EQ(local.error().code, Errc::unsupported) << "it would have a password from then on";
}

TEST(ScreenFolder, IsTheUsersAsWhomLibvirtRunsQemu) {
    const auto user = [](const std::string& models) {
        return qemu_user_from_capabilities("<capabilities><host>" + models +
                                           "</host></capabilities>");
    };
    EXPECT_EQ(user("<secmodel><model>apparmor</model><doi>0</doi></secmodel>"
                   "<secmodel><model>dac</model><doi>0</doi>"
                   "<baselabel type='kvm'>+64055:+64056</baselabel>"
                   "<baselabel type='qemu'>+64055:+64056</baselabel></secmodel>"),
              (QemuUser{64055, 64056}));
    EXPECT_FALSE(user("<secmodel><model>none</model></secmodel>")) << "qemu:///session";
    EXPECT_FALSE(user("<secmodel><model>dac</model><baselabel>kim:kim</baselabel></secmodel>"));
    EXPECT_FALSE(user("<secmodel><model>dac</model><baselabel>+1:</baselabel></secmodel>"));
    EXPECT_FALSE(qemu_user_from_capabilities("<"));
}

TEST(ScreenFolder, IsClosedToEverybodyElse) {
    const testing::TemporaryDirectory folder;
    const std::string path = folder.file("sc");
    std::filesystem::create_directory(path);
    std::filesystem::permissions(path, std::filesystem::perms::all);
    for (int again = 0; again < 2; ++again) {
        const auto given = give_screen_folder(path, std::nullopt);
        ASSERT_TRUE(given) << given.error().message();
        EXPECT_EQ(std::filesystem::status(path).permissions(), std::filesystem::perms::owner_all);
    }
    std::filesystem::remove(path);
    EXPECT_TRUE(give_screen_folder(path, std::nullopt)) << "it is made";
    EXPECT_EQ(std::filesystem::status(path).permissions(), std::filesystem::perms::owner_all);
    std::filesystem::remove(path);
    std::filesystem::create_directory_symlink("/", path);
    EXPECT_FALSE(give_screen_folder(path, std::nullopt)) << "no way around by a link";
}

TEST(Overlay, IsMadeOverTheBaseWithoutOpeningItForWriting) {
    EXPECT_EQ(make_overlay_command("/b.qcow2", "/o").words,
              (std::vector<std::string>{"qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2",
                                        "-b", "/b.qcow2", "/o"}));
}

TEST(MacAddress, IsLocalAndStable) {
    EXPECT_EQ(mac_address(DesktopId("d-1")), mac_address(DesktopId("d-1")));
    EXPECT_NE(mac_address(DesktopId("d-1")), mac_address(DesktopId("d-2")));
    EXPECT_TRUE(mac_address(DesktopId("d-1")).starts_with("52:54:00:"));
}

TEST(LibvirtError, SaysWhatToDo) {
    const auto error = [](int code, int domain, std::string_view text) {
        return libvirt_error("starting", code, domain, text);
    };
    EXPECT_EQ(error(VIR_ERR_INTERNAL_ERROR, VIR_FROM_QEMU, "pc.ram: Cannot allocate memory").code,
              Errc::full);
    EXPECT_EQ(error(VIR_ERR_INTERNAL_ERROR, VIR_FROM_QEMU, "No space left on device").code,
              Errc::full);
    EXPECT_EQ(error(VIR_ERR_NO_DOMAIN, VIR_FROM_QEMU, "Domain not found").code, Errc::not_found);
    const Error lost = error(VIR_ERR_SYSTEM_ERROR, VIR_FROM_RPC,
                             "Failed to connect socket to '/run/libvirt/libvirt-sock': No such "
                             "file or directory");
    EXPECT_EQ(lost.code, Errc::unavailable);
    EXPECT_NE(lost.hint.find("libvirtd"), std::string::npos);
    EXPECT_EQ(lost.native, VIR_ERR_SYSTEM_ERROR);
    EXPECT_EQ(error(VIR_ERR_INTERNAL_ERROR, VIR_FROM_QEMU,
                    "Unable to find an unused port in range 'vnc' (5900-5900)")
                  .code,
              Errc::busy);
    EXPECT_TRUE(lost.what.starts_with("starting: "));
}

TEST(Printable, DropsWhatATerminalWouldObey) {
    EXPECT_EQ(printable("a\x1b[31mred\x1b[0m\r\nb\a\x80\xff\tc"), "ared\nbc");
    EXPECT_EQ(printable("\x1b"), "");
    EXPECT_EQ(printable("\x1b[999999"), "");
    rc::check("whatever comes, what goes out is printable", [](const std::string& text) {
        for (const char c : printable(text))
            RC_ASSERT(c == '\n' || (c >= ' ' && c <= '~'));
    });
}

TEST(StateFiles, BelongToOneAdapterAndAreSweptByName) {
    const testing::TemporaryDirectory folder;
    auto files = StateFiles::open(folder.file("s"));
    ASSERT_TRUE(files) << files.error().message();
    const auto second = StateFiles::open(folder.file("s"));
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, Errc::busy);
    const DesktopId alive("d-alive");
    const DesktopId dead("d-dead");
    for (const DesktopId& id : {alive, dead})
        for (const std::string& path : {files->overlay(id), files->console(id), files->channel(id),
                                        files->nvram(id), files->screen(id)})
            std::ofstream(path) << "0123456789";
    EXPECT_EQ(file_tail(files->console(alive), 4), "6789");
    EXPECT_EQ(file_tail(files->console(alive), 400), "0123456789");
    EXPECT_EQ(files->remove_all_but({alive}), std::set<DesktopId>{dead});
    EXPECT_TRUE(std::filesystem::exists(files->overlay(alive)));
    EXPECT_FALSE(std::filesystem::exists(files->overlay(dead)));
    files->remove(alive);
    EXPECT_FALSE(std::filesystem::exists(files->overlay(alive)));
    EXPECT_TRUE(std::filesystem::is_empty(files->screens()));
    EXPECT_EQ(file_tail(files->console(alive), 4), "");
    EXPECT_LE(screen_socket(std::string(60, 'x'), DesktopId(std::string(40, 'd'))).size(), 107U);
    EXPECT_EQ(files->screen(alive), screen_socket(folder.file("s"), alive));
    EXPECT_EQ(StateFiles::open("relative").error().code, Errc::invalid_argument);
    EXPECT_EQ(StateFiles::open("/" + std::string(80, 'x')).error().code, Errc::invalid_argument);
    EXPECT_EQ(StateFiles::open("/proc/nowhere").error().code, Errc::not_found);
}

} // namespace baton::hypervisor
