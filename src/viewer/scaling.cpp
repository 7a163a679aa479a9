#include "viewer/scaling.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace baton::viewer {

namespace {

/// Two neighbours, and how much of the second, in 1/256.
struct Blend {
    int first;
    int second;
    std::uint32_t part;
};

/// Where pixel `at` of `to` is among `from`, counted between the centres.
Blend blend(int at, int to, int from) {
    const std::int64_t doubled = std::int64_t{2 * at + 1} * from * 256 / to - 256;
    const std::int64_t position = std::max<std::int64_t>(0, doubled / 2);
    const int first = std::min(static_cast<int>(position / 256), from - 1);
    return {first, std::min(first + 1, from - 1), static_cast<std::uint32_t>(position % 256)};
}

/// Red and blue at once, and green.
std::uint32_t mix(std::uint32_t one, std::uint32_t other, std::uint32_t part) {
    constexpr std::uint32_t outer = 0xFF00FF;
    constexpr std::uint32_t inner = 0x00FF00;
    const std::uint32_t rest = 256 - part;
    return (((one & outer) * rest + (other & outer) * part) >> 8 & outer) |
           (((one & inner) * rest + (other & inner) * part) >> 8 & inner);
}

} // namespace

void draw_area(const picture::Framebuffer& desktop, const Layout& layout, const Area& area,
               std::uint32_t* window, std::size_t stride) {
    const Area& from = layout.source();
    const Area& to = layout.target();
    if (!layout.scaled()) {
        for (int y = area.y; y < area.y + area.height; ++y)
            std::memcpy(window + static_cast<std::size_t>(y) * stride + area.x,
                        desktop.row(static_cast<std::size_t>(from.y + y - to.y)) + from.x + area.x -
                            to.x,
                        static_cast<std::size_t>(area.width) * sizeof(std::uint32_t));
        return;
    }
    std::vector<Blend> columns;
    columns.reserve(static_cast<std::size_t>(area.width));
    for (int x = area.x; x < area.x + area.width; ++x)
        columns.push_back(blend(x - to.x, to.width, from.width));
    for (int y = area.y; y < area.y + area.height; ++y) {
        const Blend rows = blend(y - to.y, to.height, from.height);
        const std::uint32_t* above =
            desktop.row(static_cast<std::size_t>(from.y + rows.first)) + from.x;
        const std::uint32_t* below =
            desktop.row(static_cast<std::size_t>(from.y + rows.second)) + from.x;
        std::uint32_t* out = window + static_cast<std::size_t>(y) * stride + area.x;
        for (const Blend& column : columns)
            *out++ = mix(mix(above[column.first], above[column.second], column.part),
                         mix(below[column.first], below[column.second], column.part), rows.part);
    }
}

} // namespace baton::viewer
