#pragma once

#include "rfb/encodings.h"
#include "rfb/pixel_format.h"

#include <cstdint>
#include <string_view>

namespace baton::rfb {

/// The head of a rectangle (RFC 6143, 7.6.1).
struct Rectangle {
    std::uint16_t x = 0;
    std::uint16_t y = 0;
    std::uint16_t width = 0;
    std::uint16_t height = 0;
    Encoding encoding = Encoding::raw;
    bool operator==(const Rectangle&) const = default;
};

/// The zlib streams that a server keeps over a connection's life. Tight has four (rfbproto).
enum class Inflater : std::uint8_t { tight_0, tight_1, tight_2, tight_3, zlib, zrle };
inline constexpr std::size_t inflaters = 6;

/// What stands at the beginning of a screen's bytes. All events' bytes in a row are the stream.
struct ServerEvent {
    enum class Part : std::uint8_t {
        need_more, ///< nothing whole yet: come again with these bytes and more behind them
        update,    ///< head of a FramebufferUpdate
        rectangle, ///< head of a rectangle: reader.rectangle()
        tight,     ///< what comes before a Tight rectangle's data; its first byte may reset streams
        deflate,   ///< the length field of deflated bytes, which follow: reader.deflated()
        body,      ///< bytes that nobody on the way has to look at; in any pieces
        message,   ///< head of another message: reader.message()
    };
    Part part = Part::need_more;
    std::string_view bytes; ///< of the input's beginning; go on behind them
    bool ends_rectangle = false;
    bool ends_message = false;
};

/// Deflated bytes that are about to come.
struct Deflated {
    Inflater inflater = Inflater::zrle;
    std::uint32_t bytes = 0;
};

} // namespace baton::rfb
