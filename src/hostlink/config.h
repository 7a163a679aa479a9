#pragma once

#include "hostlink/desktop_network.h"
#include "model/error.h"
#include "model/size.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// What hostd.toml says (docs/configuration.md). Pure.
namespace baton::hostlink {

struct HostConfig {
    std::string controller_url; ///< [controller] url = "https://10.99.0.1:8443"

    std::string state_directory = "/var/lib/baton-host"; ///< [host] state_dir
    std::optional<Mebibytes> memory; ///< [host] memory = "12GiB"; none: all that there is
    std::string screen_address;      ///< [host] screen_address; empty: towards the controller
    Mebibytes overlay_limit{4096};   ///< [host] overlay_limit

    std::string libvirt_uri; ///< [libvirt] uri; empty: $LIBVIRT_DEFAULT_URI, or qemu:///system
    bool allow_kvm = true;   ///< [libvirt] kvm

    /// [screens] port: of `baton-hostd screens`, at screen_address. Below or above QEMU's own.
    std::uint16_t relay_port = 5899;
    /// [screens] gateways: the network whose machines may reach that port. None: the one in which
    /// screen_address is. The boot server may in any case.
    std::optional<Subnet> gateways;

    std::string images_folder; ///< [images] folder; empty: <state_dir>/images

    /// [network] subnet = "10.101.1.0/24", bridge, name, gateway. None: desktops have no network
    /// card, unless...
    std::optional<DesktopNetwork> network;
    std::string existing_bridge; ///< [network] existing_bridge: made and served by somebody else

    bool monitor = true; ///< [monitor] enabled
    /// [monitor] interval_ms: how often usage is measured and told
    std::chrono::milliseconds monitor_interval{1'000};
    /// [monitor] guest_interval_ms: how often guests are asked for their memory
    std::chrono::milliseconds guest_interval{10'000};
    /// [monitor] metrics = "127.0.0.1:9178": where Prometheus finds /metrics; empty: nowhere
    std::string metrics;

    bool cpu_shares = true; ///< [redistribution] cpu_shares: they follow what desktops need

    std::string log_level = "info"; ///< [log] level

    bool operator==(const HostConfig&) const = default;
};

/// `file` begins the messages. Errc::invalid_argument: not TOML, an unknown key (with its line), a
/// value of the wrong kind, a combination that makes no sense.
Result<HostConfig> parse_host_config(std::string_view text, const std::string& file);

} // namespace baton::hostlink
