#include "programs/baton_guest/x_window.h"

#include "guest/utf8.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

namespace baton::guest_program {

namespace {

// of the package xfonts-base; both have 18 pixels, 14 of them above the baseline
constexpr std::string_view narrow_font =
    "-misc-fixed-medium-r-normal--18-120-100-100-c-90-iso10646-1";
constexpr std::string_view wide_font =
    "-misc-fixed-medium-r-normal-ko-18-120-100-100-c-180-iso10646-1";
constexpr int ascent = 15;
constexpr std::size_t longest_run = 255; // what one request of the core protocol takes

template <class Reply>
using ReplyPointer = std::unique_ptr<Reply, decltype(&std::free)>;

} // namespace

XPainter::XPainter(xcb_connection_t* connection, xcb_window_t root)
    : connection_(connection),
      context_(xcb_generate_id(connection)),
      narrow_(xcb_generate_id(connection)),
      wide_(xcb_generate_id(connection)) {
    xcb_open_font(connection_, narrow_, static_cast<std::uint16_t>(narrow_font.size()),
                  narrow_font.data());
    xcb_open_font(connection_, wide_, static_cast<std::uint16_t>(wide_font.size()),
                  wide_font.data());
    xcb_create_gc(connection_, context_, root, 0, nullptr);
}

void XPainter::fill(xcb_window_t window, std::uint32_t colour, int x, int y, int width,
                    int height) {
    xcb_change_gc(connection_, context_, XCB_GC_FOREGROUND, &colour);
    const xcb_rectangle_t area{static_cast<std::int16_t>(x), static_cast<std::int16_t>(y),
                               static_cast<std::uint16_t>(width),
                               static_cast<std::uint16_t>(height)};
    xcb_poly_fill_rectangle(connection_, window, context_, 1, &area);
}

int XPainter::text(xcb_window_t window, std::uint32_t ink, std::uint32_t paper, int x, int y,
                   std::string_view utf8) {
    return text(window, ink, paper, x, y, guest::code_points(utf8));
}

int XPainter::text(xcb_window_t window, std::uint32_t ink, std::uint32_t paper, int x, int y,
                   std::u32string_view points) {
    const std::array<std::uint32_t, 2> colours{ink, paper};
    xcb_change_gc(connection_, context_, XCB_GC_FOREGROUND | XCB_GC_BACKGROUND, colours.data());
    while (!points.empty()) {
        const int columns = guest::columns_of(points.front());
        std::size_t same = 1;
        while (same < points.size() && same < longest_run &&
               guest::columns_of(points[same]) == columns)
            ++same;
        run(window, columns == 2 ? wide_ : narrow_, x, y + ascent, points.substr(0, same));
        x += static_cast<int>(same) * columns * column;
        points.remove_prefix(same);
    }
    return x;
}

void XPainter::run(xcb_window_t window, xcb_font_t font, int x, int y, std::u32string_view points) {
    std::vector<xcb_char2b_t> letters;
    letters.reserve(points.size());
    for (const char32_t point : points) {
        const char32_t shown = point < 0x20 || point > 0xFFFF ? U'?' : point;
        letters.push_back(
            {static_cast<std::uint8_t>(shown >> 8), static_cast<std::uint8_t>(shown & 0xFF)});
    }
    xcb_change_gc(connection_, context_, XCB_GC_FONT, &font);
    xcb_image_text_16(connection_, static_cast<std::uint8_t>(letters.size()), window, context_,
                      static_cast<std::int16_t>(x), static_cast<std::int16_t>(y), letters.data());
}

xcb_window_t overlay_window(xcb_connection_t* connection, const xcb_screen_t& screen, int width,
                            int height, std::uint32_t colour, std::uint32_t events) {
    const xcb_window_t window = xcb_generate_id(connection);
    const std::array<std::uint32_t, 3> values{colour, 1, events};
    xcb_create_window(connection, XCB_COPY_FROM_PARENT, window, screen.root, 0, 0,
                      static_cast<std::uint16_t>(width), static_cast<std::uint16_t>(height), 0,
                      XCB_WINDOW_CLASS_INPUT_OUTPUT, screen.root_visual,
                      XCB_CW_BACK_PIXEL | XCB_CW_OVERRIDE_REDIRECT | XCB_CW_EVENT_MASK,
                      values.data());
    return window;
}

xcb_keycode_t keycode_of(xcb_connection_t* connection, xcb_keysym_t keysym) {
    const xcb_setup_t* setup = xcb_get_setup(connection);
    const auto first = setup->min_keycode;
    const auto count = static_cast<std::uint8_t>(setup->max_keycode - first + 1);
    const ReplyPointer<xcb_get_keyboard_mapping_reply_t> reply(
        xcb_get_keyboard_mapping_reply(connection,
                                       xcb_get_keyboard_mapping(connection, first, count), nullptr),
        &std::free);
    if (!reply || reply->keysyms_per_keycode == 0)
        return 0;
    const xcb_keysym_t* keysyms = xcb_get_keyboard_mapping_keysyms(reply.get());
    const int length = xcb_get_keyboard_mapping_keysyms_length(reply.get());
    for (int at = 0; at < length; at += reply->keysyms_per_keycode)
        if (keysyms[at] == keysym)
            return static_cast<xcb_keycode_t>(first + at / reply->keysyms_per_keycode);
    return 0;
}

} // namespace baton::guest_program
