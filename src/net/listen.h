#pragma once

#include "net/http.h"

#include <string>
#include <sys/socket.h>

/// For net/ and the rooms that carry streams: a bound, listening socket with errors that a person
/// understands.
namespace baton::net {

struct Listening {
    int descriptor = -1;
    int family = 0;
    std::uint16_t port = 0;
    std::string unix_path; ///< to be removed at the end
};

/// Connections that are accepted there send at once (TCP_NODELAY).
/// Errc::busy: the port or socket is in use, with the program's name if /proc tells it.
Result<Listening> listen_at(const std::string& address, std::uint16_t port);

/// "10.99.0.11" or "fd00::1"; "" for a unix socket.
std::string address_text(const sockaddr& address);

} // namespace baton::net
