#pragma once

#include "rfb/pixel_format.h"
#include "rfb/server_event.h"
#include "rfb/size.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace baton::rfb {

/// Inflaters, a bit for each by its number.
using InflaterSet = std::uint32_t;

struct WholeRectangles {
    std::size_t bytes = 0;
    std::uint32_t count = 0;
};

/// Rectangles at the input's beginning, `most` of them at most, that are there to their last byte
/// and need no closer look by whoever passes them on: Raw, Tight (without a reset of its streams),
/// Zlib and ZRLE, in streams that are `begun`. What ServerReader would refuse is not among them.
WholeRectangles find_whole_rectangles(std::string_view input, Size screen,
                                      const PixelFormat& format, InflaterSet begun,
                                      std::uint32_t most);

} // namespace baton::rfb
