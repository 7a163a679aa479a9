#pragma once

#include "model/ids.h"

#include <fmt/format.h>

namespace baton::allocation {

/// The nth person's.
inline SessionId session(int number) {
    return SessionId(fmt::format("s-{:08}", number));
}

} // namespace baton::allocation
