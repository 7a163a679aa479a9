#pragma once

#include "model/ids.h"
#include "model/size.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace baton {

/// A moment of the wall clock, for people and for the store. Never used to measure a duration.
using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;

/// An IPv4 address and port in text form: "10.99.0.11", 5901.
struct Endpoint {
    std::string address;
    std::uint16_t port = 0;
    auto operator<=>(const Endpoint&) const = default;
};

/// How a host runs desktops, and why (the probe's own words): hypervisor/ and `baton host show`.
struct Acceleration {
    bool kvm = false;
    std::string
        reason; ///< "a probe guest reached its first instruction in 0.4 s", "no /dev/kvm", ...
    bool operator==(const Acceleration&) const = default;
};

/// What a host says of itself when it dials in.
struct HostFacts {
    HostId id;
    std::string address; ///< where the boot server reaches its screens
    Mebibytes memory;    ///< physical, or what it was configured to offer (the lab)
    unsigned processors = 1;
    Acceleration acceleration;
    std::string agent_version;
    bool operator==(const HostFacts&) const = default;
};

/// What the hypervisor says of one desktop. The truth about what runs.
struct DesktopInfo {
    DesktopId id;
    SessionId session; ///< from the metadata that start() wrote into the domain
    OsImageId image;
    Mebibytes memory;           ///< as the hypervisor reports it
    bool running = false;       ///< false: paused, shutting down, crashed
    bool guest_ready = false;   ///< baton-guest said so (a claim)
    bool desk_attached = false; ///< a desk disk is in the VM (QEMU's own word)
    FencingNumber desk_fence;   ///< of that disk; 0 = none
    Endpoint screen;
    bool operator==(const DesktopInfo&) const = default;
};

/// Where a desk's disk is to be had by the holder of `fence`: an NBD export over TLS (desk.md).
struct DeskExport {
    DeskName desk;
    DeskId id;
    FencingNumber fence;
    Endpoint server;
    std::string export_name;     ///< "desk.<DeskId>.<fence>"
    std::int64_t size_bytes = 0; ///< of the file system that the guest sees
    bool read_only = false;
    bool operator==(const DeskExport&) const = default;
};

/// How a client reaches its desktop: through the boot server's port forward (paper 1, section 3.2),
/// or through a gateway, which keeps the viewer's connection over a handoff (ADR 0017).
enum class RouteKind : std::uint8_t { nat, gateway };

enum class Role : std::uint8_t { user, operator_, admin };

} // namespace baton
