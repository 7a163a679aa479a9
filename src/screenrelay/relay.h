#pragma once

#include "model/error.h"
#include "net/http.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

/// A host's screens for gateways: `baton-hostd screens` (docs/formats/screen-relay.md).
namespace baton::screenrelay {

struct RelaySettings {
    std::string address;    ///< numeric, of this machine
    std::uint16_t port = 0; ///< 0: any free one; Relay::port
    net::TlsFiles tls;      ///< all three; renewed files are used by new connections
    std::string tickets;    ///< the folder of Tickets; need not be there yet
    std::size_t connection_limit = 1024;
    /// Of these, how many may not have shown a good ticket yet.
    std::size_t unproved_limit = 64;
    std::chrono::milliseconds handshake_timeout{5'000};
    std::chrono::milliseconds line_timeout{5'000};
    std::chrono::milliseconds connect_timeout{5'000}; ///< to the desktop's socket
    std::chrono::milliseconds answer_timeout{2'000};  ///< until our answer is taken
    /// When one side has ended, the other may go on for so long.
    std::chrono::milliseconds half_open_timeout{30'000};
};

/// Serves on a thread of its own until destroyed; destruction ends every connection. Takes
/// connections from certificates `gateway/...` of the site's CA alone, and each to the one screen
/// whose ticket it shows. Memory is bounded for each connection, and an idle one causes no work.
class Relay {
  public:
    struct Load {
        std::size_t open = 0;     ///< connections
        std::size_t unproved = 0; ///< of these: without a good ticket yet
    };

    virtual ~Relay() = default;

    /// Errc::busy: the port is in use, by whom if it can be told; not_found, corrupt, forbidden: a
    /// file of `tls`.
    static Result<std::unique_ptr<Relay>> start(RelaySettings settings);

    [[nodiscard]] virtual std::uint16_t port() const = 0;
    /// Any thread.
    [[nodiscard]] virtual Load load() const = 0;
};

} // namespace baton::screenrelay
