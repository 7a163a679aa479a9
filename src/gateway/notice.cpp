#include "gateway/notice.h"

#include "rfb/server_messages.h"

#include <algorithm>
#include <array>

namespace baton::gateway {

namespace {

struct Colour {
    std::uint32_t red;
    std::uint32_t green;
    std::uint32_t blue;
};

constexpr Colour ground{32, 48, 72};
constexpr Colour letters{255, 255, 255};

std::string pixel_of(std::uint8_t coverage, const rfb::PixelFormat& format) {
    const auto part = [coverage](std::uint32_t from, std::uint32_t to, std::uint32_t most) {
        return (from * (255U - coverage) + to * coverage) / 255U * most / 255U;
    };
    const std::uint32_t value =
        part(ground.red, letters.red, format.red_max) << format.red_shift |
        part(ground.green, letters.green, format.green_max) << format.green_shift |
        part(ground.blue, letters.blue, format.blue_max) << format.blue_shift;
    std::string bytes(format.pixel_bytes(), '\0');
    for (std::size_t i = 0; i < bytes.size(); ++i)
        bytes[format.big_endian ? bytes.size() - 1 - i : i] = static_cast<char>(value >> (8 * i));
    return bytes;
}

} // namespace

rfb::Rectangle place_of(const Notice& notice, rfb::Size screen) {
    const std::uint16_t width = std::min(notice.width, screen.width);
    const std::uint16_t height = std::min(notice.height, screen.height);
    return {static_cast<std::uint16_t>((screen.width - width) / 2), 0, width, height,
            rfb::Encoding::raw};
}

void write_notice(std::string& out, const Notice& notice, rfb::Size screen,
                  const rfb::PixelFormat& format) {
    std::array<std::string, 256> pixels;
    for (std::size_t i = 0; i < pixels.size(); ++i)
        pixels[i] = pixel_of(static_cast<std::uint8_t>(i), format);
    const rfb::Rectangle place = place_of(notice, screen);
    out.reserve(out.size() + 16 + std::size_t{place.width} * place.height * format.pixel_bytes());
    rfb::write_update_head(out, 1);
    write(out, place);
    for (std::size_t y = 0; y < place.height; ++y)
        for (std::size_t x = 0; x < place.width; ++x)
            out += pixels[static_cast<std::uint8_t>(notice.coverage[y * notice.width + x])];
}

} // namespace baton::gateway
