#pragma once

#include "routing/router.h"

#include <chrono>
#include <memory>
#include <string>

namespace baton::routing {

/// The routes of the boot server, asked of baton-helper through its socket. Connects when it is
/// first needed and again when the helper was restarted: nothing is held between calls, so every
/// call stands alone. Errc::unavailable: no helper there; Errc::timeout: no answer in time.
/// The first call of a connection makes the helper bring its table up to date.
std::unique_ptr<Router>
make_helper_router(std::string socket_path,
                   std::chrono::milliseconds deadline = std::chrono::seconds(5));

} // namespace baton::routing
