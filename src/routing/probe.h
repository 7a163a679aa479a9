#pragma once

#include "model/error.h"
#include "routing/nft.h"

#include <array>
#include <cstdint>

namespace baton::routing {

/// A SYN "from the screen" of a flow that has been cut. A client that is connected answers any SYN
/// of its connection with an ACK that carries its exact numbers (RFC 5961, section 4.2); that ACK
/// meets the rule for cut flows, which turns it into a reset that the client believes. So also a
/// viewer that only listens notices at once, and nobody had to know its sequence numbers.
using Packet = std::array<std::uint8_t, 40>; ///< an IPv4 and a TCP header, network byte order
Packet probe_packet(const Flow& flow);

/// Sends probes through a raw socket marked with probe_mark. Not thread-safe.
class Prober {
  public:
    /// Errc::forbidden: not root (CAP_NET_RAW and CAP_NET_ADMIN).
    static Result<Prober> make();
    ~Prober();
    Prober(Prober&& other) noexcept;
    Prober& operator=(Prober&&) = delete;

    /// One packet, fire and forget: a probe that is lost costs time, nothing else.
    void send(const Flow& flow);

  private:
    explicit Prober(int fd) : fd_(fd) {}

    int fd_ = -1;
};

} // namespace baton::routing
