#pragma once

#include "rfb/client_messages.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace baton::rfb {

/// What stands at the beginning of a viewer's bytes.
struct ClientEvent {
    enum class Part : std::uint8_t {
        need_more, ///< nothing whole yet: come again with these bytes and more behind them
        message,   ///< `message`; a clipboard's text follows as body
        body,
    };
    Part part = Part::need_more;
    std::string_view bytes;               ///< of the input's beginning; go on behind them
    std::optional<ClientMessage> message; ///< views are into the input
    bool ends_message = false;
};

/// Reads what a viewer sends after its handshake. Keeps no bytes: what was not whole is offered
/// again, with more (never more than most_head_bytes are asked for). Not thread-safe.
class ClientReader {
  public:
    /// One event. Errc::corrupt: a kind of message that nobody was offered, a length that cannot
    /// be; the connection is of no use after it.
    Result<ClientEvent> next(std::string_view input);

    /// Between two messages.
    [[nodiscard]] bool at_boundary() const { return body_ == 0; }

  private:
    std::uint32_t body_ = 0; ///< bytes of a clipboard still to come
};

} // namespace baton::rfb
