#pragma once

#include "guest/machine.h"
#include "programs/baton_guest/x_window.h"

#include <optional>

namespace baton::guest_program {

/// The window with a message to the person, its countdown and its two buttons.
class XMessage {
  public:
    XMessage(xcb_connection_t* connection, const xcb_screen_t& screen, XPainter& painter, int top);

    /// Nothing: takes the window away.
    void show(const std::optional<guest::ScreenMessage>& message);
    void draw();
    /// What a click there means: true "now", false "not now".
    [[nodiscard]] std::optional<bool> answer_at(int x, int y) const;

    [[nodiscard]] xcb_window_t window() const { return window_; }

  private:
    xcb_connection_t* connection_;
    XPainter& painter_;
    int left_;
    int top_;
    xcb_window_t window_;
    bool mapped_ = false;
    std::optional<guest::ScreenMessage> message_;
    std::vector<std::u32string> lines_;
    int buttons_top_ = 0;
};

} // namespace baton::guest_program
