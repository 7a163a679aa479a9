#pragma once

#include "guest/protocol.h"
#include "model/error.h"
#include "model/types.h"
#include "osimage/manifest.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

/// The port through which a host runs desktops. Adapters: libvirt (real), simulated (tests, fault
/// injection). tests/integration/hypervisor_contract holds what both must do.
namespace baton::hypervisor {

struct DesktopSpec {
    DesktopId id;
    SessionId session;
    UserName person; ///< for the domain's title only
    osimage::LocalImage image;
    Mebibytes memory;
    unsigned vcpus = 1;
    std::string screen_password;      ///< at most 8 characters count (RFB 3.8, VNC authentication)
    WallTime screen_password_until{}; ///< no viewer logs in after this
    /// The screen is a unix socket of this machine's, which root and QEMU's own user alone can
    /// reach: no port on any network, no password (the two above mean nothing). DesktopInfo::screen
    /// is empty then.
    bool local_screen = false;
};

/// The desk's disk, as seen by the VM: an NBD export over TLS (or, in tests, a plain one).
struct DeskDisk {
    DeskExport source;
    bool tls = true;

    /// The virtio serial that baton-guest looks for: "desk-<fence>".
    [[nodiscard]] std::string serial() const {
        return "desk-" + std::to_string(source.fence.value);
    }
};

// ---- events: the only way to learn that something happened; nothing is polled ------------------

struct GuestSaid {
    DesktopId desktop;
    guest::FromGuest message;
};

/// The VM is gone, whoever ended it. Its overlay has been deleted before this is said.
struct Stopped {
    DesktopId desktop;
    std::string reason; ///< "shut down by the guest", "destroyed", "crashed: ..."
};

/// QEMU has let go of the desk's disk (the device is out of the machine).
struct DiskDetached {
    DesktopId desktop;
    FencingNumber fence;
};

/// The guest would not let the disk go: it is still in, and detach_disk may be tried again. A guest
/// that says nothing at all gives neither event: the caller has a deadline, and stop().
struct DetachRefused {
    DesktopId desktop;
    FencingNumber fence;
    std::string reason;
};

/// The connection to the hypervisor was lost or is back; desktops may have come or gone between.
struct ConnectionChanged {
    bool connected = false;
};

using Event = std::variant<GuestSaid, Stopped, DiskDetached, DetachRefused, ConnectionChanged>;

/// Thread rules: every method may be called from any thread and blocks until the hypervisor has
/// answered (at most `call_timeout`); methods for different desktops run side by side. The sink is
/// called from a thread of the adapter, one event at a time; it must not call back into the
/// adapter.
class Hypervisor {
  public:
    static constexpr std::chrono::seconds call_timeout{30};
    using Sink = std::function<void(const Event&)>;

    virtual ~Hypervisor() = default;

    /// Before any other call, once.
    virtual void subscribe(Sink sink) = 0;

    /// Makes the throw-away overlay and starts the VM; returns when it executes (not booted: that
    /// is GuestSaid{Ready}). Idempotent: a desktop of that id that runs with the same session,
    /// memory and kind of screen is returned as it is; with others, Errc::conflict. Errc::full: no
    /// memory or disk left; nothing half-made stays behind. Reboots inside the guest end the
    /// desktop or start it again from a fresh overlay: never keep what was written.
    virtual Result<DesktopInfo> start(const DesktopSpec& spec) = 0;

    /// Ends the VM at once and deletes its overlay; returns when its memory is free again. A
    /// desktop that is not there is success: stop is idempotent.
    virtual Result<void> stop(const DesktopId& desktop) = 0;

    /// Plugs the desk's disk in. Idempotent for the same fence; Errc::conflict when another is in.
    virtual Result<void> attach_disk(const DesktopId& desktop, const DeskDisk& disk) = 0;

    /// Asks for the disk to be unplugged; DiskDetached says when, DetachRefused that it was not.
    /// No disk: success and no event.
    virtual Result<void> detach_disk(const DesktopId& desktop) = 0;

    /// New password and expiry for the screen; viewers that are connected stay. A local screen has
    /// none: success, and nothing is done.
    virtual Result<void> set_screen_password(const DesktopId& desktop, const std::string& password,
                                             WallTime until) = 0;

    /// The desktop's weight when desktops contend for the host's CPUs: 1 to 10000, 100 is what each
    /// begins with. Errc::unsupported, with the reason: not on this host (no control groups, an
    /// unprivileged libvirtd); that holds for all desktops. Errc::not_found.
    virtual Result<void> set_cpu_weight(const DesktopId& desktop, unsigned weight) = 0;

    /// Sends to baton-guest. Errc::unavailable when the guest has not opened its port.
    virtual Result<void> send(const DesktopId& desktop, const guest::ToGuest& message) = 0;

    /// Every desktop of ours (by the project's metadata in the domain), also those started by an
    /// agent that has died since. Foreign domains are not listed and never touched.
    /// Errc::unavailable while the hypervisor cannot be reached (ConnectionChanged says when).
    virtual Result<std::vector<DesktopInfo>> list() = 0;

    /// The last `bytes` of the guest's console, printable characters only. "" if there is none.
    virtual Result<std::string> console_tail(const DesktopId& desktop, std::size_t bytes) = 0;

    /// The screen as a binary PPM (P6).
    virtual Result<std::string> screenshot(const DesktopId& desktop) = 0;

    virtual Result<Acceleration> acceleration() = 0;
};

} // namespace baton::hypervisor
