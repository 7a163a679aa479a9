#pragma once

#include "model/error.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace baton::rfb {

/// The head of ClientCutText and ServerCutText (RFC 6143, 7.5.6 and 7.6.4), without its type: both
/// directions are alike. A negative length says "extended clipboard" (rfbproto), whose content
/// begins with flags; only its Provide action carries text, deflated.
struct CutText {
    bool extended = false;
    std::uint32_t flags = 0; ///< of an extended one
    std::uint32_t bytes = 0; ///< that follow the head (the flags are in the head)

    bool operator==(const CutText&) const = default;
};

/// Flags of the extended clipboard: formats in the low half, one action in the top byte.
namespace clipboard {
inline constexpr std::uint32_t text = 1U << 0;
inline constexpr std::uint32_t rtf = 1U << 1;
inline constexpr std::uint32_t html = 1U << 2;
inline constexpr std::uint32_t dib = 1U << 3;
inline constexpr std::uint32_t files = 1U << 4;
inline constexpr std::uint32_t formats = 0xFFFF;
inline constexpr std::uint32_t caps = 1U << 24;
inline constexpr std::uint32_t request = 1U << 25;
inline constexpr std::uint32_t peek = 1U << 26;
inline constexpr std::uint32_t notify = 1U << 27;
inline constexpr std::uint32_t provide = 1U << 28;
} // namespace clipboard

/// The head with its type byte at the beginning of `input`; 0 = more bytes are needed, else how
/// many belong to it. Errc::corrupt: a length that nobody's clipboard has.
Result<std::size_t> read_cut_text(std::string_view input, CutText& text);

/// `type` is 6 from a viewer, 3 from a screen; the `bytes` follow by the caller.
void write_cut_text_head(std::string& out, std::uint8_t type, const CutText& text);

} // namespace baton::rfb
