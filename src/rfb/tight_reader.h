#pragma once

#include "model/error.h"
#include "rfb/server_event.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace baton::rfb {

/// The length in front of Tight's data: 1 to 3 bytes of 7, 7 and 8 bits, the lowest first.
struct CompactLength {
    static constexpr std::uint32_t most = (1U << 22) - 1;

    std::uint32_t value = 0;
    std::size_t bytes = 0; ///< of the field; 0 = more are needed
};

CompactLength read_compact_length(std::string_view input);
/// `value` is at most CompactLength::most.
void write_compact_length(std::string& out, std::uint32_t value);

/// What a Tight or TightPNG rectangle holds behind its head (rfbproto), as far as its first bytes
/// tell: control byte, filter, number of colours.
struct TightHead {
    std::size_t bytes = 0;   ///< of `input`; 0 = more are needed
    std::uint32_t plain = 0; ///< bytes that follow as they are: a colour, a palette
    std::uint64_t data = 0;  ///< bytes of the picture before they are deflated
    bool deflated = false;   ///< then a length, then deflated bytes
    bool image = false;      ///< then a length, then a JPEG or PNG file
    Inflater inflater = Inflater::tight_0;
};

/// Errc::corrupt: a kind of compression or filter that there is not.
Result<TightHead> read_tight_head(std::string_view input, const Rectangle& rectangle,
                                  const PixelFormat& format);

} // namespace baton::rfb
