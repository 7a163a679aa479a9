#include "programs/baton_hostd/commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <bit>
#include <cctype>
#include <cstdlib>
#include <fstream>
#include <ifaddrs.h>
#include <memory>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

namespace baton::hostd {

std::string default_libvirt_uri() {
    const char* named = std::getenv("LIBVIRT_DEFAULT_URI"); // NOLINT(concurrency-mt-unsafe)
    return named != nullptr && *named != '\0' ? named : "qemu:///system";
}

Result<std::string> own_name() {
    std::array<char, 256> name{};
    if (::gethostname(name.data(), name.size() - 1) != 0)
        return fail_errno(errno, "this machine does not know its name", "give one with --name");
    std::string text(name.data());
    text = text.substr(0, text.find('.'));
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

sigset_t block_end_signals() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
    return signals;
}

std::string pki_folder(const std::string& state_directory) {
    return state_directory + "/pki";
}

Result<Mebibytes> physical_memory() {
    std::ifstream file("/proc/meminfo");
    std::string key;
    std::int64_t kibibytes = 0;
    std::string rest;
    while (file >> key >> kibibytes && std::getline(file, rest))
        if (key == "MemTotal:" && kibibytes >= 1024)
            return Mebibytes(kibibytes / 1024);
    return fail(Errc::unsupported, "/proc/meminfo does not say how much memory this machine has",
                "give it with --memory, or in hostd.toml");
}

std::string network_of(const std::string& address) {
    in_addr wanted{};
    ifaddrs* found = nullptr;
    if (::inet_pton(AF_INET, address.c_str(), &wanted) != 1 || ::getifaddrs(&found) != 0)
        return {};
    const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owned(found, &::freeifaddrs);
    for (const ifaddrs* entry = found; entry != nullptr; entry = entry->ifa_next) {
        if (entry->ifa_addr == nullptr || entry->ifa_netmask == nullptr ||
            entry->ifa_addr->sa_family != AF_INET)
            continue;
        const auto number = [](const sockaddr* socket) {
            return ntohl(reinterpret_cast<const sockaddr_in*>(socket)->sin_addr.s_addr);
        };
        if (number(entry->ifa_addr) != ntohl(wanted.s_addr))
            continue;
        const std::uint32_t mask = number(entry->ifa_netmask);
        const in_addr network{htonl(number(entry->ifa_addr) & mask)};
        std::array<char, INET_ADDRSTRLEN> text{};
        ::inet_ntop(AF_INET, &network, text.data(), text.size());
        return fmt::format("{}/{}", text.data(), std::popcount(mask));
    }
    return {};
}

Result<std::string> address_towards(const std::string& host, std::uint16_t port) {
    addrinfo hints{};
    hints.ai_family = AF_INET;
    hints.ai_socktype = SOCK_DGRAM;
    addrinfo* found = nullptr;
    if (const int error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found))
        return fail(Errc::unavailable,
                    fmt::format("no machine is called '{}': {}", host, ::gai_strerror(error)),
                    "check the name, or give an address");
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owned(found, &::freeaddrinfo);
    // Connecting a datagram socket sends nothing; it only asks for the route.
    const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (socket < 0)
        return fail_errno(errno, "cannot make a socket");
    sockaddr_in own{};
    socklen_t size = sizeof own;
    const bool known = ::connect(socket, found->ai_addr, found->ai_addrlen) == 0 &&
                       ::getsockname(socket, reinterpret_cast<sockaddr*>(&own), &size) == 0;
    const int why = errno;
    ::close(socket);
    if (!known)
        return fail_errno(why, fmt::format("there is no way to {}", host),
                          "check the network and the address");
    std::array<char, INET_ADDRSTRLEN> text{};
    ::inet_ntop(AF_INET, &own.sin_addr, text.data(), text.size());
    return std::string(text.data());
}

} // namespace baton::hostd
