#pragma once

#include "model/error.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

/// Switching a PC on over the network (AMD, "Magic Packet Technology", 1995).
namespace baton::netboot {

using MagicPacket = std::array<std::uint8_t, 102>;

/// Six times 0xff, then the address sixteen times. `mac`: "52:54:00:99:00:01", either case;
/// Errc::invalid_argument for anything else.
Result<MagicPacket> magic_packet(std::string_view mac);

/// Sends it as UDP to everybody (255.255.255.255, port 9) on one interface and no other. Nobody
/// answers: whether the PC heard is seen when it says that it is up. Errc::invalid_argument: see
/// check_interface(); not_found: no such interface. No privilege is needed.
Result<void> send_magic(const std::string& interface, const MagicPacket& packet);

} // namespace baton::netboot
