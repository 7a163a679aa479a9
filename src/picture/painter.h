#pragma once

#include "model/error.h"
#include "picture/framebuffer.h"
#include "rfb/server_event.h"

#include <cstdint>
#include <string_view>

/// Inside picture/ alone: each draws one rectangle at a time out of its plain bytes, as they come.
/// Pixels are those of rfb's default PixelFormat.
namespace baton::picture {

class Painter {
  public:
    /// The longest unit that draw() takes at once: a ZRLE tile whose every pixel is a run.
    static constexpr std::size_t most_unit_bytes = 1 + 127 * 3 + 64 * 64 * 4;

    virtual ~Painter() = default;

    /// Draws whole units from the front of `bytes`: how many bytes they had. The same bytes may
    /// come again, with more behind them. Errc::corrupt: a picture that cannot be.
    virtual Result<std::size_t> draw(std::string_view bytes) = 0;

    [[nodiscard]] virtual bool done() const = 0;

    /// The rectangle's head has come; it lies within `screen`.
    void begin(Framebuffer& screen, const rfb::Rectangle& rectangle) {
        screen_ = &screen;
        rectangle_ = rectangle;
        x_ = 0;
        y_ = 0;
        begin();
    }

  protected:
    virtual void begin() {}

    /// Of the rectangle, from its own corner.
    [[nodiscard]] std::uint32_t* row(unsigned y) const {
        return screen_->row(rectangle_.y + std::size_t{y}) + rectangle_.x;
    }

    [[nodiscard]] bool all_drawn() const {
        return rectangle_.width == 0 || y_ >= rectangle_.height;
    }

    Framebuffer* screen_ = nullptr;
    rfb::Rectangle rectangle_;
    unsigned x_ = 0; ///< where the next pixel or tile goes
    unsigned y_ = 0;
};

/// Raw, and Zlib when it is unpacked (RFC 6143, 7.7.1).
class RawPainter : public Painter {
  public:
    Result<std::size_t> draw(std::string_view bytes) override;

    [[nodiscard]] bool done() const override { return all_drawn(); }
};

/// RFC 6143, 7.7.2.
class CopyPainter : public Painter {
  public:
    Result<std::size_t> draw(std::string_view bytes) override;

    [[nodiscard]] bool done() const override { return y_ != 0; }
};

/// RRE and CoRRE (RFC 6143, 7.7.3; rfbproto).
class RrePainter : public Painter {
  public:
    Result<std::size_t> draw(std::string_view bytes) override;

    [[nodiscard]] bool done() const override { return headed_ && left_ == 0; }

  protected:
    void begin() override {
        headed_ = false;
        left_ = 0;
    }

  private:
    bool headed_ = false;
    std::uint32_t left_ = 0; ///< parts
};

/// RFC 6143, 7.7.4.
class HextilePainter : public Painter {
  public:
    Result<std::size_t> draw(std::string_view bytes) override;

    [[nodiscard]] bool done() const override { return all_drawn(); }

  protected:
    void begin() override { background_ = foreground_ = 0; }

  private:
    Result<std::size_t> draw_tile(std::string_view bytes);

    std::uint32_t background_ = 0;
    std::uint32_t foreground_ = 0;
};

/// RFC 6143, 7.7.6, unpacked.
class ZrlePainter : public Painter {
  public:
    Result<std::size_t> draw(std::string_view bytes) override;

    [[nodiscard]] bool done() const override { return all_drawn(); }
};

/// Pixels as they are in 4 bytes, blue first.
inline std::uint32_t pixel_at(const char* bytes) {
    const auto byte = [bytes](int at) {
        return static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[at]));
    };
    return byte(0) | byte(1) << 8 | byte(2) << 16;
}

/// Tight's in 3 bytes, red first.
inline std::uint32_t tight_pixel_at(const char* bytes) {
    const auto byte = [bytes](int at) {
        return static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[at]));
    };
    return byte(2) | byte(1) << 8 | byte(0) << 16;
}

} // namespace baton::picture
