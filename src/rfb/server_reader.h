#pragma once

#include "model/error.h"
#include "rfb/cut_text.h"
#include "rfb/rectangle_reader.h"
#include "rfb/server_event.h"
#include "rfb/size.h"
#include "rfb/whole_rectangles.h"

#include <cstdint>
#include <string_view>

namespace baton::rfb {

/// A screen's message that is not a FramebufferUpdate.
struct ServerMessage {
    std::uint8_t type = 0;
    std::uint8_t qemu_type = 0;    ///< of type 255
    std::uint16_t operation = 0;   ///< of QEMU audio: 0 end, 1 begin, 2 data
    CutText text;                  ///< of type 3
    std::uint32_t fence_flags = 0; ///< of type 248
    std::uint32_t body_bytes = 0;  ///< that follow as body
};

/// Walks what a screen sends after ServerInit, and knows at every byte where it stands. Keeps no
/// bytes: what was not whole is offered again, with more (16 bytes at most are asked for). Draws
/// and inflates nothing. Not thread-safe.
class ServerReader {
  public:
    /// As ServerInit told. The first format may be replaced before any byte.
    ServerReader(Size size, const PixelFormat& format) : size_(size), format_(format) {}

    /// One event. Errc::corrupt: a message, encoding or length that cannot be; the connection is
    /// of no use after it.
    Result<ServerEvent> next(std::string_view input);

    /// Before next(): goes on behind the whole rectangles at the input's beginning
    /// (find_whole_rectangles), but for an update's last one. rectangle() knows nothing of them.
    WholeRectangles pass_whole(std::string_view input, InflaterSet begun);

    /// The viewer asked for this format: from the next update on pixels come in it. (A server that
    /// had an update on its way when it was asked finishes that one in the old format.)
    void set_pixel_format(const PixelFormat& format);

    [[nodiscard]] bool at_boundary() const { return step_ == Step::message; }

    /// Of the screen, as the rectangles so far have told.
    [[nodiscard]] Size size() const { return size_; }

    [[nodiscard]] const PixelFormat& pixel_format() const { return format_; }

    /// Of the update under way as announced, the present rectangle not counted; LastRect makes it
    /// 0.
    [[nodiscard]] std::uint32_t rectangles_left() const { return rectangles_left_; }

    [[nodiscard]] const Rectangle& rectangle() const { return rectangle_; }

    [[nodiscard]] const Deflated& deflated() const { return in_rectangle_.deflated(); }

    [[nodiscard]] const ServerMessage& message() const { return message_; }

  private:
    enum class Step : std::uint8_t { message, rectangle_head, in_rectangle, body };

    Result<ServerEvent> read_message(std::string_view input);
    Result<ServerEvent> read_update(std::string_view input);
    Result<ServerEvent> read_rectangle(std::string_view input);
    Result<ServerEvent> read_in_rectangle(std::string_view input);
    ServerEvent read_body(std::string_view input);
    Result<void> take_size();
    [[nodiscard]] Result<void> check_bounds() const;
    /// Length of the other messages' heads, with message_ filled; 0 = more bytes are needed.
    Result<std::size_t> read_head(std::string_view input);
    Result<std::size_t> read_qemu_head(std::string_view input);
    void end_rectangle(ServerEvent& event);

    Size size_;
    PixelFormat format_;
    PixelFormat next_format_;
    bool format_changes_ = false;
    Step step_ = Step::message;
    std::uint32_t rectangles_left_ = 0;
    std::uint32_t body_left_ = 0;
    Rectangle rectangle_;
    RectangleReader in_rectangle_;
    ServerMessage message_;
};

} // namespace baton::rfb
