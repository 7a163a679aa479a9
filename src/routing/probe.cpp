#include "routing/probe.h"

#include <arpa/inet.h>
#include <cerrno>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace baton::routing {

namespace {

void put16(Packet& packet, std::size_t at, std::uint32_t value) {
    packet[at] = static_cast<std::uint8_t>(value >> 8U);
    packet[at + 1] = static_cast<std::uint8_t>(value);
}

void put32(Packet& packet, std::size_t at, std::uint32_t value) {
    put16(packet, at, value >> 16U);
    put16(packet, at + 2, value & 0xffffU);
}

/// RFC 1071 over packet[from, to), on top of `sum`.
std::uint32_t checksum(const Packet& packet, std::size_t from, std::size_t to, std::uint32_t sum) {
    for (std::size_t at = from; at < to; at += 2)
        sum += static_cast<std::uint32_t>(packet[at] << 8U | packet[at + 1]);
    while (sum > 0xffffU)
        sum = (sum & 0xffffU) + (sum >> 16U);
    return ~sum & 0xffffU;
}

} // namespace

Packet probe_packet(const Flow& flow) {
    constexpr std::uint32_t tcp = 6;
    constexpr std::size_t tcp_at = 20;
    Packet packet{};
    packet[0] = 0x45; // IPv4, 20 bytes of header
    put16(packet, 2, static_cast<std::uint32_t>(packet.size()));
    put16(packet, 6, 0x4000); // not to be fragmented
    packet[8] = 64;           // hops
    packet[9] = tcp;
    put32(packet, 12, flow.server.value);
    put32(packet, 16, flow.client.value);
    put16(packet, 10, checksum(packet, 0, tcp_at, 0));
    put16(packet, tcp_at, flow.listen_port);
    put16(packet, tcp_at + 2, flow.client_port);
    packet[tcp_at + 12] = 0x50; // 20 bytes of header
    packet[tcp_at + 13] = 0x02; // SYN
    put16(packet, tcp_at + 14, 1024);
    // the pseudo-header: both addresses (already there), the protocol and the segment's length
    const std::uint32_t pseudo = tcp + 20;
    put16(packet, tcp_at + 16, checksum(packet, 12, packet.size(), pseudo));
    return packet;
}

Result<Prober> Prober::make() {
    Prober prober(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW));
    if (prober.fd_ < 0)
        return fail_errno(errno, "cannot open a raw socket to tell clients of a cut connection",
                          "run baton-helper as root");
    const std::uint32_t mark = probe_mark;
    if (::setsockopt(prober.fd_, SOL_SOCKET, SO_MARK, &mark, sizeof mark) != 0)
        return fail_errno(errno, "cannot mark packets", "run baton-helper as root");
    return prober;
}

Prober::~Prober() {
    if (fd_ >= 0)
        ::close(fd_);
}

Prober::Prober(Prober&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

void Prober::send(const Flow& flow) {
    const auto packet = probe_packet(flow);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(flow.client.value);
    (void)::sendto(fd_, packet.data(), packet.size(), 0, reinterpret_cast<const sockaddr*>(&to),
                   sizeof to);
}

} // namespace baton::routing
