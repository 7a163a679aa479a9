#pragma once

#include "model/error.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// The network of a host's desktops: a bridge of its own with DHCP, made by libvirt without any
/// rule in the host's firewall, whose traffic goes through the boot server. What is to be done is a
/// value (pure); ensure_network() does it.
namespace baton::hostlink {

/// An IPv4 network, "10.101.1.0/24".
struct Subnet {
    std::uint32_t base = 0; ///< host byte order, host bits zero
    unsigned prefix = 24;   ///< 16 to 29

    [[nodiscard]] std::string text() const;
    [[nodiscard]] std::string mask() const;
    /// The n-th address; 0 is the network itself.
    [[nodiscard]] std::string address(std::uint32_t n) const;

    [[nodiscard]] std::uint32_t size() const { return 1U << (32 - prefix); }

    bool operator==(const Subnet&) const = default;
};

/// Errc::invalid_argument with what is wrong.
Result<Subnet> parse_subnet(std::string_view text);

struct DesktopNetwork {
    std::string name = "baton";    ///< libvirt's name for it
    std::string bridge = "baton0"; ///< at most 15 characters
    Subnet subnet;
    /// The boot server's address in the hosts' network: where what comes from desktops goes.
    /// Empty: the host's own routes decide.
    std::string gateway;

    bool operator==(const DesktopNetwork&) const = default;
};

/// libvirt's definition. The bridge has the first address; DHCP gives the rest out.
std::string network_xml(const DesktopNetwork& network);
/// The part of it that must be the same for a network that is there to be taken as it is.
Result<DesktopNetwork> network_from_xml(const std::string& xml);

/// The commands, in order, that send what comes from the bridge to the gateway: a routing table of
/// its own and one rule. `rules` is the present `ip -4 -json rule show`.
std::vector<std::vector<std::string>> routing_commands(const DesktopNetwork& network,
                                                       std::string_view rules);

/// Errc::unavailable: no libvirt answers at `uri`, with what to install or start.
Result<void> reach_libvirt(const std::string& uri);

/// Makes the network (transient) at the libvirt of `uri` unless it is there. One of that name with
/// other settings is replaced when it has no desktop on it, otherwise Errc::busy.
/// Errc::unavailable: no libvirt answers, with what to install or start.
Result<void> ensure_network(const std::string& uri, const DesktopNetwork& network);

} // namespace baton::hostlink
