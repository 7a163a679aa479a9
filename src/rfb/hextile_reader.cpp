#include "rfb/hextile_reader.h"

#include "rfb/wire.h"

#include <algorithm>

namespace baton::rfb {

namespace {

constexpr std::uint32_t tile_side = 16;
constexpr std::uint8_t tile_raw = 1;
constexpr std::uint8_t tile_background = 2;
constexpr std::uint8_t tile_foreground = 4;
constexpr std::uint8_t tile_any = 8;
constexpr std::uint8_t tile_coloured = 16;

} // namespace

void HextileReader::begin(const Rectangle& rectangle, std::uint32_t pixel_bytes) {
    pixel_bytes_ = pixel_bytes;
    left_ = 0;
    column_ = 0;
    const bool empty = rectangle.width == 0 || rectangle.height == 0;
    columns_ = static_cast<std::uint16_t>((rectangle.width + tile_side - 1) / tile_side);
    rows_ = static_cast<std::uint16_t>(empty ? 0 : (rectangle.height + tile_side - 1) / tile_side);
    last_width_ = static_cast<std::uint8_t>((rectangle.width - 1) % tile_side + 1);
    last_height_ = static_cast<std::uint8_t>((rectangle.height - 1) % tile_side + 1);
}

std::size_t HextileReader::tile_head(std::string_view input, std::size_t at) {
    const std::size_t there = input.size() - at;
    if (there < 1)
        return 0;
    const std::uint8_t kind = get8(input, at);
    if ((kind & tile_raw) != 0) {
        const std::uint32_t width = column_ + 1 == columns_ ? last_width_ : tile_side;
        const std::uint32_t height = rows_ == 1 ? last_height_ : tile_side;
        left_ = width * height * pixel_bytes_;
        return 1;
    }
    std::size_t head = 1;
    head += (kind & tile_background) != 0 ? pixel_bytes_ : 0;
    head += (kind & tile_foreground) != 0 ? pixel_bytes_ : 0;
    if ((kind & tile_any) == 0)
        return there < head ? 0 : head;
    if (there < head + 1)
        return 0;
    const std::uint32_t each = 2 + ((kind & tile_coloured) != 0 ? pixel_bytes_ : 0);
    left_ = get8(input, at + head) * each;
    return head + 1;
}

void HextileReader::next_tile() {
    if (++column_ != columns_)
        return;
    column_ = 0;
    --rows_;
}

std::size_t HextileReader::walk(std::string_view input) {
    std::size_t at = 0;
    while (!done()) {
        if (left_ != 0) {
            const auto some =
                static_cast<std::uint32_t>(std::min<std::size_t>(left_, input.size() - at));
            at += some;
            left_ -= some;
            if (left_ != 0)
                break;
            continue;
        }
        const std::size_t head = tile_head(input, at);
        if (head == 0)
            break;
        at += head;
        next_tile();
    }
    return at;
}

} // namespace baton::rfb
