#pragma once

#include "rfb/wire.h"

#include <string>
#include <vector>

/// RFB as a test writes it by hand.
namespace baton::rfb {

inline std::string be16(unsigned value) {
    std::string text;
    put16(text, value);
    return text;
}

inline std::string be32(std::uint32_t value) {
    std::string text;
    put32(text, value);
    return text;
}

/// A rectangle's head.
inline std::string head(unsigned x, unsigned y, unsigned width, unsigned height,
                        std::int32_t encoding) {
    return be16(x) + be16(y) + be16(width) + be16(height) +
           be32(static_cast<std::uint32_t>(encoding));
}

inline std::string update(const std::vector<std::string>& rectangles) {
    std::string text = std::string(2, '\0') + be16(static_cast<unsigned>(rectangles.size()));
    for (const auto& one : rectangles)
        text += one;
    return text;
}

} // namespace baton::rfb
