#pragma once

#include "rfb/client.h"
#include "rfb/server_reader.h"
#include "support/rfb_zlib.h"

#include <array>
#include <map>
#include <string>
#include <string_view>

namespace baton::rfb {

/// A viewer's eyes for tests: draws what ServerReader frames, in the default PixelFormat, with
/// every encoding that loses nothing. Throws std::runtime_error at what a viewer could not draw.
class Decoder {
  public:
    explicit Decoder(Size size) { resize(size); }

    void take(const ServerReader& reader, const ServerEvent& event);

    [[nodiscard]] const Picture& picture() const { return picture_; }

    /// Pixels of the present size that have never been drawn.
    [[nodiscard]] std::size_t missing() const;

    /// How many rectangles of each encoding ended, and updates.
    [[nodiscard]] const std::map<std::string, int>& counts() const { return counts_; }

    [[nodiscard]] int updates() const { return updates_; }

  private:
    void resize(Size size);
    void draw(const Rectangle& rectangle);
    void draw_copy(const Rectangle& rectangle);
    void draw_rre(const Rectangle& rectangle);
    void draw_hextile(const Rectangle& rectangle);
    void draw_tight(const Rectangle& rectangle);
    void draw_tight_basic(const Rectangle& rectangle, unsigned kind);
    void draw_png(const Rectangle& rectangle);
    void draw_zrle(const Rectangle& rectangle);
    std::string inflate(Inflater which, std::size_t most);
    void put(unsigned x, unsigned y, std::uint32_t pixel);
    void fill(unsigned x, unsigned y, unsigned width, unsigned height, std::uint32_t pixel);
    void draw_raw(const Rectangle& rectangle, std::string_view pixels, std::size_t pixel_bytes);

    Picture picture_;
    std::vector<bool> drawn_;
    std::array<Inflating, inflaters> streams_;
    std::string plain_;    ///< of the rectangle, what is not deflated, behind its head
    std::string deflated_; ///< and what is
    bool deflating_ = false;
    Inflater inflater_ = Inflater::zrle;
    std::map<std::string, int> counts_;
    int updates_ = 0;
};

} // namespace baton::rfb
