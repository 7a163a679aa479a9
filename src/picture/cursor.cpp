#include "picture/cursor.h"

#include "picture/painter.h"
#include "rfb/wire.h"

#include <algorithm>

namespace baton::picture {

namespace {

constexpr std::uint32_t opaque = 0xFF000000;

/// Bit (x, y) of a mask whose rows begin at whole bytes.
bool bit_of(std::string_view mask, unsigned width, unsigned x, unsigned y) {
    const std::size_t row = std::size_t{y} * ((width + 7) / 8);
    return (rfb::get8(mask, row + x / 8) >> (7 - x % 8) & 1U) != 0;
}

/// Straight from premultiplied, red first.
std::uint32_t straight(std::string_view bytes, std::size_t at) {
    const unsigned alpha = rfb::get8(bytes, at + 3);
    std::uint32_t pixel = alpha;
    for (std::size_t c = 0; c < 3; ++c) {
        const unsigned colour = rfb::get8(bytes, at + c);
        pixel = pixel << 8 | (alpha == 0 ? 0 : std::min(255U, colour * 255 / alpha));
    }
    return pixel;
}

} // namespace

Cursor read_cursor(const rfb::Rectangle& r, std::string_view body) {
    const std::size_t area = std::size_t{r.width} * r.height;
    Cursor cursor{r.width, r.height, r.x, r.y, {}};
    if (area == 0)
        return cursor;
    cursor.pixels.resize(area);
    const std::size_t mask_bytes = (r.width + 7U) / 8 * r.height;
    const std::string_view mask = body.substr(body.size() - std::min(mask_bytes, body.size()));
    for (unsigned y = 0; y < r.height; ++y)
        for (unsigned x = 0; x < r.width; ++x) {
            const std::size_t at = std::size_t{y} * r.width + x;
            std::uint32_t& pixel = cursor.pixels[at];
            switch (r.encoding) {
            case rfb::Encoding::cursor:
                if (bit_of(mask, r.width, x, y))
                    pixel = opaque | pixel_at(body.data() + at * 4);
                break;
            case rfb::Encoding::x_cursor:
                if (bit_of(mask, r.width, x, y))
                    pixel =
                        opaque | tight_pixel_at(body.data() +
                                                (bit_of(body.substr(6), r.width, x, y) ? 0 : 3));
                break;
            default: // with alpha, behind the number of its encoding
                pixel = straight(body, 4 + at * 4);
                break;
            }
        }
    return cursor;
}

} // namespace baton::picture
