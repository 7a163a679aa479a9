#include "guest/utf8.h"

#include <cstdint>

namespace baton::guest {

namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";

std::uint8_t byte_at(std::string_view text, std::size_t index) {
    return static_cast<std::uint8_t>(text[index]);
}

} // namespace

std::size_t utf8_length(std::string_view text) {
    if (text.empty())
        return 0;
    const std::uint8_t first = byte_at(text, 0);
    if (first < 0x80)
        return 1;
    std::size_t length = 0;
    // the second byte's range shuts out overlong forms, surrogates and what lies over U+10FFFF
    std::uint8_t low = 0x80;
    std::uint8_t high = 0xBF;
    if (first >= 0xC2 && first <= 0xDF) {
        length = 2;
    } else if (first >= 0xE0 && first <= 0xEF) {
        length = 3;
        low = first == 0xE0 ? 0xA0 : low;
        high = first == 0xED ? 0x9F : high;
    } else if (first >= 0xF0 && first <= 0xF4) {
        length = 4;
        low = first == 0xF0 ? 0x90 : low;
        high = first == 0xF4 ? 0x8F : high;
    } else {
        return 0;
    }
    if (text.size() < length || byte_at(text, 1) < low || byte_at(text, 1) > high)
        return 0;
    for (std::size_t i = 2; i < length; ++i)
        if ((byte_at(text, i) & 0xC0) != 0x80)
            return 0;
    return length;
}

std::string well_formed_utf8(std::string_view text, std::size_t max_bytes) {
    std::string out;
    out.reserve(text.size() < max_bytes ? text.size() : max_bytes);
    while (!text.empty()) {
        const std::size_t length = utf8_length(text);
        const std::string_view next = length == 0 ? replacement : text.substr(0, length);
        if (out.size() + next.size() > max_bytes)
            break;
        out += next;
        text.remove_prefix(length == 0 ? 1 : length);
    }
    return out;
}

std::string console_line(std::string_view text, std::size_t max_cells) {
    std::string out;
    while (!text.empty() && out.size() < max_cells) {
        const std::size_t length = utf8_length(text);
        const std::uint8_t first = byte_at(text, 0);
        if (length == 1)
            out += first < 0x20 || first == 0x7F ? ' ' : static_cast<char>(first);
        else
            out += '?';
        text.remove_prefix(length == 0 ? 1 : length);
    }
    return out;
}

} // namespace baton::guest
