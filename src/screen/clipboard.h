#pragma once

#include "player/display.h"
#include "screen/x.h"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace baton::screen {

/// The clipboard (X's selection CLIPBOARD) of one X server, towards the other one's. Text alone.
class ClipboardSide {
  public:
    /// Somebody of this side who waits for the other side's text.
    struct Request {
        xcb_window_t requestor = 0;
        xcb_atom_t target = 0;
        xcb_atom_t property = 0;
        xcb_timestamp_t time = 0;
    };

    /// What an event came to.
    struct Heard {
        bool taken = false;              ///< it was the clipboard's
        std::optional<bool> has_content; ///< a program of this side has a new one, or none any more
        bool wanted = false;             ///< the other side's text is asked for
        std::optional<std::string> text; ///< what fetch() fetched; empty: it could not
    };

    /// `given`: its content may go to the other side.
    ClipboardSide(const X& x, bool given);

    [[nodiscard]] bool works() const { return works_; }

    Heard hear(const xcb_generic_event_t& event);

    /// The other side has something, or nothing.
    void offer(bool something) const;
    /// Asks the program that has it for its text; hear() gives it. Once at a time.
    void fetch();

    [[nodiscard]] bool fetching() const { return fetching_; }

    [[nodiscard]] bool given() const { return given_; }

    /// What is fetched does not come any more.
    void give_up() { fetching_ = in_parts_ = false; }

    /// All who wait get this text; nullopt: there is none.
    void answer(const std::optional<std::string>& text);

  private:
    void asked(const xcb_selection_request_event_t& event, Heard& heard);
    void notify(const Request& request, xcb_atom_t property) const;
    void converted(const xcb_selection_notify_event_t& event, Heard& heard);
    void changed(const xcb_property_notify_event_t& event, Heard& heard);
    /// The property with the text, which is deleted; its type.
    xcb_atom_t take_property(std::string& text) const;

    const X& x_;
    bool given_;
    bool works_ = false;
    xcb_window_t window_ = 0;
    std::uint8_t selection_event_ = 0; ///< XFIXES' number for it
    xcb_atom_t clipboard_ = 0, targets_ = 0, utf8_ = 0, incr_ = 0, place_ = 0;
    std::vector<Request> waiting_;
    bool fetching_ = false;
    bool in_parts_ = false;
    std::string parts_;
};

/// Carries text between the clipboards of the PC's display and of the desk's, the ways that are
/// allowed, and only when somebody pastes.
class ClipboardBridge {
  public:
    ClipboardBridge(const X& pc, const X& desk, player::Clipboard allowed)
        : pc_(pc), desk_(desk), allowed_(allowed) {}

    /// Once both are connected.
    void begin();
    /// The desk's connection is gone.
    void end();

    /// An event of the PC's display: true: it was the clipboard's.
    bool hear_pc(const xcb_generic_event_t& event);
    /// The same of the desk's.
    bool hear_desk(const xcb_generic_event_t& event);

    using Clock = std::chrono::steady_clock;

    /// Until when somebody has to answer.
    [[nodiscard]] std::optional<Clock::time_point> deadline() const { return deadline_; }

    void late();

  private:
    bool carry(ClipboardSide& from, ClipboardSide& to, const xcb_generic_event_t& event);

    const X& pc_;
    const X& desk_;
    player::Clipboard allowed_;
    std::optional<ClipboardSide> pc_side_;
    std::optional<ClipboardSide> desk_side_;
    std::optional<Clock::time_point> deadline_;
};

} // namespace baton::screen
