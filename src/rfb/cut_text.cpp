#include "rfb/cut_text.h"

#include "rfb/limits.h"
#include "rfb/wire.h"

#include <fmt/format.h>

namespace baton::rfb {

Result<std::size_t> read_cut_text(std::string_view input, CutText& text) {
    constexpr std::size_t plain_head = 8;
    constexpr std::uint32_t flags_bytes = 4;
    if (input.size() < plain_head)
        return 0;
    const std::uint32_t length = get32(input, 4);
    const bool extended = length >= 0x80000000U;
    const std::uint32_t size = extended ? 0U - length : length;
    if (size > most_text_bytes)
        return fail(Errc::corrupt, fmt::format("a clipboard of {} bytes was announced", size),
                    fmt::format("at most {} are taken", most_text_bytes));
    if (!extended) {
        text = {false, 0, size};
        return plain_head;
    }
    if (size < flags_bytes)
        return fail(Errc::corrupt, "an extended clipboard was announced that has no flags",
                    "its length must be at least 4");
    if (input.size() < plain_head + flags_bytes)
        return 0;
    text = {true, get32(input, plain_head), size - flags_bytes};
    return plain_head + flags_bytes;
}

void write_cut_text_head(std::string& out, std::uint8_t type, const CutText& text) {
    put8(out, type);
    put8(out, 0);
    put16(out, 0);
    if (!text.extended) {
        put32(out, text.bytes);
        return;
    }
    put32(out, 0U - (text.bytes + 4));
    put32(out, text.flags);
}

} // namespace baton::rfb
