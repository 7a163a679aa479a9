#pragma once

#include <cstdint>
#include <string>

namespace baton::rfb {

/// Encodings and pseudo-encodings by their number (RFC 6143, 7.7 and 7.8; the others: the
/// community's rfbproto). Any number can come; only these are known.
enum class Encoding : std::int32_t {
    raw = 0,
    copy_rect = 1,
    rre = 2,
    corre = 4,
    hextile = 5,
    zlib = 6,
    tight = 7,
    trle = 15,
    zrle = 16,
    zywrle = 17,
    quality_0 = -32, ///< ... quality_9 = -23
    quality_9 = -23,
    desktop_size = -223,
    last_rect = -224,
    cursor = -239,
    x_cursor = -240,
    compression_9 = -247, ///< ... compression_0 = -256
    compression_0 = -256,
    qemu_pointer_motion_change = -257,
    qemu_extended_key = -258,
    qemu_audio = -259,
    tight_png = -260,
    qemu_led_state = -261,
    desktop_name = -307,
    extended_desktop_size = -308,
    fence = -312,
    continuous_updates = -313,
    cursor_with_alpha = -314,
    extended_clipboard = -1063131698, ///< 0xC0A1E5CE
};

inline Encoding encoding_from(std::uint32_t number) {
    return static_cast<Encoding>(static_cast<std::int32_t>(number));
}

inline std::uint32_t number_of(Encoding encoding) {
    return static_cast<std::uint32_t>(encoding);
}

/// It carries pixels of the screen, so that its rectangle lies within the screen.
constexpr bool is_picture(Encoding encoding) {
    switch (encoding) {
    case Encoding::raw:
    case Encoding::copy_rect:
    case Encoding::rre:
    case Encoding::corre:
    case Encoding::hextile:
    case Encoding::zlib:
    case Encoding::tight:
    case Encoding::zrle:
    case Encoding::zywrle:
    case Encoding::tight_png:
        return true;
    default:
        return false;
    }
}

/// A rectangle of this encoding can be framed: server_reader.h knows where it ends.
bool is_framed(Encoding encoding);

/// A quality or compression level: says how, is never sent back.
bool is_level(Encoding encoding);

/// "Tight", "encoding 99".
std::string name_of(Encoding encoding);

} // namespace baton::rfb
