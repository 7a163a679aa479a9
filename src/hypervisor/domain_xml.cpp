#include "hypervisor/domain_xml.h"

#include "hypervisor/xml.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <ctime>

namespace baton::hypervisor {

namespace {

// Fixed devices sit on the root bus, where they cost no bridge each for the firmware and the
// kernel to walk; behind it are a few root ports, empty, for what is plugged in later.
constexpr unsigned hot_plug_ports = 4;
constexpr unsigned hot_plug_slot = 0x10;
constexpr unsigned first_free_slot = 0x02; // 0x01 is the VGA's

class Slots {
  public:
    void next(xmlNode* device) {
        xml::add(device, "address",
                 {{"type", "pci"},
                  {"domain", "0x0000"},
                  {"bus", "0x00"},
                  {"slot", fmt::format("0x{:02x}", slot_++)},
                  {"function", "0x0"}});
    }

  private:
    unsigned slot_ = first_free_slot;
};

void add_metadata(xmlNode* domain, const DomainPlan& plan) {
    const DesktopSpec& desktop = plan.desktop;
    xmlNode* metadata = xml::add(domain, "metadata");
    xmlNode* element = xml::add(metadata, "desktop");
    xmlNs* name_space = xmlNewNs(element, reinterpret_cast<const xmlChar*>(metadata_namespace),
                                 reinterpret_cast<const xmlChar*>("baton"));
    xmlSetNs(element, name_space);
    xml::set(element, "id", desktop.id.value);
    xml::set(element, "session", desktop.session.value);
    xml::set(element, "image", desktop.image.id.value);
    xml::set(element, "memory-mib", std::to_string(desktop.memory.count));
    xml::set(element, "overlay", plan.overlay);
}

void add_boot(xmlNode* domain, const DomainPlan& plan) {
    const osimage::LocalImage& image = plan.desktop.image;
    const bool uefi = image.kernel.empty() && image.firmware == "uefi";
    xmlNode* os = xml::add(domain, "os");
    if (uefi)
        xml::set(os, "firmware", "efi");
    xml::add(os, "type", {{"arch", "x86_64"}, {"machine", "q35"}}, "hvm");
    if (uefi) {
        xmlNode* firmware = xml::add(os, "firmware");
        xml::add(firmware, "feature", {{"enabled", "no"}, {"name", "secure-boot"}});
        xml::add(os, "nvram", {}, plan.nvram);
    }
    if (!image.kernel.empty()) {
        xml::add(os, "kernel", {}, image.kernel);
        if (!image.initrd.empty())
            xml::add(os, "initrd", {}, image.initrd);
        xml::add(os, "cmdline", {}, image.kernel_arguments);
    } else {
        xml::add(os, "boot", {{"dev", "hd"}});
    }
}

void add_root_disk(xmlNode* devices, const DomainPlan& plan, Slots& slots) {
    xmlNode* disk = xml::add(devices, "disk", {{"type", "file"}, {"device", "disk"}});
    // a crash of the host may lose the overlay, which is thrown away anyway: no flush reaches the
    // host's disk. A host whose disk is full stops the desktop (the io-error event says why).
    xml::add(disk, "driver",
             {{"name", "qemu"},
              {"type", "qcow2"},
              {"cache", "unsafe"},
              {"error_policy", "enospace"},
              {"discard", "unmap"}});
    xml::add(disk, "source", {{"file", plan.overlay}});
    xmlNode* base = xml::add(disk, "backingStore", {{"type", "file"}});
    xml::add(base, "format", {{"type", "qcow2"}});
    xmlNode* source = xml::add(base, "source", {{"file", plan.desktop.image.disk}});
    // shared by every desktop and owned by the image library: its owner is not changed
    xml::add(source, "seclabel", {{"model", "dac"}, {"relabel", "no"}});
    xml::add(base, "backingStore");
    xml::add(disk, "target", {{"dev", root_target}, {"bus", "virtio"}});
    slots.next(disk);
}

void add_controllers(xmlNode* devices, Slots& slots) {
    xml::add(devices, "controller", {{"type", "usb"}, {"model", "none"}});
    xml::add(devices, "controller", {{"type", "pci"}, {"index", "0"}, {"model", "pcie-root"}});
    for (unsigned port = 0; port < hot_plug_ports; ++port) {
        xmlNode* controller = xml::add(
            devices, "controller",
            {{"type", "pci"}, {"index", std::to_string(port + 1)}, {"model", "pcie-root-port"}});
        xmlNode* address = xml::add(controller, "address",
                                    {{"type", "pci"},
                                     {"domain", "0x0000"},
                                     {"bus", "0x00"},
                                     {"slot", fmt::format("0x{:02x}", hot_plug_slot)},
                                     {"function", fmt::format("0x{:x}", port)}});
        if (port == 0)
            xml::set(address, "multifunction", "on");
    }
    slots.next(xml::add(devices, "controller", {{"type", "virtio-serial"}, {"index", "0"}}));
}

void add_ports(xmlNode* devices, const DomainPlan& plan) {
    xmlNode* serial = xml::add(devices, "serial", {{"type", "file"}});
    // appended to, so that it can be cut short while the guest writes
    xml::add(serial, "source", {{"path", plan.console}, {"append", "on"}});
    xml::add(serial, "target", {{"port", "0"}});

    xmlNode* channel = xml::add(devices, "channel", {{"type", "unix"}});
    xml::add(channel, "source", {{"mode", "bind"}, {"path", plan.channel}});
    xml::add(channel, "target", {{"type", "virtio"}, {"name", std::string(guest::port_name)}});
}

void add_graphics(xmlNode* devices, const DomainPlan& plan) {
    if (plan.desktop.local_screen) {
        xmlNode* local = xml::add(devices, "graphics", {{"type", "vnc"}});
        xml::add(local, "listen", {{"type", "socket"}, {"socket", plan.screen_socket}});
        return;
    }
    xmlNode* graphics = xml::add(devices, "graphics",
                                 {{"type", "vnc"},
                                  {"port", "-1"},
                                  {"autoport", "yes"},
                                  {"passwd", plan.desktop.screen_password.substr(0, 8)},
                                  {"passwdValidTo", valid_to(plan.desktop.screen_password_until)}});
    xml::add(graphics, "listen", {{"type", "address"}, {"address", plan.screen_address}});
}

bool has_local_screen(const xml::Document& domain) {
    return !xml::find(domain, "/domain/devices/graphics[@type='vnc']/listen[@type='socket']")
                .empty();
}

void add_screen(xmlNode* devices, const DomainPlan& plan, Slots& slots) {
    add_graphics(devices, plan);
    xmlNode* video = xml::add(devices, "video");
    xml::add(video, "model", {{"type", "vga"}, {"vram", "16384"}});
    slots.next(xml::add(devices, "input", {{"type", "keyboard"}, {"bus", "virtio"}}));
    slots.next(xml::add(devices, "input", {{"type", "tablet"}, {"bus", "virtio"}}));
}

void add_network(xmlNode* devices, const DomainPlan& plan, Slots& slots) {
    if (plan.network.kind == Network::Kind::none)
        return;
    const bool bridge = plan.network.kind == Network::Kind::bridge;
    xmlNode* interface = xml::add(devices, "interface", {{"type", bridge ? "bridge" : "network"}});
    xml::add(interface, "mac", {{"address", mac_address(plan.desktop.id)}});
    xml::add(interface, "source", {{bridge ? "bridge" : "network", plan.network.name}});
    xml::add(interface, "model", {{"type", "virtio"}});
    // no option ROM: nothing boots from this card, and the firmware would load it
    xml::add(interface, "rom", {{"enabled", "no"}});
    // one person's desktop hears nothing from another's: the bridge forwards between them and the
    // host's own ports alone
    xml::add(interface, "port", {{"isolated", "yes"}});
    slots.next(interface);
}

void add_the_rest(xmlNode* devices, Slots& slots) {
    xmlNode* rng = xml::add(devices, "rng", {{"model", "virtio"}});
    xml::add(rng, "backend", {{"model", "random"}}, "/dev/urandom");
    slots.next(rng);
    // for its statistics alone: memory changes hands by handoff, not by balloon
    xmlNode* balloon = xml::add(devices, "memballoon", {{"model", "virtio"}});
    xml::add(balloon, "stats", {{"period", "2"}});
    slots.next(balloon);
}

template <class Number>
Number number(std::string_view text) {
    Number value{};
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

std::optional<FencingNumber> fence_of(std::string_view serial) {
    constexpr std::string_view prefix = "desk-";
    if (!serial.starts_with(prefix))
        return std::nullopt;
    return FencingNumber{number<std::uint64_t>(serial.substr(prefix.size()))};
}

} // namespace

std::string domain_name(const DesktopId& desktop) {
    return "baton-" + desktop.value;
}

std::string mac_address(const DesktopId& desktop) {
    // FNV-1a: the same on every machine, and good enough to keep a few hundred apart
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const char c : desktop.value)
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    return fmt::format("52:54:00:{:02x}:{:02x}:{:02x}", (hash >> 40) & 0xff, (hash >> 24) & 0xff,
                       (hash >> 8) & 0xff);
}

std::string valid_to(WallTime until) {
    const std::time_t seconds =
        std::chrono::floor<std::chrono::seconds>(until).time_since_epoch().count();
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    std::array<char, 32> text{};
    std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
    return text.data();
}

std::string to_xml(const DomainPlan& plan) {
    const DesktopSpec& desktop = plan.desktop;
    const xml::Document document = xml::make("domain");
    xmlNode* domain = xml::root(document);
    xml::set(domain, "type", plan.kvm ? "kvm" : "qemu");
    xml::add(domain, "name", {}, domain_name(desktop.id));
    xml::add(domain, "uuid", {}, plan.uuid);
    xml::add(domain, "genid");
    if (!desktop.person.empty())
        xml::add(domain, "title", {}, "desktop of " + desktop.person.value);
    add_metadata(domain, plan);
    xml::add(domain, "memory", {{"unit", "MiB"}}, std::to_string(desktop.memory.count));
    xml::add(domain, "currentMemory", {{"unit", "MiB"}}, std::to_string(desktop.memory.count));
    xml::add(domain, "vcpu", {}, std::to_string(desktop.vcpus));
    add_boot(domain, plan);
    xmlNode* features = xml::add(domain, "features");
    xml::add(features, "acpi");
    xml::add(features, "apic");
    xml::add(domain, "cpu", {{"mode", plan.kvm ? "host-passthrough" : "maximum"}});
    xml::add(domain, "clock", {{"offset", "utc"}});
    // whatever ends a desktop ends it for good: its overlay goes with it
    xml::add(domain, "on_poweroff", {}, "destroy");
    xml::add(domain, "on_reboot", {}, "destroy");
    xml::add(domain, "on_crash", {}, "destroy");

    xmlNode* devices = xml::add(domain, "devices");
    Slots slots;
    add_root_disk(devices, plan, slots);
    add_controllers(devices, slots);
    add_ports(devices, plan);
    add_screen(devices, plan, slots);
    add_the_rest(devices, slots);
    add_network(devices, plan, slots);
    return xml::text(document);
}

std::string to_xml(const DeskDisk& disk) {
    const xml::Document document = xml::make("disk");
    xmlNode* root = xml::root(document);
    xml::set(root, "type", "network");
    xml::set(root, "device", "disk");
    // the guest's flushes reach the desk server, and its errors the guest: a desk server that is
    // gone must not freeze the whole desktop. One that is full for a while does: what the guest
    // has in its cache is written when there is room again (LibvirtCore::wait_for_space)
    xml::add(root, "driver",
             {{"name", "qemu"},
              {"type", "raw"},
              {"cache", "writeback"},
              {"error_policy", "enospace"},
              {"rerror_policy", "report"},
              {"discard", "unmap"}});
    xmlNode* source = xml::add(
        root, "source",
        {{"protocol", "nbd"}, {"name", disk.source.export_name}, {"tls", disk.tls ? "yes" : "no"}});
    xml::add(
        source, "host",
        {{"name", disk.source.server.address}, {"port", std::to_string(disk.source.server.port)}});
    xml::add(root, "target", {{"dev", desk_target}, {"bus", "virtio"}});
    if (disk.source.read_only)
        xml::add(root, "readonly");
    xml::add(root, "serial", {}, disk.serial());
    xml::add(root, "alias", {{"name", std::string(desk_alias)}});
    return xml::text(document);
}

Result<std::string> screen_with_password(std::string_view domain, const std::string& password,
                                         WallTime until) {
    const xml::Document document = xml::parse(domain);
    const std::vector<xmlNode*> screens =
        document ? xml::find(document, "/domain/devices/graphics[@type='vnc']")
                 : std::vector<xmlNode*>{};
    if (screens.empty() || has_local_screen(document))
        return fail(Errc::unsupported, "the desktop has no VNC screen with a port");
    xml::set(screens.front(), "passwd", password.substr(0, 8));
    xml::set(screens.front(), "passwdValidTo", valid_to(until));
    return xml::text(screens.front());
}

std::optional<DomainFacts> facts_from_xml(std::string_view domain) {
    const xml::Document document = xml::parse(domain);
    if (!document)
        return std::nullopt;
    const auto ours = [&](const char* path) {
        return xml::value(document, path, "baton", metadata_namespace);
    };
    DomainFacts facts;
    facts.desktop = DesktopId(ours("/domain/metadata/baton:desktop/@id"));
    if (facts.desktop.empty())
        return std::nullopt;
    facts.session = SessionId(ours("/domain/metadata/baton:desktop/@session"));
    facts.image = OsImageId(ours("/domain/metadata/baton:desktop/@image"));
    facts.memory =
        Mebibytes(number<std::int64_t>(ours("/domain/metadata/baton:desktop/@memory-mib")));
    facts.uuid = xml::value(document, "/domain/uuid");
    facts.channel = xml::value(document, "/domain/devices/channel[target/@name="
                                         "'org.baton.guest.0']/source/@path");
    facts.channel_open = xml::value(document, "/domain/devices/channel/target[@name="
                                              "'org.baton.guest.0']/@state") == "connected";
    for (xmlNode* serial : xml::find(document, "/domain/devices/disk/serial")) {
        xmlChar* content = xmlNodeGetContent(serial);
        if (const auto fence = fence_of(reinterpret_cast<const char*>(content)))
            facts.desk = fence;
        xmlFree(content);
    }
    facts.local_screen = has_local_screen(document);
    if (facts.local_screen)
        return facts;
    facts.screen.address =
        xml::value(document, "/domain/devices/graphics[@type='vnc']/listen/@address");
    facts.screen.port =
        number<std::uint16_t>(xml::value(document, "/domain/devices/graphics[@type='vnc']/@port"));
    return facts;
}

} // namespace baton::hypervisor
