#pragma once

#include "history/samples.h"

#include <cstddef>
#include <cstdint>
#include <string>

namespace baton::history {

/// How keeping samples goes, as somebody sees it who only looks.
struct RecorderFigures {
    std::size_t waiting_samples = 0, waiting_bytes = 0;
    std::uint64_t written = 0, lost = 0;
    bool failing = false;
    std::string why;    ///< failing: the error's message
    Seconds since = 0;  ///< failing: when that began
    Size size;          ///< as of the last minute
    bool sized = false; ///< size has been told at least once
    bool shortened = false;
};

} // namespace baton::history
