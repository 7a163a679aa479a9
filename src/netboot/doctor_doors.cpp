#include "netboot/doctor.h"
#include "process/child.h"

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <chrono>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

namespace baton::netboot {

namespace {

constexpr std::chrono::milliseconds patience{3000};
/// dnsmasq asks the network for three seconds whether an address is free before it offers it.
constexpr std::chrono::milliseconds offers_patience{6000};

std::optional<InterfaceNow> interface_now(const std::string& name) {
    ifaddrs* all = nullptr;
    if (::if_nametoindex(name.c_str()) == 0 || ::getifaddrs(&all) != 0)
        return std::nullopt;
    InterfaceNow now;
    for (const ifaddrs* one = all; one != nullptr; one = one->ifa_next) {
        if (name != one->ifa_name)
            continue;
        now.up = (one->ifa_flags & IFF_UP) != 0 && (one->ifa_flags & IFF_RUNNING) != 0;
        if (one->ifa_addr == nullptr)
            continue;
        std::array<char, INET6_ADDRSTRLEN> text{};
        const int family = one->ifa_addr->sa_family;
        const void* address = nullptr;
        if (family == AF_INET)
            address = &reinterpret_cast<const sockaddr_in*>(one->ifa_addr)->sin_addr;
        else if (family == AF_INET6)
            address = &reinterpret_cast<const sockaddr_in6*>(one->ifa_addr)->sin6_addr;
        if (address != nullptr && ::inet_ntop(family, address, text.data(), text.size()) != nullptr)
            now.addresses.emplace_back(text.data());
    }
    ::freeifaddrs(all);
    return now;
}

Result<sockaddr_in> place_of(const std::string& address, std::uint16_t port) {
    sockaddr_in place{};
    place.sin_family = AF_INET;
    place.sin_port = htons(port);
    if (::inet_pton(AF_INET, address.c_str(), &place.sin_addr) != 1)
        return fail(Errc::invalid_argument, "'" + address + "' is not an IPv4 address");
    return place;
}

/// RFC 1350: a read request, and the first block of what it is answered with.
Result<std::string> tftp_begin(const std::string& server, const std::string& file) {
    const auto place = place_of(server, 69);
    if (!place)
        return tl::unexpected(place.error());
    const process::Descriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!socket.open())
        return fail_errno(errno, "cannot ask by TFTP");
    using namespace std::string_literals;
    const auto question = "\0\1"s + file + "\0octet\0"s;
    if (::sendto(socket.get(), question.data(), question.size(), 0,
                 reinterpret_cast<const sockaddr*>(&*place), sizeof *place) < 0)
        return fail_errno(errno, "cannot ask " + server + " by TFTP");
    pollfd ready{socket.get(), POLLIN, 0};
    if (::poll(&ready, 1, static_cast<int>(patience.count())) <= 0)
        return fail(Errc::timeout, "nobody answers at " + server);
    std::array<char, 1024> bytes{};
    const ssize_t n = ::recv(socket.get(), bytes.data(), bytes.size(), 0);
    if (n < 4)
        return fail(Errc::unavailable, "nobody listens at " + server);
    if (bytes[1] != 3)
        return fail(Errc::not_found, server + " does not give " + file);
    return std::string(bytes.data() + 4, static_cast<std::size_t>(n) - 4);
}

Result<void> tcp_open(const std::string& address, std::uint16_t port) {
    const auto place = place_of(address, port);
    if (!place)
        return tl::unexpected(place.error());
    const process::Descriptor socket(
        ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket.open())
        return fail_errno(errno, "cannot make a socket");
    const auto where = address + ":" + std::to_string(port);
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&*place), sizeof *place) != 0 &&
        errno != EINPROGRESS)
        return fail_errno(errno, "nobody listens at " + where);
    pollfd ready{socket.get(), POLLOUT, 0};
    if (::poll(&ready, 1, static_cast<int>(patience.count())) <= 0)
        return fail(Errc::timeout, "nobody answers at " + where);
    int error = 0;
    socklen_t length = sizeof error;
    ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0)
        return fail_errno(error, "nobody listens at " + where);
    return {};
}

} // namespace

DoctorDoors DoctorDoors::real() {
    DoctorDoors doors;
    doors.interface = interface_now;
    doors.offers = [](const std::string& interface) {
        return ask_for_offers(interface, offers_patience);
    };
    doors.tftp = tftp_begin;
    doors.tcp = tcp_open;
    return doors;
}

} // namespace baton::netboot
