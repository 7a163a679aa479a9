#pragma once

#include <cstdint>

namespace baton::viewer {

/// How pictures come onto the window.
enum class Draw : std::uint8_t {
    automatic,
    surface, ///< X11's shared memory: only what has changed is copied, once
    texture, ///< OpenGL (ES): wherever scaling is the graphics card's, also on SDL's kmsdrm
    screen,  ///< no window system: straight into a graphics card's memory, of what has changed
};

} // namespace baton::viewer
