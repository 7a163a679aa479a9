#pragma once

#include "model/error.h"

namespace baton {

/// What a program of ours that failed with it ends with (docs/cli.md, "Exit status"):
/// 0 success, 1 internal, 2 invalid_argument, 3 not_found, 4 refused or full, 5 busy, conflict or
/// already_exists, 6 unauthenticated or forbidden, 7 unavailable or timeout, 8 corrupt, 9 io,
/// 10 unsupported, 11 cancelled.
int exit_status(Errc code);

} // namespace baton
