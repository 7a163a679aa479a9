#include "rfb/pixel_format.h"

#include "rfb/limits.h"
#include "rfb/wire.h"

#include <fmt/format.h>

namespace baton::rfb {

Result<PixelFormat> read_pixel_format(std::string_view bytes, std::size_t at) {
    PixelFormat format;
    format.bits_per_pixel = get8(bytes, at);
    format.depth = get8(bytes, at + 1);
    format.big_endian = get8(bytes, at + 2) != 0;
    format.true_colour = get8(bytes, at + 3) != 0;
    format.red_max = get16(bytes, at + 4);
    format.green_max = get16(bytes, at + 6);
    format.blue_max = get16(bytes, at + 8);
    format.red_shift = get8(bytes, at + 10);
    format.green_shift = get8(bytes, at + 11);
    format.blue_shift = get8(bytes, at + 12);
    if (format.bits_per_pixel != 8 && format.bits_per_pixel != 16 && format.bits_per_pixel != 32)
        return fail(Errc::corrupt,
                    fmt::format("a pixel format has {} bits per pixel", format.bits_per_pixel),
                    "RFB knows 8, 16 and 32");
    return format;
}

void write(std::string& out, const PixelFormat& format) {
    put8(out, format.bits_per_pixel);
    put8(out, format.depth);
    put8(out, format.big_endian ? 1 : 0);
    put8(out, format.true_colour ? 1 : 0);
    put16(out, format.red_max);
    put16(out, format.green_max);
    put16(out, format.blue_max);
    put8(out, format.red_shift);
    put8(out, format.green_shift);
    put8(out, format.blue_shift);
    put8(out, 0);
    put16(out, 0);
}

} // namespace baton::rfb
