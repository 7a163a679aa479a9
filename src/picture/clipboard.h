#pragma once

#include "model/error.h"

#include <optional>
#include <string>
#include <string_view>

/// A clipboard's text as RFB carries it. Text outside is UTF-8 with LF.
namespace baton::picture {

/// Longer texts are neither taken nor given.
inline constexpr std::size_t most_clipboard_bytes = 1024 * 1024;

/// Plain cut texts are Latin-1 (RFC 6143, 7.5.6); what it does not have becomes '?'.
std::string to_latin1(std::string_view text);
std::string from_latin1(std::string_view text);

/// The content of an extended clipboard's Provide with text alone (rfbproto): a zlib stream of its
/// own. Lines end with LF, which QEMU's guests and Xvnc both take.
std::string pack_clipboard(std::string_view text);

/// The text out of such a content, whose formats are told by `flags`. nullopt: it has none, or more
/// than is taken. Errc::corrupt: it cannot be unpacked.
Result<std::optional<std::string>> unpack_clipboard(std::uint32_t flags, std::string_view content);

} // namespace baton::picture
