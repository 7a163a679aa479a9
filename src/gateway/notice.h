#pragma once

#include "rfb/pixel_format.h"
#include "rfb/server_reader.h"

#include <cstdint>
#include <string>

namespace baton::gateway {

/// A text as a picture, that a gateway lays over a desktop's.
struct Notice {
    std::uint16_t width = 0;
    std::uint16_t height = 0;
    std::string coverage; ///< of each pixel by letters, 0 to 255, row by row
};

/// Where it is on a screen of that size: in the middle of the top, cut off where it is too large.
rfb::Rectangle place_of(const Notice& notice, rfb::Size screen);

/// An update with it alone, in Raw: a viewer's inflaters are their desktop's. `format` has to be
/// one of true colours.
void write_notice(std::string& out, const Notice& notice, rfb::Size screen,
                  const rfb::PixelFormat& format);

} // namespace baton::gateway
