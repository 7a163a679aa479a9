#include "netboot/wake.h"

#include "netboot/settings.h"
#include "process/child.h"

#include <fmt/format.h>

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <charconv>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace baton::netboot {

namespace {

constexpr std::uint16_t discard_port = 9; // as everybody has it
constexpr std::size_t mac_bytes = 6;
constexpr std::size_t mac_text = 17;
constexpr int hexadecimal = 16;

} // namespace

Result<MagicPacket> magic_packet(std::string_view mac) {
    const auto wrong = [] {
        return fail(Errc::invalid_argument, "that is not the MAC address of a network card",
                    "it looks like 52:54:00:99:00:01");
    };
    if (mac.size() != mac_text)
        return wrong();
    std::array<std::uint8_t, mac_bytes> address{};
    for (std::size_t i = 0; i < mac_bytes; ++i) {
        const char* begin = mac.data() + 3 * i;
        const auto read = std::from_chars(begin, begin + 2, address.at(i), hexadecimal);
        if (read.ec != std::errc() || read.ptr != begin + 2 || (i > 0 && begin[-1] != ':'))
            return wrong();
    }
    MagicPacket packet{};
    auto* at = std::fill_n(packet.begin(), mac_bytes, 0xff);
    while (at != packet.end())
        at = std::ranges::copy(address, at).out;
    return packet;
}

Result<void> send_magic(const std::string& interface, const MagicPacket& packet) {
    BATON_TRY(check_interface(interface));
    if (::if_nametoindex(interface.c_str()) == 0)
        return fail(Errc::not_found, fmt::format("there is no interface {}", interface),
                    "see them with: ip link");
    const process::Descriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const int yes = 1;
    sockaddr_in everybody{};
    everybody.sin_family = AF_INET;
    everybody.sin_port = htons(discard_port);
    everybody.sin_addr.s_addr = htonl(INADDR_BROADCAST);
    const auto sent = [&] {
        return socket.open() &&
               ::setsockopt(socket.get(), SOL_SOCKET, SO_BINDTODEVICE, interface.c_str(),
                            static_cast<socklen_t>(interface.size())) == 0 &&
               ::setsockopt(socket.get(), SOL_SOCKET, SO_BROADCAST, &yes, sizeof yes) == 0 &&
               ::sendto(socket.get(), packet.data(), packet.size(), 0,
                        reinterpret_cast<const sockaddr*>(&everybody),
                        sizeof everybody) == static_cast<ssize_t>(packet.size());
    };
    if (!sent())
        return fail_errno(errno, fmt::format("cannot send to everybody on {}", interface),
                          "is the interface up, and has it an address?");
    return {};
}

} // namespace baton::netboot
