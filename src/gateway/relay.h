#pragma once

#include "gateway/notice.h"
#include "gateway/ports.h"
#include "model/error.h"
#include "rfb/client_reader.h"
#include "rfb/security.h"
#include "rfb/server_reader.h"
#include "rfb/splice.h"
#include "rfb/switch_plan.h"
#include "rfb/viewer_state.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace baton::gateway {

/// One viewer and the desktop behind it, behind both handshakes; the desktop can be changed, and be
/// lost, without the viewer's noticing. Bytes in, bytes out: no socket, no clock. Not thread-safe.
///
/// What the viewer is sent ends behind a whole rectangle as long as a rectangle is smaller than
/// most_held_bytes, so that a desktop may die at any byte. The caller holds back a desktop by not
/// feeding it while the viewer is slow: waiting_for_viewer() then grows no further.
class Relay {
  public:
    static constexpr std::size_t most_held_bytes = 1024 * 1024;

    /// `init`: what the desktop told, and the viewer was told. `access` view_only: what the viewer
    /// does with keys, pointer, clipboard and size reaches no desktop.
    explicit Relay(const rfb::ServerInit& init, Access access = Access::full);

    /// Errc::corrupt: not RFB; close the connection with the viewer.
    Result<void> from_viewer(std::string_view bytes);

    /// The desktop is to be given up as if it were lost on Errc::corrupt: not RFB; and on
    /// Errc::conflict: the viewer has asked for another pixel format after the cut and before the
    /// picture that was waiting, which is in the one before. Ignored while there is no desktop.
    Result<void> from_desktop(std::string_view bytes);

    /// Another desktop's handshake is through: what it is to be sent, so that its picture is on its
    /// way. Its bytes are not to be fed before cut().
    std::string prepare(const rfb::ServerInit& init);

    /// Until the cut: false when the viewer has asked for something else since prepare(). That
    /// desktop's picture would be in the wrong format: open another connection to it, prepare().
    [[nodiscard]] bool prepared_fits() const;

    /// A prepared desktop may take over now: the viewer stands between two messages.
    [[nodiscard]] bool may_cut() const;

    /// The prepared desktop takes over. Only when may_cut(). What take_for_desktop() gave before is
    /// the old one's; take_for_old() has what it is to hear last. Errc::unsupported: the viewer
    /// cannot follow the size; nothing has changed but that nothing is prepared.
    Result<void> cut();

    /// The desktop is gone, at whatever byte. The viewer's update is ended; keys that are held are
    /// forgotten. Errc::unavailable: the viewer has been sent half a rectangle that was too large
    /// to be held, and has to connect again.
    Result<void> desktop_lost();

    /// A text over the picture, until the cut or until it is taken away (null): drawn between two
    /// messages, as soon as the viewer waits for an update. Not on a palette's colours.
    void show(std::shared_ptr<const Notice> notice);
    /// Draws it again if the desktop has drawn over it.
    void redraw_notice();

    [[nodiscard]] bool has_desktop() const { return reader_.has_value(); }

    /// What is to be sent; empties it.
    std::string take_for_viewer();
    std::string take_for_desktop();
    std::string take_for_old();

    /// Bytes that wait to be taken, or for a rectangle's end.
    [[nodiscard]] std::size_t waiting_for_viewer() const { return to_viewer_.size(); }

    [[nodiscard]] const rfb::ViewerState& viewer() const { return viewer_; }

    /// How many updates with pixels in them have been passed on whole.
    [[nodiscard]] std::uint64_t pictures() const { return pictures_; }

  private:
    Result<void> walk(std::string_view bytes, std::size_t& used);
    Result<void> walk_events(std::string_view bytes, std::size_t& used);
    void pass_whole(std::string_view bytes, std::size_t& used);
    [[nodiscard]] bool withheld(const rfb::ClientEvent& event);
    void change_format();
    void mark_safe(std::size_t bytes);
    void follow(const rfb::ServerEvent& event);
    void draw_notice();
    void uncover();
    void watch_notice(const rfb::Rectangle& rectangle);

    struct Shown {
        std::shared_ptr<const Notice> picture;
        bool due = false;                    ///< to be drawn
        std::optional<rfb::Rectangle> drawn; ///< there
        bool spoiled = false;                ///< the desktop has drawn there since
        bool copied = false;                 ///< some of it may be elsewhere as well
    };

    Access access_;
    bool withholding_ = false; ///< the body of a message that no desktop hears
    rfb::ViewerState viewer_;
    rfb::ClientReader client_reader_;
    std::string viewer_rest_; ///< the beginning of a message
    std::optional<rfb::ServerReader> reader_;
    std::string desktop_rest_; ///< the beginning of a head
    rfb::Splice splice_;
    rfb::Splice safe_splice_; ///< as it was at safe_
    rfb::Gather gather_;
    std::optional<rfb::Opening> prepared_;
    std::string to_viewer_;
    std::size_t safe_ = 0; ///< of to_viewer_: up to a rectangle's or a message's end
    std::string to_desktop_;
    std::string to_old_;
    bool half_sent_ = false;    ///< the viewer has the beginning of a rectangle
    bool after_cut_ = false;    ///< the desktop was prepared while another one served
    bool picture_waits_ = true; ///< nothing of the desktop's first picture has come yet
    bool stale_ = false;        ///< and it is in a format that the viewer does not expect
    bool update_has_picture_ = false;
    std::uint64_t pictures_ = 0;
    Shown notice_;
};

} // namespace baton::gateway
