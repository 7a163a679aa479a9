#include "support/rfb_decoder.h"

#include "rfb/tight_reader.h"
#include "rfb/wire.h"

#include <algorithm>
#include <png.h>
#include <stdexcept>
#include <utility>

namespace baton::rfb {
namespace {

/// What is left of a rectangle's bytes; ends with an exception where a viewer would read beyond.
class Bytes {
  public:
    explicit Bytes(std::string_view text) : text_(text) {}

    std::string_view take(std::size_t count) {
        if (text_.size() < count)
            throw std::runtime_error("a rectangle ends too early");
        const auto some = text_.substr(0, count);
        text_.remove_prefix(count);
        return some;
    }

    unsigned byte() { return get8(take(1), 0); }

    std::uint32_t number() { return get32(take(4), 0); }

    std::uint16_t half() { return get16(take(2), 0); }

    /// Blue first: 3 bytes of ZRLE, 4 of Raw.
    std::uint32_t blue_first(std::size_t bytes) {
        const auto text = take(bytes);
        return static_cast<std::uint32_t>(get8(text, 2) << 16 | get8(text, 1) << 8 | get8(text, 0));
    }

    /// Tight's.
    std::uint32_t red_first() {
        const auto text = take(3);
        return static_cast<std::uint32_t>(get8(text, 0) << 16 | get8(text, 1) << 8 | get8(text, 2));
    }

    std::string_view rest() const { return text_; }

  private:
    std::string_view text_;
};

unsigned run_length(Bytes& bytes) {
    unsigned length = 1;
    for (;;) {
        const unsigned more = bytes.byte();
        length += more;
        if (more != 255)
            return length;
    }
}

struct Tile {
    unsigned x, y, width, height;
};

/// ZRLE's tile behind its kind: pixels in rows.
std::vector<std::uint32_t> zrle_tile(Bytes& bytes, unsigned kind, std::size_t area) {
    std::vector<std::uint32_t> palette(kind & 127);
    if (kind == 0 || kind == 128)
        palette.clear();
    if (kind == 129 || (kind > 16 && kind < 128))
        throw std::runtime_error("ZRLE has no tile of this kind");
    for (auto& colour : palette)
        colour = bytes.blue_first(3);
    std::vector<std::uint32_t> pixels;
    while (pixels.size() < area) {
        if (kind == 0) {
            pixels.push_back(bytes.blue_first(3));
        } else if (kind == 1) {
            pixels.assign(area, palette[0]);
        } else if (kind == 128) {
            const auto colour = bytes.blue_first(3);
            pixels.insert(pixels.end(), run_length(bytes), colour);
        } else {
            const unsigned word = bytes.byte();
            pixels.insert(pixels.end(), (word & 128) != 0 ? run_length(bytes) : 1,
                          palette.at(word & 127));
        }
    }
    if (pixels.size() != area)
        throw std::runtime_error("a run goes beyond its tile");
    return pixels;
}

std::vector<std::uint32_t> zrle_packed(Bytes& bytes, unsigned colours, const Tile& tile) {
    std::vector<std::uint32_t> palette(colours);
    for (auto& colour : palette)
        colour = bytes.blue_first(3);
    const unsigned bits = colours == 2 ? 1 : colours <= 4 ? 2 : 4;
    std::vector<std::uint32_t> pixels;
    for (unsigned y = 0; y < tile.height; ++y) {
        const auto row = bytes.take((tile.width * bits + 7) / 8);
        for (unsigned x = 0; x < tile.width; ++x)
            pixels.push_back(palette.at(get8(row, x * bits / 8) >> (8 - bits - x * bits % 8) &
                                        ((1U << bits) - 1)));
    }
    return pixels;
}

} // namespace

void Decoder::resize(Size size) {
    const std::size_t area = std::size_t{size.width} * size.height;
    picture_ = {size.width, size.height, std::vector<std::uint32_t>(area)};
    drawn_.assign(area, false);
}

std::size_t Decoder::missing() const {
    return static_cast<std::size_t>(std::count(drawn_.begin(), drawn_.end(), false));
}

void Decoder::take(const ServerReader& reader, const ServerEvent& event) {
    switch (event.part) {
    case ServerEvent::Part::rectangle:
        plain_.clear();
        deflated_.clear();
        deflating_ = false;
        break;
    case ServerEvent::Part::deflate:
        deflating_ = true;
        inflater_ = reader.deflated().inflater;
        break;
    case ServerEvent::Part::tight:
    case ServerEvent::Part::body:
        (deflating_ ? deflated_ : plain_) += event.bytes;
        break;
    default:
        break;
    }
    if (event.ends_rectangle) {
        ++counts_[name_of(reader.rectangle().encoding)];
        if (reader.size() != Size{picture_.width, picture_.height})
            resize(reader.size());
        if (is_picture(reader.rectangle().encoding))
            draw(reader.rectangle());
    }
    if (event.ends_message && (event.ends_rectangle || event.part == ServerEvent::Part::update))
        ++updates_;
}

void Decoder::put(unsigned x, unsigned y, std::uint32_t pixel) {
    const std::size_t at = std::size_t{y} * picture_.width + x;
    picture_.pixels.at(at) = pixel;
    drawn_[at] = true;
}

void Decoder::fill(unsigned x, unsigned y, unsigned width, unsigned height, std::uint32_t pixel) {
    for (unsigned row = 0; row < height; ++row)
        for (unsigned column = 0; column < width; ++column)
            put(x + column, y + row, pixel);
}

void Decoder::draw_raw(const Rectangle& r, std::string_view pixels, std::size_t pixel_bytes) {
    Bytes bytes(pixels);
    for (unsigned y = 0; y < r.height; ++y)
        for (unsigned x = 0; x < r.width; ++x)
            put(r.x + x, r.y + y, bytes.blue_first(pixel_bytes));
}

std::string Decoder::inflate(Inflater which, std::size_t most) {
    return streams_[static_cast<std::size_t>(which)].add(deflated_, most);
}

void Decoder::draw(const Rectangle& rectangle) {
    const std::size_t area = std::size_t{rectangle.width} * rectangle.height;
    switch (rectangle.encoding) {
    case Encoding::raw:
        return draw_raw(rectangle, plain_, 4);
    case Encoding::zlib:
        return draw_raw(rectangle, inflate(inflater_, area * 4), 4);
    case Encoding::copy_rect:
        return draw_copy(rectangle);
    case Encoding::rre:
    case Encoding::corre:
        return draw_rre(rectangle);
    case Encoding::hextile:
        return draw_hextile(rectangle);
    case Encoding::zrle:
        return draw_zrle(rectangle);
    default:
        return draw_tight(rectangle);
    }
}

void Decoder::draw_copy(const Rectangle& r) {
    Bytes bytes(plain_);
    const unsigned from_x = bytes.half();
    const unsigned from_y = bytes.half();
    const Picture before = picture_;
    for (unsigned y = 0; y < r.height; ++y)
        for (unsigned x = 0; x < r.width; ++x)
            put(r.x + x, r.y + y,
                before.pixels.at(std::size_t{from_y + y} * before.width + from_x + x));
}

void Decoder::draw_rre(const Rectangle& r) {
    Bytes bytes(plain_);
    const auto count = bytes.number();
    fill(r.x, r.y, r.width, r.height, bytes.blue_first(4));
    for (std::uint32_t i = 0; i < count; ++i) {
        const auto pixel = bytes.blue_first(4);
        const auto side = [&]() -> unsigned {
            return r.encoding == Encoding::rre ? bytes.half() : bytes.byte();
        };
        const unsigned x = side();
        const unsigned y = side();
        const unsigned width = side();
        const unsigned height = side();
        fill(r.x + x, r.y + y, width, height, pixel);
    }
}

void Decoder::draw_hextile(const Rectangle& r) {
    Bytes bytes(plain_);
    std::uint32_t background = 0;
    std::uint32_t foreground = 0;
    for (unsigned y = 0; y < r.height; y += 16)
        for (unsigned x = 0; x < r.width; x += 16) {
            const unsigned width = std::min(16U, r.width - x);
            const unsigned height = std::min(16U, r.height - y);
            const unsigned kind = bytes.byte();
            if ((kind & 1) != 0) {
                const Rectangle tile{static_cast<std::uint16_t>(r.x + x),
                                     static_cast<std::uint16_t>(r.y + y),
                                     static_cast<std::uint16_t>(width),
                                     static_cast<std::uint16_t>(height), Encoding::raw};
                draw_raw(tile, bytes.take(std::size_t{width} * height * 4), 4);
                continue;
            }
            if ((kind & 2) != 0)
                background = bytes.blue_first(4);
            if ((kind & 4) != 0)
                foreground = bytes.blue_first(4);
            fill(r.x + x, r.y + y, width, height, background);
            for (unsigned parts = (kind & 8) != 0 ? bytes.byte() : 0; parts > 0; --parts) {
                const auto pixel = (kind & 16) != 0 ? bytes.blue_first(4) : foreground;
                const unsigned at = bytes.byte();
                const unsigned size = bytes.byte();
                fill(r.x + x + (at >> 4), r.y + y + (at & 15), (size >> 4) + 1, (size & 15) + 1,
                     pixel);
            }
        }
    if (!bytes.rest().empty())
        throw std::runtime_error("bytes are left behind a Hextile rectangle");
}

void Decoder::draw_tight(const Rectangle& r) {
    const unsigned control = get8(plain_, 0);
    for (unsigned i = 0; i < 4; ++i)
        if ((control >> i & 1U) != 0)
            streams_[i].reset();
    const unsigned kind = control >> 4;
    if (kind < 8)
        return draw_tight_basic(r, kind);
    if (kind == 10)
        return draw_png(r);
    if (kind == 9)
        throw std::runtime_error("JPEG loses something, and is not drawn here");
    Bytes bytes(std::string_view(plain_).substr(1));
    fill(r.x, r.y, r.width, r.height, bytes.red_first());
}

void Decoder::draw_tight_basic(const Rectangle& r, unsigned kind) {
    Bytes head(std::string_view(plain_).substr(1));
    const unsigned filter = (kind & 4) != 0 ? head.byte() : 0;
    std::vector<std::uint32_t> palette(filter == 1 ? head.byte() + 1 : 0);
    for (auto& colour : palette)
        colour = head.red_first();
    const std::size_t most = std::size_t{r.width} * r.height * 3;
    const std::string data = deflating_ ? inflate(inflater_, most) : std::string(head.rest());
    Bytes bytes(data);
    const unsigned bits = palette.size() <= 2 ? 1 : 8;
    std::vector<std::array<int, 3>> above(r.width + 1U);
    for (unsigned y = 0; y < r.height; ++y) {
        const auto row = filter == 1 ? bytes.take((r.width * bits + 7) / 8) : std::string_view();
        std::array<int, 3> left{};
        std::array<int, 3> corner{};
        for (unsigned x = 0; x < r.width; ++x) {
            std::uint32_t pixel = 0;
            if (filter == 1) {
                const unsigned index =
                    bits == 8 ? get8(row, x) : get8(row, x / 8) >> (7 - x % 8) & 1U;
                pixel = palette.at(index);
            } else {
                pixel = bytes.red_first();
            }
            if (filter == 2) { // rfbproto: each colour is told against what its neighbours say
                std::array<int, 3> now{};
                std::uint32_t sum = 0;
                for (unsigned c = 0; c < 3; ++c) {
                    const int guess = std::clamp(left[c] + above[x][c] - corner[c], 0, 255);
                    now[c] = (guess + static_cast<int>(pixel >> (16 - 8 * c) & 255)) & 255;
                    sum = sum << 8 | static_cast<std::uint32_t>(now[c]);
                }
                pixel = sum;
                corner = above[x];
                above[x] = now;
                left = now;
            }
            put(r.x + x, r.y + y, pixel);
        }
    }
    if (!bytes.rest().empty())
        throw std::runtime_error("bytes are left behind a Tight rectangle");
}

void Decoder::draw_png(const Rectangle& r) {
    // behind the control byte and its compact length
    std::string_view file = std::string_view(plain_).substr(1);
    file.remove_prefix(read_compact_length(file).bytes);
    png_image image{};
    image.version = PNG_IMAGE_VERSION;
    if (png_image_begin_read_from_memory(&image, file.data(), file.size()) == 0)
        throw std::runtime_error("not a PNG");
    image.format = PNG_FORMAT_BGRA;
    std::string pixels(PNG_IMAGE_SIZE(image), '\0');
    if (image.width != r.width || image.height != r.height ||
        png_image_finish_read(&image, nullptr, pixels.data(), 0, nullptr) == 0)
        throw std::runtime_error("a PNG that cannot be drawn");
    draw_raw(r, pixels, 4);
}

void Decoder::draw_zrle(const Rectangle& r) {
    const std::size_t area = std::size_t{r.width} * r.height;
    const std::string data = inflate(inflater_, area * 4 + 65536);
    Bytes bytes(data);
    for (unsigned y = 0; y < r.height; y += 64)
        for (unsigned x = 0; x < r.width; x += 64) {
            const Tile tile{r.x + x, r.y + y, std::min(64U, r.width - x),
                            std::min(64U, r.height - y)};
            const unsigned kind = bytes.byte();
            const auto pixels = kind >= 2 && kind <= 16
                                    ? zrle_packed(bytes, kind, tile)
                                    : zrle_tile(bytes, kind, std::size_t{tile.width} * tile.height);
            for (unsigned i = 0; i < pixels.size(); ++i)
                put(tile.x + i % tile.width, tile.y + i / tile.width, pixels[i]);
        }
    if (!bytes.rest().empty())
        throw std::runtime_error("bytes are left behind a ZRLE rectangle");
}

} // namespace baton::rfb
