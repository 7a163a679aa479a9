#pragma once

#include "rfb/server_event.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace baton::picture {

/// The pointer's shape. Without pixels: it cannot be seen.
struct Cursor {
    static constexpr std::uint16_t most_side = 512; ///< larger ones are not drawn

    std::uint16_t width = 0;
    std::uint16_t height = 0;
    std::uint16_t hot_x = 0;
    std::uint16_t hot_y = 0;
    std::vector<std::uint32_t> pixels; ///< 0xAARRGGBB, not premultiplied

    bool operator==(const Cursor&) const = default;
};

/// Out of the body of a Cursor, XCursor (RFC 6143, 7.8.1; rfbproto) or cursor with alpha, in rfb's
/// default PixelFormat. `body` is as long as ServerReader has made it.
Cursor read_cursor(const rfb::Rectangle& rectangle, std::string_view body);

} // namespace baton::picture
