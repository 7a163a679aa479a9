#pragma once

#include <cstdint>

/// The first byte of each message (RFC 6143, 7.5 and 7.6; rfbproto).
namespace baton::rfb {

namespace client_type {
inline constexpr std::uint8_t set_pixel_format = 0;
inline constexpr std::uint8_t set_encodings = 2;
inline constexpr std::uint8_t update_request = 3;
inline constexpr std::uint8_t key = 4;
inline constexpr std::uint8_t pointer = 5;
inline constexpr std::uint8_t cut_text = 6;
inline constexpr std::uint8_t enable_continuous_updates = 150;
inline constexpr std::uint8_t fence = 248;
inline constexpr std::uint8_t xvp = 250;
inline constexpr std::uint8_t set_desktop_size = 251;
inline constexpr std::uint8_t qemu = 255;
} // namespace client_type

namespace server_type {
inline constexpr std::uint8_t update = 0;
inline constexpr std::uint8_t colours = 1;
inline constexpr std::uint8_t bell = 2;
inline constexpr std::uint8_t cut_text = 3;
inline constexpr std::uint8_t end_of_continuous_updates = 150;
inline constexpr std::uint8_t fence = 248;
inline constexpr std::uint8_t xvp = 250;
inline constexpr std::uint8_t qemu = 255;
} // namespace server_type

/// The second byte of message 255, either way.
namespace qemu_type {
inline constexpr std::uint8_t key = 0;
inline constexpr std::uint8_t audio = 1;
} // namespace qemu_type

} // namespace baton::rfb
