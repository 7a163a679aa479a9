#include "guest/utf8.h"

#include <array>
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

std::u32string code_points(std::string_view text) {
    std::u32string points;
    while (!text.empty()) {
        const std::size_t length = utf8_length(text);
        if (length == 0) {
            points += U'\uFFFD';
            text.remove_prefix(1);
            continue;
        }
        constexpr std::array<std::uint8_t, 5> first_mask{0, 0x7F, 0x1F, 0x0F, 0x07};
        char32_t point = byte_at(text, 0) & first_mask[length];
        for (std::size_t i = 1; i < length; ++i)
            point = point << 6 | (byte_at(text, i) & 0x3F);
        points += point;
        text.remove_prefix(length);
    }
    return points;
}

int columns_of(char32_t point) {
    const bool wide =
        (point >= 0x1100 && point <= 0x115F) || (point >= 0x2E80 && point <= 0xA4CF) ||
        (point >= 0xAC00 && point <= 0xD7A3) || (point >= 0xF900 && point <= 0xFAFF) ||
        (point >= 0xFE30 && point <= 0xFE6F) || (point >= 0xFF00 && point <= 0xFF60) ||
        (point >= 0x20000 && point <= 0x3FFFD);
    return wide ? 2 : 1;
}

std::vector<std::u32string> wrap(std::string_view text, int columns) {
    std::vector<std::u32string> lines;
    std::u32string line;
    int used = 0;
    std::size_t last_space = std::u32string::npos;
    for (char32_t point : code_points(text)) {
        if (point < 0x20 || point == 0x7F)
            point = U' ';
        bool ended_by_space = false;
        // what is carried over to the next line may be too long for it together with this one
        while (used + columns_of(point) > columns && !line.empty() && !ended_by_space) {
            std::u32string rest;
            if (point == U' ') {
                ended_by_space = true; // the line ends just here
            } else if (last_space != std::u32string::npos) {
                rest = line.substr(last_space + 1);
                line.resize(last_space);
            }
            if (!line.empty())
                lines.push_back(std::move(line));
            line = std::move(rest);
            used = 0;
            for (const char32_t kept : line)
                used += columns_of(kept);
            last_space = std::u32string::npos;
        }
        if (ended_by_space)
            continue;
        if (point == U' ')
            last_space = line.size();
        line += point;
        used += columns_of(point);
    }
    if (!line.empty())
        lines.push_back(std::move(line));
    return lines;
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
