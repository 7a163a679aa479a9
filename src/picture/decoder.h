#pragma once

#include "picture/cursor.h"
#include "picture/framebuffer.h"
#include "picture/inflate.h"
#include "picture/painter.h"
#include "picture/tight_painter.h"
#include "rfb/server_reader.h"

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace baton::picture {

/// Draws what rfb::ServerReader frames, in rfb's default PixelFormat: Raw, CopyRect, RRE, CoRRE,
/// Hextile, Zlib, Tight, TightPNG, ZRLE; keeps the pointer's shape, the lock LEDs and the desktop's
/// name. Draws as the bytes come, in any pieces. Beside the pixels it holds at most a few hundred
/// KiB, a JPEG or PNG (4 MiB), a name (1 MiB), a pointer's shape (1 MiB). Not thread-safe.
class Decoder {
  public:
    /// Of `before`'s picture what fits is kept.
    explicit Decoder(rfb::Size size, Framebuffer before = {});

    /// The next event of `reader`. Errc::corrupt: a picture that cannot be, or an encoding that is
    /// not drawn here; the connection is of no use after it.
    Result<void> take(const rfb::ServerReader& reader, const rfb::ServerEvent& event);

    [[nodiscard]] const Framebuffer& framebuffer() const { return screen_; }

    /// Whole rectangles since it was last cleared.
    [[nodiscard]] Damage& damage() { return damage_; }

    [[nodiscard]] const Cursor& cursor() const { return cursor_; }

    /// Grows with each shape.
    [[nodiscard]] std::uint64_t cursors() const { return cursors_; }

    /// Bit 0 Scroll Lock, 1 Num Lock, 2 Caps Lock; none: the screen has not told.
    [[nodiscard]] std::optional<std::uint8_t> leds() const { return leds_; }

    [[nodiscard]] const std::string& name() const { return name_; }

    void set_name(std::string name) { name_ = std::move(name); }

  private:
    Result<void> begin(const rfb::ServerReader& reader);
    Result<void> end(const rfb::ServerReader& reader);
    Result<void> take_body(const rfb::ServerReader& reader, std::string_view bytes);
    Result<void> draw(std::string_view bytes);
    Result<void> unpack(std::string_view bytes);
    void end_other(const rfb::Rectangle& rectangle);
    Painter* painter_for(rfb::Encoding encoding);

    Framebuffer screen_;
    Damage damage_;
    RawPainter raw_;
    CopyPainter copy_;
    RrePainter rre_;
    HextilePainter hextile_;
    TightPainter tight_;
    ZrlePainter zrle_;
    Painter* painter_ = nullptr; ///< of the rectangle under way; none: it is no picture
    std::array<Inflate, rfb::inflaters> streams_;
    bool in_update_ = false;
    Inflate* stream_ = nullptr; ///< what comes is deflated
    std::string held_;          ///< of the rectangle: plain bytes that were no whole unit
    std::string plain_;         ///< unpacked bytes
    std::size_t plain_bytes_ = 0;
    Cursor cursor_;
    std::uint64_t cursors_ = 0;
    std::optional<std::uint8_t> leds_;
    std::string name_;
};

} // namespace baton::picture
