#pragma once

#include "model/error.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace baton::netboot {

/// Bytes of a settings.json, at most.
inline constexpr std::size_t longest_settings = 65'536;

/// Who gives clients their addresses.
enum class Dhcp : std::uint8_t {
    own,   ///< we do, out of a range of ours: nobody else may on that network
    proxy, ///< the network's own server; we only say where to boot from (PXE 2.1, section 2.2.4)
};

/// How the kernel and the first stage reach the client, and how the root file system does.
enum class KernelBy : std::uint8_t { http, tftp };
enum class RootBy : std::uint8_t { http, nfs };

/// What a site says of its network boot: `baton netboot enable`, kept as settings.json.
struct Settings {
    bool enabled = false;
    /// The networks of clients, and no other: "eth1". Nothing is ever answered elsewhere.
    std::vector<std::string> interfaces;
    std::string address; ///< of the boot server there, IPv4: "10.98.0.1"
    Dhcp dhcp = Dhcp::own;
    std::string range_first;               ///< of own
    std::string range_last;                ///< of own
    std::string netmask = "255.255.255.0"; ///< of the clients' network
    std::string router;                    ///< of own: told to clients; empty: none
    std::string dns;                       ///< of own: told to clients; empty: none
    unsigned lease_minutes = 60;
    /// Router advertisements of this /64, as iPXE waits some 15 s for one: "fd98::". The interface
    /// needs an address in it. Empty: none are sent.
    std::string ipv6_prefix;
    KernelBy kernel_by = KernelBy::http;
    RootBy root_by = RootBy::http;
    std::string nfs_export = "/netboot"; ///< of RootBy::nfs: the folder of netboot as NFSv4 sees it
    std::uint16_t http_port = 8480;
    std::string controller;       ///< "https://10.98.0.1:8443": where a client says that it is up
    std::string kernel_arguments; ///< added to those of the image

    bool operator==(const Settings&) const = default;
};

/// Errc::invalid_argument for anything that dnsmasq or iPXE could read as something else: an empty
/// list of interfaces, `lo`, a wildcard, an address that is none, a range outside of the network,
/// control characters.
Result<void> check(const Settings& settings);

/// An interface's name that may be served: 1 to 15 of A-Z a-z 0-9 . _ -, and not `lo`.
Result<void> check_interface(std::string_view name);

std::string to_json(const Settings& settings);
/// Errc::corrupt names the field. What comes out has passed check() if it is enabled.
Result<Settings> settings_from_json(std::string_view text);

std::string_view to_string(Dhcp dhcp);
std::string_view to_string(KernelBy by);
std::string_view to_string(RootBy by);

/// The network address: "10.98.0.7" in "255.255.255.0" is "10.98.0.0". Both have passed check().
std::string network_of(const std::string& address, const std::string& netmask);

} // namespace baton::netboot
