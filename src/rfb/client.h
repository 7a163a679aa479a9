#pragma once

#include "model/error.h"

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

/// The client's side of the RFB protocol (RFC 6143): versions 3.3, 3.7 and 3.8, security None and
/// VNC authentication, raw rectangles. Pure: bytes in, bytes and pixels out.
namespace baton::rfb {

/// Hostile servers cost at most this: pixels of a screen, bytes of a name or of a cut text.
inline constexpr std::uint32_t most_pixels = 32 * 1024 * 1024;
inline constexpr std::uint32_t most_text_bytes = 1024 * 1024;

using Challenge = std::array<std::uint8_t, 16>;

/// The answer to a server's challenge (RFC 6143, 7.2.2): DES in ECB mode, keyed with the password's
/// first 8 bytes, each with its bits in reverse order. Made outside, where a cipher library is.
using AnswerChallenge = std::function<Challenge(const Challenge&)>;

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
    [[nodiscard]] bool ready() const { return step_ >= Step::message && step_ != Step::failed; }

    /// Updates that ended since every pixel of the present size has been sent at least once: the
    /// picture is complete when this is not 0, and may have changed when it grew.
    [[nodiscard]] std::uint64_t complete_frames() const { return complete_frames_; }

    [[nodiscard]] const Picture& picture() const { return picture_; }

    [[nodiscard]] const std::string& name() const { return name_; }

  private:
    enum class Step : std::uint8_t {
        version,
        security_33,
        security_count,
        security_types,
        security_result,
        security_reason,
        challenge,
        server_init,
        server_name,
        message,
        update,
        rectangle,
        row,
        colours,
        cut_text,
        skip,
        failed,
    };

    /// One step with what is buffered: false = needs more bytes.
    Result<bool> advance();
    Result<bool> advance_handshake();
    Result<bool> read_version();
    Result<bool> read_security_33();
    Result<bool> read_security_types();
    Result<bool> choose(std::string_view types);
    Result<bool> read_challenge();
    Result<bool> read_security_result();
    Result<bool> read_security_reason();
    Result<bool> read_server_init();
    Result<bool> read_server_name();
    Result<bool> read_message();
    bool read_update();
    Result<bool> read_rectangle();
    bool read_row();
    Result<bool> read_cut_text();
    bool read_skipped();
    void end_rectangle();
    Result<void> resize(std::uint16_t width, std::uint16_t height);
    void request(bool incremental);
    void begin_skip(std::uint64_t bytes);

    [[nodiscard]] std::size_t available() const { return in_.size() - at_; }

    [[nodiscard]] std::uint8_t u8(std::size_t offset) const;
    [[nodiscard]] std::uint16_t u16(std::size_t offset) const;
    [[nodiscard]] std::uint32_t u32(std::size_t offset) const;
    void put8(std::uint32_t value);
    void put16(std::uint32_t value);
    void put32(std::uint32_t value);

    AnswerChallenge answer_;
    std::string in_;
    std::size_t at_ = 0; ///< of in_: what has been read
    std::string out_;
    Step step_ = Step::version;
    int minor_ = 8;
    std::uint32_t expected_ = 0; ///< bytes of a list or a text
    std::uint64_t skip_ = 0;

    struct Rectangle {
        std::uint16_t x = 0;
        std::uint16_t y = 0;
        std::uint16_t width = 0;
        std::uint16_t height = 0;
        std::uint16_t row = 0; ///< the next one to be read
    };

    std::uint32_t rectangles_left_ = 0;
    Rectangle rectangle_;
    Picture picture_;
    std::vector<bool> drawn_;
    std::uint64_t missing_ = 0; ///< pixels never sent since the last resize
    std::uint64_t complete_frames_ = 0;
    bool resized_ = false;
    std::string name_;
};

} // namespace baton::rfb
