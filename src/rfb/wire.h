#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

/// Numbers as they stand on the wire (RFC 6143, 7: big endian). Bytes are string_views into the
/// caller's buffer; whoever reads has looked first that so many bytes are there.
namespace baton::rfb {

inline std::uint8_t get8(std::string_view bytes, std::size_t at) {
    return static_cast<std::uint8_t>(bytes.data()[at]);
}

inline std::uint16_t get16(std::string_view bytes, std::size_t at) {
    return static_cast<std::uint16_t>(get8(bytes, at) << 8 | get8(bytes, at + 1));
}

inline std::uint32_t get32(std::string_view bytes, std::size_t at) {
    return static_cast<std::uint32_t>(get16(bytes, at)) << 16 | get16(bytes, at + 2);
}

inline void put8(std::string& out, std::uint32_t value) {
    out.push_back(static_cast<char>(value & 0xFF));
}

inline void put16(std::string& out, std::uint32_t value) {
    put8(out, value >> 8);
    put8(out, value);
}

inline void put32(std::string& out, std::uint32_t value) {
    put16(out, value >> 16);
    put16(out, value);
}

} // namespace baton::rfb
