#include "programs/baton_guest/x_message.h"

#include "guest/utf8.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace baton::guest_program {

namespace {

constexpr int width = 560;
constexpr int margin = 20;
constexpr int columns = (width - 2 * margin) / XPainter::column;
constexpr int first_line = 16;
constexpr int button_width = 200;
constexpr int button_height = 32;

constexpr std::uint32_t paper = 0xFFF4C8;
constexpr std::uint32_t now_paper = 0x2F6F4F;
constexpr std::uint32_t later_paper = 0x6F4F2F;

} // namespace

XMessage::XMessage(xcb_connection_t* connection, const xcb_screen_t& screen, XPainter& painter,
                   int top)
    : connection_(connection),
      painter_(painter),
      left_(std::max(0, (screen.width_in_pixels - width) / 2)),
      top_(top),
      window_(overlay_window(connection, screen, width, 1, paper,
                             XCB_EVENT_MASK_EXPOSURE | XCB_EVENT_MASK_VISIBILITY_CHANGE |
                                 XCB_EVENT_MASK_BUTTON_PRESS)) {}

void XMessage::show(const std::optional<guest::ScreenMessage>& message) {
    message_ = message;
    if (!message_) {
        if (std::exchange(mapped_, false))
            xcb_unmap_window(connection_, window_);
        return;
    }
    lines_ = guest::wrap(message_->text, columns);
    const int rows = static_cast<int>(lines_.size()) + (message_->seconds_left ? 1 : 0);
    buttons_top_ = first_line + rows * XPainter::line + 8;
    const int height = buttons_top_ + (message_->may_defer ? button_height + 12 : 4);
    const std::array<std::uint32_t, 5> place{
        static_cast<std::uint32_t>(left_), static_cast<std::uint32_t>(top_), width,
        static_cast<std::uint32_t>(height), XCB_STACK_MODE_ABOVE};
    xcb_configure_window(connection_, window_,
                         XCB_CONFIG_WINDOW_X | XCB_CONFIG_WINDOW_Y | XCB_CONFIG_WINDOW_WIDTH |
                             XCB_CONFIG_WINDOW_HEIGHT | XCB_CONFIG_WINDOW_STACK_MODE,
                         place.data());
    if (!std::exchange(mapped_, true))
        xcb_map_window(connection_, window_);
    draw();
}

void XMessage::draw() {
    if (!message_)
        return;
    painter_.fill(window_, paper, 0, 0, width, buttons_top_ + button_height + 12);
    int y = first_line;
    for (const std::u32string& line : lines_) {
        painter_.text(window_, black, paper, margin, y, line);
        y += XPainter::line;
    }
    if (message_->seconds_left)
        painter_.text(window_, black, paper, margin, y,
                      std::to_string(*message_->seconds_left) + " seconds left");
    if (!message_->may_defer)
        return;
    const auto button = [this](int x, std::uint32_t colour, std::string_view label) {
        painter_.fill(window_, colour, x, buttons_top_, button_width, button_height);
        const int text = static_cast<int>(label.size()) * XPainter::column;
        painter_.text(window_, white, colour, x + (button_width - text) / 2, buttons_top_ + 7,
                      label);
    };
    button(margin, now_paper, "Now (F9)");
    button(width - margin - button_width, later_paper, "Not now (F10)");
}

std::optional<bool> XMessage::answer_at(int x, int y) const {
    if (!message_ || !message_->may_defer || y < buttons_top_ || y >= buttons_top_ + button_height)
        return std::nullopt;
    if (x >= margin && x < margin + button_width)
        return true;
    if (x >= width - margin - button_width && x < width - margin)
        return false;
    return std::nullopt;
}

} // namespace baton::guest_program
