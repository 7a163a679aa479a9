#pragma once

#include "model/error.h"

#include <functional>

namespace baton::player {

/// Something else that the player listens to while a program runs in a desk: when `fd` is readable
/// `heard` is called. An error from it ends the attendance, and so the session.
struct Watch {
    int fd = -1;
    std::function<Result<void>()> heard;
};

} // namespace baton::player
