#include "netboot/dhcp.h"

#include "netboot/settings.h"
#include "process/child.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <string_view>
#include <sys/random.h>
#include <sys/socket.h>

namespace baton::netboot {

namespace {

// offsets of RFC 2131, figure 1
constexpr std::size_t at_transaction = 4;
constexpr std::size_t at_flags = 10;
constexpr std::size_t at_yiaddr = 16;
constexpr std::size_t at_chaddr = 28;
constexpr std::size_t at_file = 108;
constexpr std::size_t file_length = 128;
constexpr std::size_t at_cookie = 236;
constexpr std::size_t at_options = 240;
constexpr std::array<std::uint8_t, 4> cookie{99, 130, 83, 99};
constexpr std::uint8_t boot_request = 1;
constexpr std::uint8_t boot_reply = 2;
constexpr std::uint8_t message_offer = 2;
constexpr std::size_t most_offers = 16;

std::string dotted(std::span<const std::uint8_t> four) {
    std::string text;
    for (const auto part : four.first(4))
        text += (text.empty() ? "" : ".") + std::to_string(part);
    return text;
}

/// Up to the first zero, without what could do something to a terminal.
std::string printable_text(std::span<const std::uint8_t> bytes) {
    std::string text;
    for (const auto byte : bytes) {
        if (byte == 0)
            break;
        text += byte > 0x20 && byte < 0x7f ? static_cast<char>(byte) : '?';
    }
    return text;
}

struct Options {
    std::uint8_t message = 0;
    std::string server;
    std::string boot_file;
    bool pxe = false;
};

Options read_options(std::span<const std::uint8_t> bytes) {
    Options options;
    while (bytes.size() >= 2 && bytes[0] != 255) {
        if (bytes[0] == 0) { // padding
            bytes = bytes.subspan(1);
            continue;
        }
        const std::uint8_t code = bytes[0];
        const std::size_t length = bytes[1];
        if (bytes.size() < 2 + length)
            break;
        const auto value = bytes.subspan(2, length);
        bytes = bytes.subspan(2 + length);
        if (code == 53 && length == 1)
            options.message = value[0];
        else if (code == 54 && length == 4)
            options.server = dotted(value);
        else if (code == 67)
            options.boot_file = printable_text(value);
        else if (code == 60)
            options.pxe = printable_text(value).starts_with("PXEClient");
    }
    return options;
}

} // namespace

std::vector<std::uint8_t> dhcp_discover(const std::array<std::uint8_t, 6>& mac,
                                        std::uint32_t transaction) {
    std::vector<std::uint8_t> bytes(at_options, 0);
    bytes[0] = boot_request;
    bytes[1] = 1; // Ethernet
    bytes[2] = static_cast<std::uint8_t>(mac.size());
    for (std::size_t i = 0; i < 4; ++i)
        bytes[at_transaction + i] = static_cast<std::uint8_t>(transaction >> (24 - 8 * i));
    bytes[at_flags] = 0x80; // answer by broadcast
    std::ranges::copy(mac, bytes.begin() + at_chaddr);
    std::ranges::copy(cookie, bytes.begin() + at_cookie);
    const auto add = [&bytes](std::uint8_t code, std::string_view value) {
        bytes.push_back(code);
        bytes.push_back(static_cast<std::uint8_t>(value.size()));
        bytes.insert(bytes.end(), value.begin(), value.end());
    };
    add(53, "\x01");                                     // DHCPDISCOVER
    add(60, "PXEClient:Arch:00000:UNDI:002001");         // RFC 4578: a PC with a BIOS
    add(93, std::string_view("\0\0", 2));                // its architecture
    add(94, std::string_view("\1\2\1", 3));              // its network interface
    add(97, std::string_view("\0BatonBatonBaton0", 17)); // its UUID
    add(55, "\x01\x03\x06\x2b\x3c\x42\x43");             // what it wants to know
    bytes.push_back(255);
    return bytes;
}

std::optional<DhcpOffer> dhcp_offer(std::span<const std::uint8_t> bytes, std::uint32_t transaction,
                                    const std::string& from) {
    if (bytes.size() < at_options || bytes[0] != boot_reply)
        return std::nullopt;
    std::uint32_t answered = 0;
    for (std::size_t i = 0; i < 4; ++i)
        answered = answered << 8 | bytes[at_transaction + i];
    if (answered != transaction ||
        !std::equal(cookie.begin(), cookie.end(), bytes.begin() + at_cookie))
        return std::nullopt;
    const auto options = read_options(bytes.subspan(at_options));
    if (options.message != message_offer)
        return std::nullopt;
    DhcpOffer offer;
    offer.server = options.server.empty() ? from : options.server;
    offer.address = dotted(bytes.subspan(at_yiaddr, 4));
    offer.boot_file = options.boot_file.empty()
                          ? printable_text(bytes.subspan(at_file, file_length))
                          : options.boot_file;
    offer.pxe = options.pxe;
    return offer;
}

Result<std::vector<DhcpOffer>> ask_for_offers(const std::string& interface,
                                              std::chrono::milliseconds wait) {
    BATON_TRY(check_interface(interface));
    const auto doing = "asking for other DHCP servers on " + interface;
    if (::if_nametoindex(interface.c_str()) == 0)
        return fail(Errc::not_found, doing + ": there is no such interface", "see: ip link");
    const process::Descriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!socket.open())
        return fail_errno(errno, doing);
    const int on = 1;
    sockaddr_in mine{};
    mine.sin_family = AF_INET;
    mine.sin_port = htons(68);
    if (::setsockopt(socket.get(), SOL_SOCKET, SO_BINDTODEVICE, interface.c_str(),
                     static_cast<socklen_t>(interface.size() + 1)) != 0 ||
        ::setsockopt(socket.get(), SOL_SOCKET, SO_BROADCAST, &on, sizeof on) != 0 ||
        ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&mine), sizeof mine) != 0)
        return fail_errno(errno, doing, "run this as root");
    std::array<std::uint8_t, 6> mac{};
    std::uint32_t transaction = 0;
    if (::getrandom(mac.data(), mac.size(), 0) < 0 ||
        ::getrandom(&transaction, sizeof transaction, 0) < 0)
        return fail_errno(errno, doing);
    mac[0] = 0x02; // an address that no factory gives
    const auto question = dhcp_discover(mac, transaction);
    sockaddr_in all = mine;
    all.sin_port = htons(67);
    all.sin_addr.s_addr = INADDR_BROADCAST;
    if (::sendto(socket.get(), question.data(), question.size(), 0,
                 reinterpret_cast<const sockaddr*>(&all), sizeof all) < 0)
        return fail_errno(errno, doing, "is the interface up? see: ip link");
    std::vector<DhcpOffer> offers;
    const auto end = std::chrono::steady_clock::now() + wait;
    while (offers.size() < most_offers) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
            end - std::chrono::steady_clock::now());
        pollfd ready{socket.get(), POLLIN, 0};
        if (left.count() <= 0 || ::poll(&ready, 1, static_cast<int>(left.count())) <= 0)
            break;
        std::array<std::uint8_t, 2048> bytes{};
        sockaddr_in sender{};
        socklen_t length = sizeof sender;
        const ssize_t n = ::recvfrom(socket.get(), bytes.data(), bytes.size(), 0,
                                     reinterpret_cast<sockaddr*>(&sender), &length);
        if (n <= 0)
            continue;
        std::array<std::uint8_t, 4> from{};
        std::memcpy(from.data(), &sender.sin_addr, from.size());
        auto offer = dhcp_offer(std::span(bytes).first(static_cast<std::size_t>(n)), transaction,
                                dotted(from));
        if (offer && std::ranges::find(offers, offer->server, &DhcpOffer::server) == offers.end())
            offers.push_back(std::move(*offer));
    }
    return offers;
}

} // namespace baton::netboot
