#include "rfb/whole_rectangles.h"

#include "rfb/tight_reader.h"
#include "rfb/wire.h"

namespace baton::rfb {

namespace {

constexpr std::size_t head_bytes = 12;

bool holds(InflaterSet set, Inflater one) {
    return (set >> static_cast<unsigned>(one) & 1U) != 0;
}

/// As RectangleReader has it.
bool plausible(std::uint64_t length, std::uint64_t plain) {
    return length <= 2 * plain + 65536;
}

/// Of what comes behind the head; 0: not whole, or to be looked at.
std::uint64_t tight_bytes(std::string_view input, const Rectangle& rectangle,
                          const PixelFormat& format, InflaterSet begun) {
    if (input.empty() || (get8(input, 0) & 0x0F) != 0)
        return 0;
    const auto head = read_tight_head(input, rectangle, format);
    if (!head || head->bytes == 0)
        return 0;
    const std::uint64_t before = head->bytes + head->plain;
    if (!head->deflated && !head->image)
        return before;
    if (input.size() < before)
        return 0;
    const CompactLength length = read_compact_length(input.substr(before));
    if (length.bytes == 0)
        return 0;
    if (!head->image && (!holds(begun, head->inflater) || !plausible(length.value, head->data)))
        return 0;
    return before + length.bytes + length.value;
}

std::uint64_t deflated_bytes(std::string_view input, std::uint64_t plain, bool begun) {
    if (!begun || input.size() < 4 || !plausible(get32(input, 0), plain))
        return 0;
    return std::uint64_t{4} + get32(input, 0);
}

std::uint64_t body_bytes(std::string_view input, const Rectangle& rectangle,
                         const PixelFormat& format, InflaterSet begun) {
    const std::uint64_t pixels = std::uint64_t{rectangle.width} * rectangle.height;
    const std::uint64_t plain = pixels * format.pixel_bytes();
    switch (rectangle.encoding) {
    case Encoding::raw:
        return plain;
    case Encoding::tight:
        return tight_bytes(input, rectangle, format, begun);
    case Encoding::zlib:
        return deflated_bytes(input, plain, holds(begun, Inflater::zlib));
    case Encoding::zrle:
        return deflated_bytes(input, plain, holds(begun, Inflater::zrle));
    default:
        return 0;
    }
}

} // namespace

WholeRectangles find_whole_rectangles(std::string_view input, Size screen,
                                      const PixelFormat& format, InflaterSet begun,
                                      std::uint32_t most) {
    WholeRectangles found;
    while (found.count < most && input.size() >= head_bytes) {
        const Rectangle rectangle{get16(input, 0), get16(input, 2), get16(input, 4),
                                  get16(input, 6), encoding_from(get32(input, 8))};
        if (rectangle.x + rectangle.width > screen.width ||
            rectangle.y + rectangle.height > screen.height)
            break;
        const std::uint64_t body = body_bytes(input.substr(head_bytes), rectangle, format, begun);
        if (body == 0 || head_bytes + body > input.size())
            break;
        input.remove_prefix(head_bytes + body);
        found.bytes += head_bytes + body;
        ++found.count;
    }
    return found;
}

} // namespace baton::rfb
