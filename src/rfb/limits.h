#pragma once

#include "model/error.h"

#include <cstdint>
#include <string>
#include <utility>

/// What a hostile peer can cost at most. Everything that follows a head is passed on in whatever
/// pieces it comes, and never gathered: these bound what is believed, not what is kept.
namespace baton::rfb {

inline constexpr std::uint32_t most_pixels = 32 * 1024 * 1024; ///< of a screen
inline constexpr std::uint32_t most_text_bytes = 1024 * 1024;  ///< of a name, a clipboard, a sound
inline constexpr std::uint32_t most_encodings = 512;           ///< in one SetEncodings
inline constexpr std::uint32_t most_screens = 64;              ///< of one desktop
inline constexpr std::uint32_t most_fence_bytes = 64;          ///< rfbproto, Fence
inline constexpr std::uint32_t most_word_bytes = 1024;         ///< a user's name, a password
inline constexpr std::uint32_t most_keys_held = 128;

/// No reader asks for more than so many bytes in one piece.
inline constexpr std::uint32_t most_head_bytes = 4 + 4 * most_encodings;

/// "The other side broke the protocol": Errc::corrupt.
inline tl::unexpected<Error> not_rfb(std::string what) {
    return fail(Errc::corrupt, std::move(what), "is this the port of a VNC screen?");
}

/// The same of a viewer.
inline tl::unexpected<Error> bad_viewer(std::string what) {
    return fail(Errc::corrupt, std::move(what), "is it a VNC viewer?");
}

} // namespace baton::rfb
