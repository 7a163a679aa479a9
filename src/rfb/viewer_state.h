#pragma once

#include "rfb/client_reader.h"
#include "rfb/keys_held.h"
#include "rfb/server_reader.h"

#include <string>
#include <string_view>
#include <vector>

namespace baton::rfb {

/// What of a viewer's wishes a desktop behind a gateway may hear: encodings that ServerReader can
/// frame, without those that the gateway answers itself or that end at one desktop (fences,
/// continuous updates, sound).
[[nodiscard]] bool passes_to_desktop(Encoding encoding);

/// What one viewer has asked for, so that it can be asked for again of another desktop; and what of
/// its messages the present desktop hears. Bounded: most_encodings, most_keys_held. Not
/// thread-safe.
class ViewerState {
  public:
    /// As the viewer's ServerInit told.
    ViewerState(Size size, const PixelFormat& format) : size_(size), format_(format) {}

    /// What the desktop is to be sent for a viewer's message or its body: the event's own bytes, or
    /// bytes that are valid until the next call. Empty: nothing.
    [[nodiscard]] std::string_view pass(const ClientEvent& event);

    /// The desktop's update with pixels in it has ended: what was asked for is there.
    void update_ended() { wants_update_ = false; }

    /// The viewer has been told this size.
    void set_size(Size size) { size_ = size; }

    /// The next request is passed on as one for everything.
    void need_everything() { needs_everything_ = true; }

    [[nodiscard]] Size size() const { return size_; }

    /// As last asked for. Updates that end after it was asked may still come in the one before.
    [[nodiscard]] const PixelFormat& format() const { return format_; }

    /// As asked, in the viewer's order.
    [[nodiscard]] const std::vector<Encoding>& encodings() const { return asked_; }

    /// As the desktop hears them.
    [[nodiscard]] std::vector<Encoding> encodings_passed() const;

    [[nodiscard]] bool asked(Encoding encoding) const;

    /// The viewer waits for an update. Requests are not counted against updates: gtk-vnc asks about
    /// once per rectangle.
    [[nodiscard]] bool wants_update() const { return wants_update_; }

    [[nodiscard]] KeysHeld& keys() { return keys_; }

  private:
    std::string_view pass(const SetPixelFormat& message, std::string_view bytes);
    std::string_view pass(const SetEncodings& message, std::string_view bytes);
    std::string_view pass(const UpdateRequest& message, std::string_view bytes);
    std::string_view pass(const KeyEvent& message, std::string_view bytes);
    std::string_view pass(const QemuKey& message, std::string_view bytes);
    std::string_view pass(const PointerEvent& message, std::string_view bytes);

    Size size_;
    PixelFormat format_;
    std::vector<Encoding> asked_;
    bool wants_update_ = false;
    bool needs_everything_ = false;
    KeysHeld keys_;
    std::string scratch_;
};

} // namespace baton::rfb
