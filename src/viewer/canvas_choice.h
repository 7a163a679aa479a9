#pragma once

#include <cstdint>

namespace baton::viewer {

/// How pictures come onto the window.
enum class Draw : std::uint8_t {
    automatic,
    surface, ///< X11's shared memory: only what has changed is copied, once
    texture, ///< OpenGL (ES): for kmsdrm, and wherever scaling is the graphics card's
};

} // namespace baton::viewer
