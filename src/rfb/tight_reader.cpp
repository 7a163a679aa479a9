#include "rfb/tight_reader.h"

#include "rfb/limits.h"
#include "rfb/wire.h"

#include <fmt/format.h>

namespace baton::rfb {

namespace {

constexpr std::uint8_t tight_fill = 8;
constexpr std::uint8_t tight_jpeg = 9;
constexpr std::uint8_t tight_png = 10;
constexpr std::uint8_t tight_filtered = 4; ///< of a basic one: its filter is named

enum class Filter : std::uint8_t { copy = 0, palette = 1, gradient = 2 };

/// Less than this is not deflated, and has no length.
constexpr std::uint64_t least_deflated = 12;

Result<TightHead> read_basic(std::string_view input, const Rectangle& rectangle,
                             const PixelFormat& format, std::uint8_t kind) {
    const std::uint64_t pixel = format.tight_pixel_bytes();
    TightHead head;
    head.bytes = 1;
    head.inflater = static_cast<Inflater>(kind & 3);
    std::uint64_t row = rectangle.width * pixel;
    if ((kind & tight_filtered) != 0) {
        if (input.size() < 2)
            return TightHead{};
        const std::uint8_t filter = get8(input, 1);
        if (filter > static_cast<std::uint8_t>(Filter::gradient))
            return not_rfb(fmt::format("a Tight rectangle has the unknown filter {}", filter));
        head.bytes = 2;
        if (filter == static_cast<std::uint8_t>(Filter::palette)) {
            if (input.size() < 3)
                return TightHead{};
            const std::uint32_t colours = get8(input, 2) + 1U;
            head.bytes = 3;
            head.plain = colours * static_cast<std::uint32_t>(pixel);
            row = colours <= 2 ? (rectangle.width + 7U) / 8 : rectangle.width;
        }
    }
    head.data = row * rectangle.height;
    head.deflated = head.data >= least_deflated;
    if (!head.deflated)
        head.plain += static_cast<std::uint32_t>(head.data);
    return head;
}

} // namespace

CompactLength read_compact_length(std::string_view input) {
    CompactLength length;
    for (std::size_t at = 0; at < 3; ++at) {
        if (input.size() <= at)
            return {};
        const std::uint32_t byte = get8(input, at);
        length.value |= (at == 2 ? byte : byte & 0x7F) << (7 * at);
        length.bytes = at + 1;
        if ((byte & 0x80) == 0)
            break;
    }
    return length;
}

void write_compact_length(std::string& out, std::uint32_t value) {
    if (value < 0x80) {
        put8(out, value);
        return;
    }
    put8(out, (value & 0x7F) | 0x80);
    if (value < 0x4000) {
        put8(out, value >> 7);
        return;
    }
    put8(out, (value >> 7 & 0x7F) | 0x80);
    put8(out, value >> 14);
}

Result<TightHead> read_tight_head(std::string_view input, const Rectangle& rectangle,
                                  const PixelFormat& format) {
    if (input.empty())
        return TightHead{};
    const auto kind = static_cast<std::uint8_t>(get8(input, 0) >> 4);
    if (kind < tight_fill)
        return read_basic(input, rectangle, format, kind);
    TightHead head;
    head.bytes = 1;
    if (kind == tight_fill) {
        head.plain = format.tight_pixel_bytes();
    } else if (kind == tight_jpeg ||
               (kind == tight_png && rectangle.encoding == Encoding::tight_png)) {
        head.image = true;
    } else {
        return not_rfb(fmt::format("a {} rectangle has the unknown compression {}",
                                   name_of(rectangle.encoding), kind));
    }
    return head;
}

} // namespace baton::rfb
