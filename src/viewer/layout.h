#pragma once

#include "picture/framebuffer.h"

namespace baton::viewer {

using picture::Area;
using picture::common;

enum class Scale : std::uint8_t {
    fit,        ///< the whole desktop, as large as it goes with its own proportions
    one_to_one, ///< pixel by pixel; of a desktop that is larger, the part around the pointer
};

struct Spot {
    int x = 0;
    int y = 0;
    bool operator==(const Spot&) const = default;
};

/// Where a desktop is on a window. Pure.
class Layout {
  public:
    Layout() = default;
    /// `pointer`: on the window.
    Layout(Scale scale, rfb::Size desktop, int window_width, int window_height, Spot pointer);

    /// Of the desktop, what can be seen.
    [[nodiscard]] const Area& source() const { return source_; }

    /// On the window, where that is.
    [[nodiscard]] const Area& target() const { return target_; }

    [[nodiscard]] bool scaled() const {
        return source_.width != target_.width || source_.height != target_.height;
    }

    /// The part of the window that changes with this part of the desktop; may be empty.
    [[nodiscard]] Area on_window(const Area& on_desktop) const;
    /// The other way: what is needed to draw this part of the window anew.
    [[nodiscard]] Area on_desktop(const Area& on_window) const;
    /// The desktop's pixel under the pointer; beside the desktop: the nearest one.
    [[nodiscard]] Spot under(Spot pointer) const;

    bool operator==(const Layout&) const = default;

  private:
    Area source_;
    Area target_;
};

} // namespace baton::viewer
