#pragma once

#include "model/error.h"
#include "rfb/handshake_client.h"
#include "rfb/limits.h"
#include "rfb/security.h"
#include "rfb/server_reader.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// A small viewer: security None and VNC authentication (others outside), raw rectangles. Pure:
/// bytes in, bytes and pixels out.
namespace baton::rfb {

struct Picture {
    std::uint16_t width = 0;
    std::uint16_t height = 0;
    std::vector<std::uint32_t> pixels; ///< rows from the top, 0x00RRGGBB

    [[nodiscard]] std::uint32_t at(int x, int y) const {
        return pixels[static_cast<std::size_t>(y) * width + static_cast<std::size_t>(x)];
    }

    /// As a binary PPM (P6).
    [[nodiscard]] std::string ppm() const;
};

/// One connection. Feed it what the server sent, send what take_output() returns. Not thread-safe.
class Client {
  public:
    /// Without `answer`, a server that wants a password is refused with Errc::unauthenticated.
    explicit Client(AnswerChallenge answer = {});

    /// The handshake was made outside, by a HandshakeClient: what is fed comes after it.
    explicit Client(ServerInit init);

    /// Errc::unauthenticated: the password was refused; Errc::unsupported: the server offers
    /// nothing that we speak; Errc::corrupt: not RFB, or a length, rectangle or encoding that
    /// cannot be. After an error the connection is of no use.
    Result<void> feed(std::string_view bytes);

    /// What is to be sent now; empties it.
    std::string take_output();

    /// Presses or releases a key by its X11 keysym. Only when ready().
    void key(std::uint32_t keysym, bool down);
    void pointer(std::uint8_t buttons, std::uint16_t x, std::uint16_t y);

    /// The handshake is through.
    [[nodiscard]] bool ready() const { return reader_.has_value() && !failed_; }

    /// Updates that ended since every pixel of the present size has been sent at least once: the
    /// picture is complete when this is not 0, and may have changed when it grew.
    [[nodiscard]] std::uint64_t complete_frames() const { return complete_frames_; }

    [[nodiscard]] const Picture& picture() const { return picture_; }

    [[nodiscard]] const std::string& name() const { return init_.name; }

  private:
    Result<void> advance();
    Result<bool> shake_hands(std::string_view rest);
    void begin(ServerInit init);
    Result<bool> read(std::string_view rest);
    Result<void> begin_rectangle();
    void draw(std::string_view bytes);
    void draw_pixel();
    void end_update();
    void resize(Size size);
    void request(bool incremental);

    AnswerChallenge answer_;
    HandshakeClient handshake_;
    ServerInit init_;
    std::optional<ServerReader> reader_;
    bool failed_ = false;
    std::string in_;
    std::size_t at_ = 0; ///< of in_: what has been read
    std::string out_;

    bool drawing_ = false;     ///< the body under way is pixels
    std::uint32_t pixel_ = 0;  ///< as far as it has come, the lowest byte first
    unsigned pixel_bytes_ = 0; ///< of it that have come
    std::size_t drawn_pixels_ = 0;
    Picture picture_;
    std::vector<bool> drawn_;
    std::uint64_t missing_ = 0; ///< pixels never sent since the last resize
    std::uint64_t complete_frames_ = 0;
    bool resized_ = false;
};

} // namespace baton::rfb
