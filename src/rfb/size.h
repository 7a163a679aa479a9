#pragma once

#include <cstdint>

namespace baton::rfb {

struct Size {
    std::uint16_t width = 0;
    std::uint16_t height = 0;
    bool operator==(const Size&) const = default;
};

} // namespace baton::rfb
