#pragma once

#include "model/ids.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace baton {

/// Whether a host's CPU shares follow what its desktops need.
enum class CpuSharesState : std::uint8_t {
    off,        ///< not wanted there
    untried,    ///< no desktop has run since its agent was started
    on,         ///< they do
    unsupported ///< its hypervisor or kernel cannot
};

/// "off", "untried", "on", "unsupported".
constexpr std::string_view to_string(CpuSharesState state) {
    constexpr std::array<std::string_view, 4> words{"off", "untried", "on", "unsupported"};
    return words[static_cast<std::size_t>(state)];
}

/// What a host says of its CPU shares: when it connects, and whenever something has changed.
struct CpuSharesTold {
    struct Change {
        DesktopId desktop;
        unsigned was = 0, weight = 0; ///< against one another; 100 = an equal share
        bool operator==(const Change&) const = default;
    };

    CpuSharesState state = CpuSharesState::off;
    std::string why;             ///< of the changes; or why they are not supported
    std::vector<Change> changes; ///< that were made
    bool news = false;           ///< it has just become so
    bool operator==(const CpuSharesTold&) const = default;
};

} // namespace baton
