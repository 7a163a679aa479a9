#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>
#include <xcb/xcb.h>

/// A little of X for baton-guest: text in the server's own fonts, filled rectangles, keys by name.
/// No toolkit: it is on the screen before any other program, and links statically.
namespace baton::guest_program {

inline constexpr std::uint32_t black = 0x000000; ///< pixels of a TrueColor screen
inline constexpr std::uint32_t white = 0xFFFFFF;

/// One connection's fonts and graphics context.
class XPainter {
  public:
    static constexpr int column = 9; ///< pixels that a narrow character takes
    static constexpr int line = 20;  ///< pixels from one line of text to the next

    XPainter(xcb_connection_t* connection, xcb_window_t root);

    void fill(xcb_window_t window, std::uint32_t colour, int x, int y, int width, int height);
    /// `y` is the top of the line. Returns the x after the last character.
    int text(xcb_window_t window, std::uint32_t ink, std::uint32_t paper, int x, int y,
             std::u32string_view points);
    int text(xcb_window_t window, std::uint32_t ink, std::uint32_t paper, int x, int y,
             std::string_view utf8);

  private:
    void run(xcb_window_t window, xcb_font_t font, int x, int y, std::u32string_view points);

    xcb_connection_t* connection_;
    xcb_gcontext_t context_;
    xcb_font_t narrow_;
    xcb_font_t wide_;
};

/// A window of ours that no window manager touches, not yet on the screen.
xcb_window_t overlay_window(xcb_connection_t* connection, const xcb_screen_t& screen, int width,
                            int height, std::uint32_t colour, std::uint32_t events);

/// The keycode that gives `keysym` without a modifier, 0 if none does.
xcb_keycode_t keycode_of(xcb_connection_t* connection, xcb_keysym_t keysym);

} // namespace baton::guest_program
