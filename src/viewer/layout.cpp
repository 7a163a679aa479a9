#include "viewer/layout.h"

#include <algorithm>
#include <cstdint>

namespace baton::viewer {

namespace {

/// One side in 1:1: where the desktop begins to be seen, and where that is on the window.
void place(int desktop, int window, int pointer, int& from, int& to, int& length) {
    length = std::min(desktop, window);
    to = (window - length) / 2;
    from = 0;
    if (desktop > window && window > 1)
        from = static_cast<int>(std::int64_t{desktop - window} *
                                std::clamp(pointer, 0, window - 1) / (window - 1));
}

int scaled_down(int value, int from, int to) {
    return static_cast<int>(std::int64_t{value} * to / std::max(from, 1));
}

int scaled_up(int value, int from, int to) {
    return static_cast<int>((std::int64_t{value} * to + from - 1) / std::max(from, 1));
}

} // namespace

Layout::Layout(Scale scale, rfb::Size desktop, int window_width, int window_height, Spot pointer) {
    const int width = desktop.width;
    const int height = desktop.height;
    if (scale == Scale::one_to_one || (width == window_width && height == window_height)) {
        place(width, window_width, pointer.x, source_.x, target_.x, source_.width);
        place(height, window_height, pointer.y, source_.y, target_.y, source_.height);
        target_.width = source_.width;
        target_.height = source_.height;
        return;
    }
    source_ = {0, 0, width, height};
    const bool wide = std::int64_t{width} * window_height > std::int64_t{height} * window_width;
    target_.width = wide ? window_width : std::max(1, scaled_down(window_height, height, width));
    target_.height = wide ? std::max(1, scaled_down(window_width, width, height)) : window_height;
    target_.x = (window_width - target_.width) / 2;
    target_.y = (window_height - target_.height) / 2;
}

Area Layout::on_window(const Area& on_desktop) const {
    Area seen = common(on_desktop, source_);
    if (seen.empty())
        return {};
    seen.x -= source_.x;
    seen.y -= source_.y;
    // what is smoothed reaches one pixel further
    const int more = scaled() ? 1 : 0;
    const auto side = [&](int begin, int length, int from, int to, int& at, int& size) {
        at = std::max(0, scaled_down(std::max(0, begin - more), from, to) - more);
        size = std::min(to, scaled_up(std::min(from, begin + length + more), from, to) + more) - at;
    };
    Area area;
    side(seen.x, seen.width, source_.width, target_.width, area.x, area.width);
    side(seen.y, seen.height, source_.height, target_.height, area.y, area.height);
    area.x += target_.x;
    area.y += target_.y;
    return area;
}

Area Layout::on_desktop(const Area& on_window) const {
    Area seen = common(on_window, target_);
    if (seen.empty())
        return {};
    seen.x -= target_.x;
    seen.y -= target_.y;
    const auto side = [](int begin, int length, int from, int to, int& at, int& size) {
        at = scaled_down(begin, from, to);
        size = std::min(to, scaled_up(begin + length, from, to)) - at;
    };
    Area area;
    side(seen.x, seen.width, target_.width, source_.width, area.x, area.width);
    side(seen.y, seen.height, target_.height, source_.height, area.y, area.height);
    area.x += source_.x;
    area.y += source_.y;
    return area;
}

Spot Layout::under(Spot pointer) const {
    if (source_.empty() || target_.empty())
        return {};
    const int x = std::clamp(pointer.x - target_.x, 0, target_.width - 1);
    const int y = std::clamp(pointer.y - target_.y, 0, target_.height - 1);
    return {source_.x + scaled_down(x, target_.width, source_.width),
            source_.y + scaled_down(y, target_.height, source_.height)};
}

} // namespace baton::viewer
