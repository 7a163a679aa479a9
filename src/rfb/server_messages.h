#pragma once

#include "rfb/cut_text.h"
#include "rfb/server_event.h"
#include "rfb/server_reader.h"

#include <cstdint>
#include <string>
#include <string_view>

/// What somebody in a screen's place says to a viewer (RFC 6143, 7.6 and 7.8, and rfbproto).
namespace baton::rfb {

/// A FramebufferUpdate of so many rectangles; until_last_rect: as many as come before a LastRect.
inline constexpr std::uint16_t until_last_rect = 0xFFFF;
void write_update_head(std::string& out, std::uint16_t rectangles);
void write(std::string& out, const Rectangle& rectangle);
void write_last_rect(std::string& out);

/// DesktopSize.
void write_desktop_size(std::string& out, Size size);

/// ExtendedDesktopSize with one screen of the whole size, decided by the server.
void write_extended_desktop_size(std::string& out, Size size);

/// A pointer without a shape, in the encoding that the viewer asked for: Cursor, XCursor, or
/// cursor_with_alpha.
void write_no_cursor(std::string& out, Encoding encoding);

/// DesktopName.
void write_desktop_name(std::string& out, std::string_view name);

/// QEMU LED state: bit 0 Scroll Lock, 1 Num Lock, 2 Caps Lock.
void write_led_state(std::string& out, std::uint8_t leds);

void write_bell(std::string& out);

/// The text follows by the caller.
void write_server_cut_text(std::string& out, const CutText& text);
void write_server_fence(std::string& out, std::uint32_t flags, std::string_view payload);
void write_end_of_continuous_updates(std::string& out);

} // namespace baton::rfb
