#pragma once

#include "picture/decoder.h"
#include "picture/keys_down.h"
#include "rfb/security.h"
#include "rfb/server_reader.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace baton::picture {

/// What a viewer asks a screen for.
struct Wishes {
    /// Pictures' encodings, the dearest first; Raw is always understood.
    std::vector<rfb::Encoding> encodings{
        rfb::Encoding::copy_rect, rfb::Encoding::tight, rfb::Encoding::zrle, rfb::Encoding::hextile,
        rfb::Encoding::zlib,      rfb::Encoding::rre,   rfb::Encoding::raw};
    std::optional<int> quality;     ///< of JPEG, 0 to 9; none: nothing is lost
    std::optional<int> compression; ///< 0 to 9; none: as the screen likes
    bool shared = true;
    bool clipboard = true;
};

/// The viewer's side of one connection behind its handshake. Feed it what the screen sent, send
/// what take_output() returns. Pure; not thread-safe.
class Viewing {
  public:
    /// `before`: a picture that stays until another one comes.
    Viewing(const rfb::ServerInit& init, const Wishes& wishes, Framebuffer before = {});

    /// Errc::corrupt: what is no RFB, or cannot be drawn; the connection is of no use after it.
    Result<void> feed(std::string_view bytes);

    /// What is to be sent now; empties it.
    std::string take_output();

    [[nodiscard]] Decoder& decoder() { return decoder_; }

    [[nodiscard]] const Framebuffer& framebuffer() const { return decoder_.framebuffer(); }

    /// Updates with pixels in them that have ended.
    [[nodiscard]] std::uint64_t frames() const { return frames_; }

    /// No update is under way.
    [[nodiscard]] bool between_messages() const { return reader_.at_boundary(); }

    [[nodiscard]] std::uint64_t bells() const { return bells_; }

    void press(const Key& key);
    void release(const Key& key);
    void release_all();

    /// Bit 0 of `buttons` is the left one, 3 to 6 the wheel up, down, left, right. Beyond the
    /// screen is taken for its edge.
    void pointer(std::uint8_t buttons, int x, int y);

    /// The person has copied this. Longer than most_clipboard_bytes: nothing is said.
    void offer_clipboard(std::string text);

    /// What was copied on the desktop since the last call.
    std::optional<std::string> take_clipboard();

  private:
    Result<void> take(const rfb::ServerEvent& event);
    Result<void> end_message();
    Result<void> end_clipboard();
    void take_extended(std::uint32_t flags);
    void end_update();
    void begin_rectangle();
    void request(bool incremental);
    void say(const Key& key, bool down);
    void say_extended(std::uint32_t flags, std::string_view content);

    rfb::ServerReader reader_;
    Decoder decoder_;
    std::string rest_; ///< bytes that were no whole event
    std::string out_;
    KeysDown keys_;
    bool extended_keys_ = false;
    bool in_update_ = false;
    bool pixels_ = false; ///< the update under way has some
    rfb::Size size_;      ///< as far as the update under way has told
    bool resized_ = false;
    bool continuous_ = false;
    std::uint64_t frames_ = 0;
    std::uint64_t bells_ = 0;
    std::string body_; ///< of another message: a fence, a clipboard
    bool extended_clipboard_ = false;
    std::string ours_; ///< the person's clipboard
    std::optional<std::string> theirs_;
};

} // namespace baton::picture
