#pragma once

#include "model/error.h"

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

/// As much of DHCP (RFC 2131, RFC 2132) as it takes to find out who else answers on a network.
namespace baton::netboot {

struct DhcpOffer {
    std::string server;    ///< option 54, or where it came from if it does not say
    std::string address;   ///< what it offers; "0.0.0.0": none, as a proxy DHCP server
    std::string boot_file; ///< printable characters only
    bool pxe = false;      ///< option 60 is "PXEClient"
    bool operator==(const DhcpOffer&) const = default;
};

/// A DHCPDISCOVER as a PC's PXE ROM sends it: bytes of the UDP payload. `mac`: chaddr; answers
/// come by broadcast.
std::vector<std::uint8_t> dhcp_discover(const std::array<std::uint8_t, 6>& mac,
                                        std::uint32_t transaction);

/// A DHCPOFFER for that transaction; nothing for any other bytes. Foreign bytes: fuzzed. `from`:
/// the sender's address.
std::optional<DhcpOffer> dhcp_offer(std::span<const std::uint8_t> bytes, std::uint32_t transaction,
                                    const std::string& from);

/// Asks on one interface and no other, and listens for `wait`: every server that answers, by its
/// first word. No address is taken: an offer that is not accepted is void (RFC 2131, 3.1.3).
/// Errc::invalid_argument: see check_interface(); forbidden: not root; not_found: no such
/// interface. Blocking.
Result<std::vector<DhcpOffer>> ask_for_offers(const std::string& interface,
                                              std::chrono::milliseconds wait);

} // namespace baton::netboot
