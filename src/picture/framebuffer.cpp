#include "picture/framebuffer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace baton::picture {

namespace {

std::int64_t pixels_of(const Area& area) {
    return std::int64_t{area.width} * area.height;
}

} // namespace

Area around(const Area& one, const Area& other) {
    if (one.empty())
        return other;
    if (other.empty())
        return one;
    const int x = std::min(one.x, other.x);
    const int y = std::min(one.y, other.y);
    return {x, y, std::max(one.x + one.width, other.x + other.width) - x,
            std::max(one.y + one.height, other.y + other.height) - y};
}

Area common(const Area& one, const Area& other) {
    const int x = std::max(one.x, other.x);
    const int y = std::max(one.y, other.y);
    return {x, y, std::min(one.x + one.width, other.x + other.width) - x,
            std::min(one.y + one.height, other.y + other.height) - y};
}

void Framebuffer::resize(rfb::Size size) {
    if (size == size_)
        return;
    std::vector<std::uint32_t> pixels(std::size_t{size.width} * size.height);
    const std::size_t width = std::min(size.width, size_.width);
    for (std::size_t y = 0; y < std::min(size.height, size_.height); ++y)
        std::copy_n(row(y), width, pixels.data() + y * size.width);
    pixels_ = std::move(pixels);
    size_ = size;
}

void Framebuffer::fill(const Area& area, std::uint32_t pixel) {
    for (int y = area.y; y < area.y + area.height; ++y)
        std::fill_n(row(static_cast<std::size_t>(y)) + area.x, area.width, pixel);
}

void Framebuffer::copy(const Area& to, int x, int y) {
    const std::size_t bytes = static_cast<std::size_t>(to.width) * sizeof(std::uint32_t);
    for (int i = 0; i < to.height; ++i) {
        const int line = y < to.y ? to.height - 1 - i : i; // what is read is not yet overwritten
        std::memmove(row(static_cast<std::size_t>(to.y + line)) + to.x,
                     row(static_cast<std::size_t>(y + line)) + x, bytes);
    }
}

std::string Framebuffer::ppm() const {
    std::string text = fmt::format("P6\n{} {}\n255\n", size_.width, size_.height);
    text.reserve(text.size() + pixels_.size() * 3);
    for (const std::uint32_t pixel : pixels_)
        for (const unsigned shift : {16U, 8U, 0U})
            text.push_back(static_cast<char>(pixel >> shift & 0xFF));
    return text;
}

void Damage::add(const Area& area) {
    if (area.empty())
        return;
    for (Area& known : areas_) {
        const Area both = around(known, area);
        // neighbours in a row or column, and what is known already
        if (pixels_of(both) <= pixels_of(known) + pixels_of(area)) {
            known = both;
            return;
        }
    }
    if (areas_.size() < most_areas) {
        areas_.push_back(area);
        return;
    }
    Area all = area;
    for (const Area& known : areas_)
        all = around(all, known);
    areas_.assign(1, all);
}

} // namespace baton::picture
