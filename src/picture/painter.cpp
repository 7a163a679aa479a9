#include "picture/painter.h"

#include "rfb/limits.h"
#include "rfb/wire.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace baton::picture {

using rfb::not_rfb;

namespace {

/// Of 4 bytes each, blue first; the fourth may be anything.
void take_pixels(std::uint32_t* to, const char* from, std::size_t count) {
    static_assert(std::endian::native == std::endian::little);
    std::memcpy(to, from, count * 4);
    for (std::size_t i = 0; i < count; ++i)
        to[i] &= 0xFFFFFF;
}

} // namespace

Result<std::size_t> RawPainter::draw(std::string_view bytes) {
    std::size_t used = 0;
    while (!all_drawn() && bytes.size() - used >= 4) {
        const std::size_t count =
            std::min<std::size_t>(rectangle_.width - x_, (bytes.size() - used) / 4);
        std::uint32_t* to = row(y_) + x_;
        take_pixels(to, bytes.data() + used, count);
        used += count * 4;
        x_ += static_cast<unsigned>(count);
        if (x_ == rectangle_.width) {
            x_ = 0;
            ++y_;
        }
    }
    return used;
}

Result<std::size_t> CopyPainter::draw(std::string_view bytes) {
    if (bytes.size() < 4)
        return 0;
    const unsigned x = rfb::get16(bytes, 0);
    const unsigned y = rfb::get16(bytes, 2);
    const rfb::Size size = screen_->size();
    if (x + rectangle_.width > size.width || y + rectangle_.height > size.height)
        return not_rfb(fmt::format("the screen of {}x{} copies {}x{} from {},{}", size.width,
                                   size.height, rectangle_.width, rectangle_.height, x, y));
    screen_->copy({rectangle_.x, rectangle_.y, rectangle_.width, rectangle_.height},
                  static_cast<int>(x), static_cast<int>(y));
    y_ = 1;
    return 4;
}

Result<std::size_t> RrePainter::draw(std::string_view bytes) {
    std::size_t used = 0;
    if (!headed_) {
        if (bytes.size() < 8)
            return 0;
        left_ = rfb::get32(bytes, 0);
        headed_ = true;
        used = 8;
        screen_->fill({rectangle_.x, rectangle_.y, rectangle_.width, rectangle_.height},
                      pixel_at(bytes.data() + 4));
    }
    const bool wide = rectangle_.encoding == rfb::Encoding::rre;
    const std::size_t part = wide ? 12 : 8;
    for (; left_ > 0 && bytes.size() - used >= part; --left_, used += part) {
        const auto side = [&](std::size_t which) -> unsigned {
            return wide ? rfb::get16(bytes, used + 4 + 2 * which)
                        : rfb::get8(bytes, used + 4 + which);
        };
        const unsigned x = side(0);
        const unsigned y = side(1);
        const unsigned width = side(2);
        const unsigned height = side(3);
        if (x + width > rectangle_.width || y + height > rectangle_.height)
            return not_rfb("the screen sent a part that is larger than its rectangle");
        screen_->fill({static_cast<int>(rectangle_.x + x), static_cast<int>(rectangle_.y + y),
                       static_cast<int>(width), static_cast<int>(height)},
                      pixel_at(bytes.data() + used));
    }
    return used;
}

Result<std::size_t> HextilePainter::draw(std::string_view bytes) {
    std::size_t used = 0;
    while (!all_drawn()) {
        const auto tile = draw_tile(bytes.substr(used));
        if (!tile)
            return tile;
        if (*tile == 0)
            break;
        used += *tile;
        x_ += 16;
        if (x_ >= rectangle_.width) {
            x_ = 0;
            y_ += 16;
        }
    }
    return used;
}

Result<std::size_t> HextilePainter::draw_tile(std::string_view bytes) {
    constexpr unsigned raw = 1;
    constexpr unsigned background = 2;
    constexpr unsigned foreground = 4;
    constexpr unsigned any = 8;
    constexpr unsigned coloured = 16;
    if (bytes.empty())
        return 0;
    const unsigned kind = rfb::get8(bytes, 0);
    const unsigned width = std::min(16U, rectangle_.width - x_);
    const unsigned height = std::min(16U, rectangle_.height - y_);
    std::size_t at = 1;
    if ((kind & raw) != 0) {
        if (bytes.size() < at + std::size_t{width} * height * 4)
            return 0;
        for (unsigned y = 0; y < height; ++y, at += std::size_t{width} * 4)
            take_pixels(row(y_ + y) + x_, bytes.data() + at, width);
        return at;
    }
    std::size_t head = 1;
    for (const unsigned part : {background, foreground})
        head += (kind & part) != 0 ? 4 : 0;
    head += (kind & any) != 0 ? 1 : 0;
    if (bytes.size() < head)
        return 0;
    if ((kind & background) != 0) {
        background_ = pixel_at(bytes.data() + at);
        at += 4;
    }
    if ((kind & foreground) != 0) {
        foreground_ = pixel_at(bytes.data() + at);
        at += 4;
    }
    const unsigned parts = (kind & any) != 0 ? rfb::get8(bytes, at) : 0;
    const std::size_t part_bytes = (kind & coloured) != 0 ? 6 : 2;
    if (bytes.size() < head + parts * part_bytes)
        return 0;
    const int left = static_cast<int>(rectangle_.x + x_);
    const int top = static_cast<int>(rectangle_.y + y_);
    screen_->fill({left, top, static_cast<int>(width), static_cast<int>(height)}, background_);
    at = head;
    for (unsigned i = 0; i < parts; ++i, at += part_bytes) {
        const bool own = (kind & coloured) != 0;
        const unsigned corner = rfb::get8(bytes, at + (own ? 4 : 0));
        const unsigned size = rfb::get8(bytes, at + (own ? 5 : 1));
        const Area part{static_cast<int>(corner >> 4), static_cast<int>(corner & 15),
                        static_cast<int>(size >> 4) + 1, static_cast<int>(size & 15) + 1};
        if (part.x + part.width > static_cast<int>(width) ||
            part.y + part.height > static_cast<int>(height))
            return not_rfb("the screen sent a part that is larger than its tile");
        screen_->fill({left + part.x, top + part.y, part.width, part.height},
                      own ? pixel_at(bytes.data() + at) : foreground_);
    }
    return at;
}

} // namespace baton::picture
