#pragma once

#include "viewer/layout.h"

#include <cstddef>
#include <cstdint>

namespace baton::viewer {

/// Draws `area` of the window, which lies within layout.target(), out of the desktop: copied where
/// the layout is 1:1, else smoothed between the four nearest pixels. A part is the same as if all
/// had been drawn. `window` is its upper left pixel, `stride` in pixels. Pure.
void draw_area(const picture::Framebuffer& desktop, const Layout& layout, const Area& area,
               std::uint32_t* window, std::size_t stride);

} // namespace baton::viewer
