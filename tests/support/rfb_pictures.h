#pragma once

#include "rfb/server_messages.h"
#include "rfb/tight_reader.h"
#include "rfb/wire.h"
#include "support/rfb_zlib.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

/// A screen that a test makes up: draws at random and writes what it drew in every encoding, in
/// each of the ways that the encoding has.
namespace baton::rfb {

/// Numbers that follow from a seed, for loops that a property's own generators are too slow for.
class Dice {
  public:
    explicit Dice(std::uint64_t seed) : state_(seed * 2 + 1) {}

    /// 0 to `most` - 1.
    unsigned below(unsigned most) {
        state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
        return static_cast<unsigned>((state_ >> 33) % most);
    }

  private:
    std::uint64_t state_;
};

class MadeUpScreen {
  public:
    MadeUpScreen(Size size, std::uint64_t seed)
        : size_(size), dice_(seed), pixels_(std::size_t{size.width} * size.height) {
        for (auto& one : deflaters_)
            one = std::make_unique<Deflater>();
    }

    [[nodiscard]] const std::vector<std::uint32_t>& pixels() const { return pixels_; }

    /// Draws somewhere and writes it.
    std::string rectangle(Encoding encoding) {
        const unsigned most = encoding == Encoding::corre ? 40 : 150;
        Rectangle r;
        r.width =
            static_cast<std::uint16_t>(1 + dice_.below(std::min<unsigned>(size_.width, most)));
        r.height =
            static_cast<std::uint16_t>(1 + dice_.below(std::min<unsigned>(size_.height, most)));
        r.x = static_cast<std::uint16_t>(dice_.below(size_.width - r.width + 1U));
        r.y = static_cast<std::uint16_t>(dice_.below(size_.height - r.height + 1U));
        r.encoding = encoding;
        std::string out;
        write(out, r);
        if (encoding == Encoding::copy_rect) {
            copy(out, r);
            return out;
        }
        scribble(r);
        switch (encoding) {
        case Encoding::raw:
            out += raw(r);
            break;
        case Encoding::zlib:
            counted(out, deflated(Inflater::zlib, raw(r)));
            break;
        case Encoding::rre:
        case Encoding::corre:
            rre(out, r);
            break;
        case Encoding::hextile:
            hextile(out, r);
            break;
        case Encoding::zrle:
            counted(out, deflated(Inflater::zrle, zrle(r)));
            break;
        default:
            tight(out, r);
            break;
        }
        return out;
    }

  private:
    using Colours = std::vector<std::uint32_t>;

    [[nodiscard]] std::uint32_t at(unsigned x, unsigned y) const {
        return pixels_[std::size_t{y} * size_.width + x];
    }

    /// Runs of one to all colours of a small or large palette.
    void scribble(const Rectangle& r) {
        Colours palette(std::array{1U, 2U, 3U, 5U, 17U, 100U, 200U, 400U}[dice_.below(8)]);
        for (auto& colour : palette)
            colour = dice_.below(0x1000000);
        const unsigned most_run = 1 + dice_.below(dice_.below(2) == 0 ? 3 : 400);
        unsigned left = 0;
        std::uint32_t colour = 0;
        for (unsigned y = 0; y < r.height; ++y)
            for (unsigned x = 0; x < r.width; ++x) {
                if (left == 0) {
                    left = 1 + dice_.below(most_run);
                    colour = palette[dice_.below(static_cast<unsigned>(palette.size()))];
                }
                --left;
                pixels_[std::size_t{r.y + y} * size_.width + r.x + x] = colour;
            }
    }

    std::string deflated(Inflater which, std::string_view plain) {
        return deflaters_[static_cast<std::size_t>(which)]->add(plain);
    }

    static void counted(std::string& out, const std::string& bytes) {
        put32(out, static_cast<std::uint32_t>(bytes.size()));
        out += bytes;
    }

    static void blue_first(std::string& out, std::uint32_t pixel, unsigned bytes) {
        for (unsigned i = 0; i < bytes; ++i)
            put8(out, pixel >> (8 * i));
    }

    static void red_first(std::string& out, std::uint32_t pixel) {
        put8(out, pixel >> 16);
        put8(out, pixel >> 8);
        put8(out, pixel);
    }

    /// Distinct ones, in the order of their first use.
    [[nodiscard]] Colours colours_of(const Rectangle& r) const {
        Colours colours;
        std::map<std::uint32_t, bool> seen;
        for (unsigned y = 0; y < r.height; ++y)
            for (unsigned x = 0; x < r.width; ++x)
                if (!std::exchange(seen[at(r.x + x, r.y + y)], true))
                    colours.push_back(at(r.x + x, r.y + y));
        return colours;
    }

    [[nodiscard]] std::string raw(const Rectangle& r) const {
        std::string out;
        for (unsigned y = 0; y < r.height; ++y)
            for (unsigned x = 0; x < r.width; ++x)
                blue_first(out, at(r.x + x, r.y + y), 4);
        return out;
    }

    void copy(std::string& out, const Rectangle& r) {
        const unsigned from_x = dice_.below(size_.width - r.width + 1U);
        const unsigned from_y = dice_.below(size_.height - r.height + 1U);
        put16(out, from_x);
        put16(out, from_y);
        const auto before = pixels_;
        for (unsigned y = 0; y < r.height; ++y)
            for (unsigned x = 0; x < r.width; ++x)
                pixels_[std::size_t{r.y + y} * size_.width + r.x + x] =
                    before[std::size_t{from_y + y} * size_.width + from_x + x];
    }

    void rre(std::string& out, const Rectangle& r) const {
        const std::uint32_t background = at(r.x, r.y);
        std::string parts;
        std::uint32_t count = 0;
        const auto side = [&](unsigned value) {
            r.encoding == Encoding::rre ? put16(parts, value) : put8(parts, value);
        };
        for (unsigned y = 0; y < r.height; ++y)
            for (unsigned x = 0; x < r.width; ++x)
                if (at(r.x + x, r.y + y) != background) {
                    blue_first(parts, at(r.x + x, r.y + y), 4);
                    for (const unsigned value : {x, y, 1U, 1U})
                        side(value);
                    ++count;
                }
        put32(out, count);
        blue_first(out, background, 4);
        out += parts;
    }

    void hextile(std::string& out, const Rectangle& r) {
        std::uint32_t background = 0;
        std::uint32_t foreground = 0;
        for (unsigned y = 0; y < r.height; y += 16)
            for (unsigned x = 0; x < r.width; x += 16) {
                Rectangle tile;
                tile.x = static_cast<std::uint16_t>(r.x + x);
                tile.y = static_cast<std::uint16_t>(r.y + y);
                tile.width = static_cast<std::uint16_t>(std::min(16U, r.width - x));
                tile.height = static_cast<std::uint16_t>(std::min(16U, r.height - y));
                hextile_tile(out, tile, background, foreground);
            }
    }

    void hextile_tile(std::string& out, const Rectangle& tile, std::uint32_t& background,
                      std::uint32_t& foreground) {
        const Colours colours = colours_of(tile);
        std::string parts;
        unsigned count = 0;
        const bool coloured = colours.size() > 2;
        for (unsigned y = 0; y < tile.height; ++y)
            for (unsigned x = 0; x < tile.width; ++x)
                if (const auto pixel = at(tile.x + x, tile.y + y); pixel != colours[0]) {
                    if (coloured)
                        blue_first(parts, pixel, 4);
                    put8(parts, x << 4 | y);
                    put8(parts, 0);
                    ++count;
                }
        if (count > 255 || dice_.below(4) == 0) {
            put8(out, 1);
            out += raw(tile);
            return;
        }
        unsigned kind = count > 0 ? 8 : 0;
        std::string head;
        if (background != colours[0] || dice_.below(2) == 0) {
            kind |= 2;
            blue_first(head, background = colours[0], 4);
        }
        if (!coloured && colours.size() == 2 && foreground != colours[1]) {
            kind |= 4;
            blue_first(head, foreground = colours[1], 4);
        }
        if (coloured)
            kind |= 16;
        put8(out, kind);
        out += head;
        if (count > 0)
            put8(out, count);
        out += parts;
    }

    std::string zrle(const Rectangle& r) {
        std::string out;
        for (unsigned y = 0; y < r.height; y += 64)
            for (unsigned x = 0; x < r.width; x += 64) {
                Rectangle tile;
                tile.x = static_cast<std::uint16_t>(r.x + x);
                tile.y = static_cast<std::uint16_t>(r.y + y);
                tile.width = static_cast<std::uint16_t>(std::min(64U, r.width - x));
                tile.height = static_cast<std::uint16_t>(std::min(64U, r.height - y));
                zrle_tile(out, tile);
            }
        return out;
    }

    void zrle_tile(std::string& out, const Rectangle& tile) {
        const Colours colours = colours_of(tile);
        const auto count = static_cast<unsigned>(colours.size());
        std::vector<unsigned> kinds{0, 128};
        if (count == 1)
            kinds.push_back(1);
        if (count >= 2 && count <= 16)
            kinds.push_back(count);
        if (count >= 2 && count <= 127)
            kinds.push_back(128 + count);
        const unsigned kind = kinds[dice_.below(static_cast<unsigned>(kinds.size()))];
        put8(out, kind);
        if (kind != 0 && kind != 128)
            for (const auto colour : colours)
                blue_first(out, colour, 3);
        const auto index = [&](std::uint32_t pixel) {
            return static_cast<unsigned>(std::find(colours.begin(), colours.end(), pixel) -
                                         colours.begin());
        };
        if (kind >= 2 && kind <= 16) {
            const unsigned bits = kind == 2 ? 1 : kind <= 4 ? 2 : 4;
            for (unsigned y = 0; y < tile.height; ++y) {
                std::string row((tile.width * bits + 7) / 8, '\0');
                for (unsigned x = 0; x < tile.width; ++x)
                    row[x * bits / 8] = static_cast<char>(
                        row[x * bits / 8] | static_cast<char>(index(at(tile.x + x, tile.y + y))
                                                              << (8 - bits - x * bits % 8)));
                out += row;
            }
            return;
        }
        std::vector<std::uint32_t> all;
        for (unsigned y = 0; y < tile.height; ++y)
            for (unsigned x = 0; x < tile.width; ++x)
                all.push_back(at(tile.x + x, tile.y + y));
        for (std::size_t i = 0; i < all.size() && kind != 1;) {
            std::size_t length = 1;
            while (kind >= 128 && i + length < all.size() && all[i + length] == all[i])
                ++length;
            if (kind <= 128)
                blue_first(out, all[i], 3);
            else
                put8(out, index(all[i]) | (length > 1 ? 128 : 0));
            if (kind == 128 || (kind > 128 && length > 1)) {
                std::size_t more = length - 1;
                for (; more >= 255; more -= 255)
                    put8(out, 255);
                put8(out, static_cast<std::uint32_t>(more));
            }
            i += length;
        }
    }

    void tight(std::string& out, const Rectangle& r) {
        const Colours colours = colours_of(r);
        unsigned resets = 0;
        for (unsigned i = 0; i < 4; ++i)
            if (dice_.below(8) == 0) {
                resets |= 1U << i;
                deflaters_[i] = std::make_unique<Deflater>();
            }
        if (colours.size() == 1 && dice_.below(2) == 0) {
            put8(out, 0x80 | resets);
            red_first(out, colours[0]);
            return;
        }
        const unsigned stream = dice_.below(4);
        std::vector<unsigned> filters{0, 2, 3}; // 3: copy without a name
        if (colours.size() <= 256)
            filters.insert(filters.end(), 3, 1U);
        const unsigned filter = filters[dice_.below(static_cast<unsigned>(filters.size()))];
        put8(out, (filter == 3 ? 0U : 0x40U) | stream << 4 | resets);
        if (filter != 3)
            put8(out, filter);
        std::string data;
        if (filter == 1) {
            put8(out, static_cast<std::uint32_t>(colours.size() - 1));
            for (const auto colour : colours)
                red_first(out, colour);
            data = indexed(r, colours);
        } else if (filter == 2) {
            data = gradient(r);
        } else {
            for (unsigned y = 0; y < r.height; ++y)
                for (unsigned x = 0; x < r.width; ++x)
                    red_first(data, at(r.x + x, r.y + y));
        }
        if (data.size() < 12) {
            out += data;
            return;
        }
        const std::string bytes = deflated(static_cast<Inflater>(stream), data);
        write_compact_length(out, static_cast<std::uint32_t>(bytes.size()));
        out += bytes;
    }

    [[nodiscard]] std::string indexed(const Rectangle& r, const Colours& colours) const {
        std::map<std::uint32_t, unsigned> index;
        for (const auto colour : colours)
            index.emplace(colour, static_cast<unsigned>(index.size()));
        std::string data;
        for (unsigned y = 0; y < r.height; ++y) {
            std::string row(colours.size() <= 2 ? (r.width + 7U) / 8 : r.width, '\0');
            for (unsigned x = 0; x < r.width; ++x) {
                const unsigned value = index[at(r.x + x, r.y + y)];
                if (colours.size() > 2)
                    row[x] = static_cast<char>(value);
                else
                    row[x / 8] =
                        static_cast<char>(row[x / 8] | static_cast<char>(value << (7 - x % 8)));
            }
            data += row;
        }
        return data;
    }

    [[nodiscard]] std::string gradient(const Rectangle& r) const {
        std::string data;
        const auto colour = [&](int x, int y, unsigned c) -> int {
            return x < 0 || y < 0 ? 0
                                  : static_cast<int>(at(r.x + static_cast<unsigned>(x),
                                                        r.y + static_cast<unsigned>(y)) >>
                                                         (16 - 8 * c) &
                                                     255);
        };
        for (int y = 0; y < r.height; ++y)
            for (int x = 0; x < r.width; ++x)
                for (unsigned c = 0; c < 3; ++c) {
                    const int guess = std::clamp(colour(x - 1, y, c) + colour(x, y - 1, c) -
                                                     colour(x - 1, y - 1, c),
                                                 0, 255);
                    put8(data, static_cast<std::uint32_t>(colour(x, y, c) - guess));
                }
        return data;
    }

    Size size_;
    Dice dice_;
    std::vector<std::uint32_t> pixels_;
    std::array<std::unique_ptr<Deflater>, inflaters> deflaters_;
};

} // namespace baton::rfb
