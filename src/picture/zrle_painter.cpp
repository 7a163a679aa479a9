#include "picture/painter.h"
#include "rfb/limits.h"
#include "rfb/wire.h"

#include <algorithm>
#include <array>

namespace baton::picture {

namespace {

using Palette = std::array<std::uint32_t, 128>;

/// One tile of a ZRLE rectangle. Each method says how many bytes it took; 0: it needs more.
struct ZrleTile {
    std::string_view bytes; ///< behind the tile's first one
    std::uint32_t* corner;
    std::size_t stride; ///< pixels from row to row
    unsigned width;
    unsigned height;

    static constexpr std::size_t pixel_bytes = 3;

    [[nodiscard]] std::size_t area() const { return std::size_t{width} * height; }

    [[nodiscard]] std::size_t raw() const {
        if (bytes.size() < area() * pixel_bytes)
            return 0;
        const char* from = bytes.data();
        for (unsigned y = 0; y < height; ++y)
            for (unsigned x = 0; x < width; ++x, from += pixel_bytes)
                corner[y * stride + x] = pixel_at(from);
        return area() * pixel_bytes;
    }

    [[nodiscard]] std::size_t solid() const {
        if (bytes.size() < pixel_bytes)
            return 0;
        const std::uint32_t pixel = pixel_at(bytes.data());
        for (unsigned y = 0; y < height; ++y)
            std::fill_n(corner + y * stride, width, pixel);
        return pixel_bytes;
    }

    std::size_t read_palette(Palette& palette, unsigned colours) const {
        if (bytes.size() < colours * pixel_bytes)
            return 0;
        for (unsigned i = 0; i < colours; ++i)
            palette[i] = pixel_at(bytes.data() + i * pixel_bytes);
        return colours * pixel_bytes;
    }

    [[nodiscard]] Result<std::size_t> packed(unsigned colours) const {
        Palette palette;
        std::size_t at = read_palette(palette, colours);
        const unsigned bits = colours == 2 ? 1 : colours <= 4 ? 2 : 4;
        const std::size_t row_bytes = (width * bits + 7) / 8;
        if (at == 0 || bytes.size() < at + row_bytes * height)
            return 0;
        const unsigned mask = (1U << bits) - 1;
        for (unsigned y = 0; y < height; ++y, at += row_bytes)
            for (unsigned x = 0; x < width; ++x) {
                const unsigned word = rfb::get8(bytes, at + x * bits / 8);
                const unsigned index = word >> (8 - bits - x * bits % 8) & mask;
                if (index >= colours)
                    return rfb::not_rfb("the screen uses a colour that its palette does not have");
                corner[y * stride + x] = palette[index];
            }
        return at;
    }

    /// `colours` 0: plain runs, each with its pixel.
    [[nodiscard]] Result<std::size_t> runs(unsigned colours) const {
        Palette palette;
        std::size_t at = read_palette(palette, colours);
        if (at == 0 && colours != 0)
            return 0;
        unsigned x = 0;
        unsigned y = 0;
        for (std::size_t left = area(); left > 0;) {
            if (at + (colours == 0 ? pixel_bytes : 1) > bytes.size())
                return 0;
            std::uint32_t pixel = 0;
            bool is_run = true;
            if (colours == 0) {
                pixel = pixel_at(bytes.data() + at);
                at += pixel_bytes;
            } else {
                const unsigned word = rfb::get8(bytes, at++);
                is_run = (word & 128) != 0;
                if ((word & 127) >= colours)
                    return rfb::not_rfb("the screen uses a colour that its palette does not have");
                pixel = palette[word & 127];
            }
            std::size_t length = 1;
            for (unsigned more = 255; is_run && more == 255; length += more) {
                if (at == bytes.size())
                    return 0;
                more = rfb::get8(bytes, at++);
                if (length + more > left)
                    return rfb::not_rfb("the screen sent a run that goes beyond its tile");
            }
            left -= length;
            while (length > 0) {
                const unsigned some = std::min<unsigned>(static_cast<unsigned>(length), width - x);
                std::fill_n(corner + y * stride + x, some, pixel);
                length -= some;
                x += some;
                if (x == width) {
                    x = 0;
                    ++y;
                }
            }
        }
        return at;
    }

    [[nodiscard]] Result<std::size_t> draw(unsigned kind) const {
        constexpr unsigned most_packed = 16;
        constexpr unsigned plain_runs = 128;
        if (kind == 0)
            return raw();
        if (kind == 1)
            return solid();
        if (kind <= most_packed)
            return packed(kind);
        if (kind == plain_runs)
            return runs(0);
        if (kind > plain_runs + 1)
            return runs(kind - plain_runs);
        return rfb::not_rfb("the screen sent a ZRLE tile of an unknown kind");
    }
};

} // namespace

Result<std::size_t> ZrlePainter::draw(std::string_view bytes) {
    constexpr unsigned side = 64;
    std::size_t used = 0;
    while (!all_drawn() && used < bytes.size()) {
        const ZrleTile tile{bytes.substr(used + 1), row(y_) + x_, screen_->size().width,
                            std::min(side, rectangle_.width - x_),
                            std::min(side, rectangle_.height - y_)};
        const auto taken = tile.draw(rfb::get8(bytes, used));
        if (!taken)
            return taken;
        if (*taken == 0)
            break;
        used += 1 + *taken;
        x_ += side;
        if (x_ >= rectangle_.width) {
            x_ = 0;
            y_ += side;
        }
    }
    return used;
}

} // namespace baton::picture
