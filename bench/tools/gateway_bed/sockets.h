#pragma once

#include "bed.h"

#include <arpa/inet.h>
#include <cerrno>
#include <memory>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

/// TCP on the loopback, blocking.
namespace baton::bed {

inline sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
}

inline void send_at_once(int socket) {
    const int on = 1;
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

struct Listener {
    process::Descriptor socket;
    std::uint16_t port = 0;
};

inline Listener listen_somewhere() {
    Listener made;
    made.socket = process::Descriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    auto* plain = reinterpret_cast<sockaddr*>(&address);
    if (::bind(made.socket.get(), plain, size) != 0 || ::listen(made.socket.get(), 1024) != 0 ||
        ::getsockname(made.socket.get(), plain, &size) != 0)
        give_up("cannot listen on the loopback");
    made.port = ntohs(address.sin_port);
    return made;
}

inline process::Descriptor connect_to_port(std::uint16_t port) {
    process::Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in address = loopback(port);
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        give_up("cannot connect to port " + std::to_string(port));
    send_at_once(socket.get());
    return socket;
}

inline void send_all(int socket, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0 && errno != EINTR)
            return; // the other side has gone: the reader finds out
        bytes.remove_prefix(static_cast<std::size_t>(sent > 0 ? sent : 0));
    }
}

} // namespace baton::bed
