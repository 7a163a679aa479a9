#pragma once

#include "hypervisor/hypervisor.h"
#include "hypervisor/libvirt.h"

#include <optional>
#include <string>
#include <string_view>

/// What libvirt is told of a desktop and what it says of it, as values: text in, text out.
namespace baton::hypervisor {

/// The project's own element in a domain's metadata; by it, and by nothing else, a domain is ours.
inline constexpr const char* metadata_namespace = "urn:baton:desktop:1";
/// The desk disk's alias in the domain: by it it is unplugged and recognised in events.
inline constexpr std::string_view desk_alias = "ua-desk";
/// The root disk, whose growth is watched.
inline constexpr const char* root_target = "vda";
inline constexpr const char* desk_target = "vdb";

/// Everything that makes a domain. Paths are absolute.
struct DomainPlan {
    DesktopSpec desktop;
    std::string uuid;
    std::string overlay;
    std::string console;        ///< the guest's serial port is written to it
    std::string channel;        ///< unix socket of baton-guest's port
    std::string nvram;          ///< the firmware's variables; used by "uefi" images
    std::string screen_address; ///< of a screen with a port
    std::string screen_socket;  ///< of a local screen: QEMU makes it and listens
    Network network;
    bool kvm = false;
};

/// "baton-" and the desktop's id.
std::string domain_name(const DesktopId& desktop);
/// A MAC address of the locally administered range, the same for the same desktop.
std::string mac_address(const DesktopId& desktop);

std::string to_xml(const DomainPlan& plan);
/// The <disk> that attach_disk() plugs in.
std::string to_xml(const DeskDisk& disk);
/// The <graphics> of a live domain's XML with another password.
/// Errc::unsupported: the domain has no VNC screen with a port.
Result<std::string> screen_with_password(std::string_view domain, const std::string& password,
                                         WallTime until);
/// "2026-11-20T09:00:00", UTC, rounded down to the second: libvirt's passwdValidTo.
std::string valid_to(WallTime until);

/// What a live domain's XML says of a desktop of ours.
struct DomainFacts {
    DesktopId desktop;
    SessionId session;
    OsImageId image;
    Mebibytes memory; ///< as it was started
    std::string uuid;
    std::string channel;
    std::optional<FencingNumber> desk;
    bool channel_open = false; ///< the guest has opened its port
    bool local_screen = false;
    Endpoint screen; ///< empty for a local screen
};

/// nullopt: not a desktop of ours.
std::optional<DomainFacts> facts_from_xml(std::string_view domain);

} // namespace baton::hypervisor
