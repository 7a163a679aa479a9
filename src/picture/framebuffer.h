#pragma once

#include "rfb/server_reader.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace baton::picture {

/// A part of a screen, in pixels from the upper left corner.
struct Area {
    int x = 0;
    int y = 0;
    int width = 0;
    int height = 0;

    [[nodiscard]] bool empty() const { return width <= 0 || height <= 0; }

    bool operator==(const Area&) const = default;
};

/// The smallest that holds both; an empty one holds nothing.
Area around(const Area& one, const Area& other);
/// What both have; may be empty.
Area common(const Area& one, const Area& other);

/// The pixels of a screen. An Area that is given to it lies within it: who draws has looked.
class Framebuffer {
  public:
    Framebuffer() = default;

    explicit Framebuffer(rfb::Size size) { resize(size); }

    /// What both sizes have is kept, the rest is black.
    void resize(rfb::Size size);

    [[nodiscard]] rfb::Size size() const { return size_; }

    /// Of `size().width` pixels, 0x00RRGGBB.
    [[nodiscard]] std::uint32_t* row(std::size_t y) { return pixels_.data() + y * size_.width; }

    [[nodiscard]] const std::uint32_t* row(std::size_t y) const {
        return pixels_.data() + y * size_.width;
    }

    /// Rows from the top, without gaps.
    [[nodiscard]] const std::vector<std::uint32_t>& pixels() const { return pixels_; }

    void fill(const Area& area, std::uint32_t pixel);
    /// From an area of the same size whose corner is (x, y); the two may overlap.
    void copy(const Area& to, int x, int y);

    /// As a binary PPM (P6).
    [[nodiscard]] std::string ppm() const;

  private:
    rfb::Size size_;
    std::vector<std::uint32_t> pixels_;
};

/// What has been drawn and not been shown yet: a short list of areas, joined where little is lost
/// by it.
class Damage {
  public:
    static constexpr std::size_t most_areas = 64;

    void add(const Area& area);

    [[nodiscard]] const std::vector<Area>& areas() const { return areas_; }

    [[nodiscard]] bool empty() const { return areas_.empty(); }

    void clear() { areas_.clear(); }

  private:
    std::vector<Area> areas_;
};

} // namespace baton::picture
