#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

/// Text that came from outside, made fit for JSON and for a screen. Pure.
namespace baton::guest {

/// `text` as well-formed UTF-8 of at most `max_bytes`: every ill-formed byte becomes U+FFFD, and
/// what is too long is cut between characters.
std::string well_formed_utf8(std::string_view text, std::size_t max_bytes);

/// The length of the well-formed UTF-8 sequence that `text` begins with, 0 if it begins with none.
std::size_t utf8_length(std::string_view text);

/// The code points of well-formed text; ill-formed bytes become U+FFFD.
std::u32string code_points(std::string_view text);

/// 2 for Hangul, Han and their kin, which take two columns, else 1.
int columns_of(char32_t point);

/// `text` in lines of at most `columns`, broken at spaces where that is possible; control
/// characters become spaces.
std::vector<std::u32string> wrap(std::string_view text, int columns);

/// One line for a terminal: control characters (escape sequences with them) become spaces, and
/// characters that the Linux text console has no glyph for '?', so that one character is one cell.
std::string console_line(std::string_view text, std::size_t max_cells);

} // namespace baton::guest
