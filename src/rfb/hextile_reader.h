#pragma once

#include "rfb/server_event.h"

#include <cstdint>
#include <string_view>

namespace baton::rfb {

/// Where a Hextile rectangle ends (RFC 6143, 7.7.4): tile by tile, nothing is drawn.
class HextileReader {
  public:
    void begin(const Rectangle& rectangle, std::uint32_t pixel_bytes);

    /// Bytes of `input` that belong to the rectangle, as many as are there. 0 and not done(): more
    /// bytes are needed.
    std::size_t walk(std::string_view input);

    [[nodiscard]] bool done() const { return left_ == 0 && rows_ == 0; }

  private:
    /// The fixed part of a tile at `at`: its length, 0 if it is not all there; sets left_ to what
    /// follows it.
    std::size_t tile_head(std::string_view input, std::size_t at);
    void next_tile();

    std::uint32_t pixel_bytes_ = 4;
    std::uint32_t left_ = 0; ///< bytes of the present tile behind its head
    std::uint16_t columns_ = 0;
    std::uint16_t column_ = 0;
    std::uint16_t rows_ = 0; ///< still to come, the present one with them
    std::uint8_t last_width_ = 16;
    std::uint8_t last_height_ = 16;
};

} // namespace baton::rfb
