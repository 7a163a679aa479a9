#pragma once

#include "picture/painter.h"

#include <array>
#include <string>
#include <vector>

namespace baton::picture {

/// Tight and TightPNG (rfbproto) behind their head: the colour of a fill, or a palette and then
/// data, or a JPEG or PNG file with its compact length in front.
class TightPainter : public Painter {
  public:
    /// Control byte, filter and number of colours, as ServerReader cuts them off.
    void take_head(std::string_view head);

    Result<std::size_t> draw(std::string_view bytes) override;

    [[nodiscard]] bool done() const override;

    /// Streams that begin anew: bit 0 is the first.
    [[nodiscard]] unsigned resets() const { return resets_; }

    /// The file is whole only now. Errc::corrupt: it is none, or of another size.
    Result<void> end();

  protected:
    void begin() override;

  private:
    enum class Kind : std::uint8_t { fill, jpeg, png, copy, palette, gradient };

    std::size_t draw_copy(std::string_view bytes);
    std::size_t draw_gradient(std::string_view bytes);
    Result<std::size_t> draw_palette(std::string_view bytes);
    void next_row();

    [[nodiscard]] bool is_file() const { return kind_ == Kind::jpeg || kind_ == Kind::png; }

    Kind kind_ = Kind::copy;
    unsigned resets_ = 0;
    unsigned colours_ = 0;
    unsigned colours_there_ = 0;
    bool filled_ = false;
    std::array<std::uint32_t, 256> palette_{};
    std::vector<std::array<std::uint8_t, 3>> above_; ///< of a gradient: the row before
    std::array<std::uint8_t, 3> left_{};
    std::array<std::uint8_t, 3> corner_{};
    std::string file_; ///< at most 4 MiB: what a compact length can say
};

} // namespace baton::picture
