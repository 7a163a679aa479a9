#pragma once

#include "model/error.h"
#include "rfb/gather.h"
#include "rfb/server_reader.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>

namespace baton::rfb {

/// Strings the streams of several desktops together into one that a viewer can read.
///
/// The hard part is zlib. A viewer keeps its inflaters over the connection's life, and a new
/// desktop begins each stream anew. Servers flush every rectangle to a byte's end, so that raw
/// deflate data of two servers can be strung together: what has to go is the second stream's two
/// bytes of zlib header, and the length field in front shrinks by them. Nothing is compressed
/// again. (Tight's own reset bits would do as well; noVNC 1.3 breaks on them.)
///
/// Updates are announced as "until LastRect" to viewers that know it, so that one whose desktop is
/// lost can be ended behind any rectangle. Not thread-safe.
class Splice {
  public:
    /// `last_rect`: the viewer has asked for LastRect; may change at any time and counts from the
    /// next update on.
    explicit Splice(bool last_rect = false) : last_rect_(last_rect) {}

    void set_last_rect(bool known) { last_rect_ = known; }

    /// From here on the events are another desktop's, from its first byte behind ServerInit.
    /// Only where may_change_desktop().
    void begin_desktop();

    /// Appends what the viewer gets for one event of the desktop's reader. Views are into the
    /// event's bytes. Errc::corrupt: no zlib stream where one has to begin.
    Result<void> take(const ServerReader& reader, const ServerEvent& event, Gather& out);

    /// Streams that this desktop has begun: what comes in them is passed on as it is.
    [[nodiscard]] InflaterSet begun() const;

    /// Whole rectangles have been passed on as they are, in begun() streams.
    void passed(std::uint32_t rectangles) {
        rectangles_left_ -= std::min(rectangles, rectangles_left_);
    }

    /// The viewer stands between two messages: the desktop may be changed, and messages of the
    /// gateway's own may be put in.
    [[nodiscard]] bool may_change_desktop() const { return !in_update_ && !in_message_; }

    /// The viewer stands behind a whole rectangle, or between messages: what is missing of the
    /// update can be made up.
    [[nodiscard]] bool may_end_update() const { return !in_message_ && !in_rectangle_; }

    /// Ends the update under way without its desktop: by LastRect, or for viewers without it by as
    /// many black pixels in the corner as rectangles are missing. Only where may_end_update().
    void end_update(const PixelFormat& format, std::string& out);

  private:
    struct Stream {
        bool used = false;  ///< the viewer has inflated some of it
        bool fresh = false; ///< this desktop has not begun it
    };

    void take_update(const ServerReader& reader, const ServerEvent& event, Gather& out);
    void take_tight(const ServerEvent& event);
    Result<void> take_deflate(const ServerReader& reader, const ServerEvent& event, Gather& out);
    Result<void> take_body(const ServerEvent& event, Gather& out);
    void take_ends(const ServerReader& reader, const ServerEvent& event, Gather& out);

    std::array<Stream, inflaters> streams_{};
    bool last_rect_;
    bool ends_with_last_rect_ = false; ///< the update under way was announced so by us
    bool in_update_ = false;
    bool in_rectangle_ = false;
    bool in_message_ = false;
    std::uint32_t rectangles_left_ = 0; ///< of what the viewer was told, whole ones not counted
    int drop_ = 0;                      ///< bytes of a zlib header still to be left out
    std::uint8_t header_ = 0;           ///< its first byte
};

} // namespace baton::rfb
