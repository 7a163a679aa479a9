#include "picture/clipboard.h"

#include "picture/inflate.h"
#include "rfb/cut_text.h"
#include "rfb/wire.h"

#include <algorithm>
#include <zlib.h>

namespace baton::picture {

namespace {

/// One character of UTF-8 at `at`, which is moved behind it; what is none becomes U+FFFD.
char32_t next_character(std::string_view text, std::size_t& at) {
    const unsigned first = rfb::get8(text, at++);
    if (first < 0x80)
        return first;
    const int more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : first >= 0xC0 ? 1 : 0;
    char32_t character = first & (0x3FU >> more);
    for (int i = 0; i < more; ++i) {
        if (at == text.size() || (rfb::get8(text, at) & 0xC0) != 0x80)
            return 0xFFFD;
        character = character << 6 | (rfb::get8(text, at++) & 0x3F);
    }
    return more == 0 ? 0xFFFD : character;
}

std::string without_returns(std::string_view text) {
    std::string plain;
    plain.reserve(text.size());
    for (std::size_t at = 0; at < text.size(); ++at)
        if (text[at] != '\r' || at + 1 == text.size() || text[at + 1] != '\n')
            plain.push_back(text[at]);
    return plain;
}

} // namespace

std::string to_latin1(std::string_view text) {
    std::string plain;
    for (std::size_t at = 0; at < text.size();) {
        const char32_t character = next_character(text, at);
        plain.push_back(character < 0x100 ? static_cast<char>(character) : '?');
    }
    return plain;
}

std::string from_latin1(std::string_view text) {
    std::string wide;
    for (const char byte : without_returns(text)) {
        const auto value = static_cast<unsigned char>(byte);
        if (value < 0x80) {
            wide.push_back(byte);
            continue;
        }
        wide.push_back(static_cast<char>(0xC0 | value >> 6));
        wide.push_back(static_cast<char>(0x80 | (value & 0x3F)));
    }
    return wide;
}

std::string pack_clipboard(std::string_view text) {
    std::string plain;
    rfb::put32(plain, static_cast<std::uint32_t>(text.size() + 1));
    plain += text;
    plain.push_back('\0');
    uLongf bytes = ::compressBound(plain.size());
    std::string packed(bytes, '\0');
    ::compress(reinterpret_cast<Bytef*>(packed.data()), &bytes,
               reinterpret_cast<const Bytef*>(plain.data()), plain.size());
    packed.resize(bytes);
    return packed;
}

Result<std::optional<std::string>> unpack_clipboard(std::uint32_t flags, std::string_view content) {
    if ((flags & rfb::clipboard::text) == 0)
        return std::nullopt;
    Inflate stream;
    std::string plain(4 + most_clipboard_bytes, '\0');
    std::size_t bytes = 0;
    while (bytes < plain.size() && !content.empty()) {
        const auto made = stream.next(content, plain.data() + bytes, plain.size() - bytes);
        if (!made)
            return tl::unexpected(made.error());
        if (*made == 0)
            break;
        bytes += *made;
    }
    if (bytes < 4)
        return std::nullopt;
    // text is the first of the formats
    const std::size_t length = rfb::get32(plain, 0);
    if (length > bytes - 4)
        return std::nullopt;
    std::string_view text = std::string_view(plain).substr(4, length);
    text = text.substr(0, text.find('\0'));
    return without_returns(text);
}

} // namespace baton::picture
