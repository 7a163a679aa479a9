#pragma once

#include "hypervisor/hypervisor.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

/// The real adapter: a local libvirtd over its own C API, system or session.
namespace baton::hypervisor {

/// Where a desktop's network card goes.
struct Network {
    enum class Kind : std::uint8_t {
        none,   ///< no card at all
        bridge, ///< `name` is a bridge of the host's kernel
        libvirt ///< `name` is a network that libvirt knows
    };
    Kind kind = Kind::none;
    std::string name;
};

struct LibvirtSettings {
    /// qemu:///system, qemu:///session, or one with a socket:
    /// qemu+unix:///system?socket=/path. Always a libvirtd of this machine.
    std::string uri = "qemu:///system";

    /// Absolute; made if it is not there. Holds overlays, consoles, the sockets of guests'
    /// ports and of local screens, and the cached answer of the probe. Belongs to one adapter at a
    /// time: overlays in it that no domain uses are deleted when the adapter connects. At most 60
    /// characters (it has sockets below it).
    std::string state_directory;

    /// The most that the overlay of one desktop may take on the host's disk: what it writes to its
    /// operating system, and forgets. A desktop that comes near it is ended, and Stopped says so.
    std::int64_t overlay_limit_bytes = std::int64_t{4} << 30;

    /// Where screens (VNC) listen: the address on the boot server's network. The port is libvirt's
    /// choice, from its own range (remote_display_port_min in qemu.conf).
    std::string screen_address = "127.0.0.1";

    Network network;

    /// false: never try KVM, whatever the probe would say.
    bool allow_kvm = true;

    /// A lost connection is tried again after `reconnect_first`, doubling to `reconnect_most`.
    std::chrono::milliseconds reconnect_first{100};
    std::chrono::milliseconds reconnect_most{5'000};
};

/// The socket of the local screen of `desktop` (DesktopSpec::local_screen) in that state directory:
/// a pure function, so that others find it. At most 107 characters, which is what a socket's path
/// may have, for every directory and id that the adapter accepts.
std::string screen_socket(const std::string& state_directory, const DesktopId& desktop);

/// Errors: the state directory cannot be made, an ill-formed setting. A libvirtd that does not
/// answer is no error here: the adapter goes on trying, and says ConnectionChanged.
Result<std::unique_ptr<Hypervisor>> make_libvirt(LibvirtSettings settings);

} // namespace baton::hypervisor
