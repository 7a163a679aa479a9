#pragma once

#include "model/error.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace baton::rfb {

/// PIXEL_FORMAT, RFC 6143, 7.4. The default is what Baton's own client asks for: 32 bits, little
/// endian, red at 16, green at 8, blue at 0.
struct PixelFormat {
    static constexpr std::size_t wire_bytes = 16;

    std::uint8_t bits_per_pixel = 32;
    std::uint8_t depth = 24;
    bool big_endian = false;
    bool true_colour = true;
    std::uint16_t red_max = 255;
    std::uint16_t green_max = 255;
    std::uint16_t blue_max = 255;
    std::uint8_t red_shift = 16;
    std::uint8_t green_shift = 8;
    std::uint8_t blue_shift = 0;

    bool operator==(const PixelFormat&) const = default;

    [[nodiscard]] std::uint32_t pixel_bytes() const { return bits_per_pixel / 8U; }

    /// TPIXEL of Tight: 3 bytes where 32 bits hold three colours of 8. The text asks for a depth of
    /// 24 as well; QEMU does not look at it, and no viewer asks for another.
    [[nodiscard]] std::uint32_t tight_pixel_bytes() const {
        return bits_per_pixel == 32 && true_colour && red_max == 255 && green_max == 255 &&
                       blue_max == 255
                   ? 3
                   : pixel_bytes();
    }
};

/// Reads the 16 bytes at `at` of `bytes`. Errc::corrupt when a pixel has not 8, 16 or 32 bits.
Result<PixelFormat> read_pixel_format(std::string_view bytes, std::size_t at);
void write(std::string& out, const PixelFormat& format);

} // namespace baton::rfb
