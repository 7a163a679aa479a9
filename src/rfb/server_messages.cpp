#include "rfb/server_messages.h"

#include "rfb/message_types.h"
#include "rfb/wire.h"

namespace baton::rfb {

void write_update_head(std::string& out, std::uint16_t rectangles) {
    put16(out, server_type::update << 8);
    put16(out, rectangles);
}

void write(std::string& out, const Rectangle& rectangle) {
    for (const std::uint16_t value : {rectangle.x, rectangle.y, rectangle.width, rectangle.height})
        put16(out, value);
    put32(out, number_of(rectangle.encoding));
}

void write_last_rect(std::string& out) {
    write(out, Rectangle{0, 0, 0, 0, Encoding::last_rect});
}

void write_desktop_size(std::string& out, Size size) {
    write(out, Rectangle{0, 0, size.width, size.height, Encoding::desktop_size});
}

void write_extended_desktop_size(std::string& out, Size size) {
    write(out, Rectangle{0, 0, size.width, size.height, Encoding::extended_desktop_size});
    put32(out, 1U << 24); // one screen, padding
    put32(out, 1);        // its id: libvncclient takes no notice of a screen 0
    put32(out, 0);        // its place
    put16(out, size.width);
    put16(out, size.height);
    put32(out, 0); // flags
}

void write_no_cursor(std::string& out, Encoding encoding) {
    write(out, Rectangle{0, 0, 0, 0, encoding});
    if (encoding == Encoding::cursor_with_alpha)
        put32(out, number_of(Encoding::raw));
}

void write_desktop_name(std::string& out, std::string_view name) {
    write(out, Rectangle{0, 0, 0, 0, Encoding::desktop_name});
    put32(out, static_cast<std::uint32_t>(name.size()));
    out += name;
}

void write_led_state(std::string& out, std::uint8_t leds) {
    write(out, Rectangle{0, 0, 1, 1, Encoding::qemu_led_state});
    put8(out, leds);
}

void write_bell(std::string& out) {
    put8(out, server_type::bell);
}

void write_server_cut_text(std::string& out, const CutText& text) {
    write_cut_text_head(out, server_type::cut_text, text);
}

void write_server_fence(std::string& out, std::uint32_t flags, std::string_view payload) {
    put32(out, std::uint32_t{server_type::fence} << 24);
    put32(out, flags);
    put8(out, static_cast<std::uint32_t>(payload.size()));
    out += payload;
}

void write_end_of_continuous_updates(std::string& out) {
    put8(out, server_type::end_of_continuous_updates);
}

} // namespace baton::rfb
