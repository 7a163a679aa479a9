#pragma once

#include "routing/layout.h"
#include "routing/router.h"

#include <memory>

namespace baton::routing {

/// Routes in memory, with the same rules as the real thing: for tests and for a controller whose
/// sessions need no port forward.
std::unique_ptr<Router> make_memory_router(Layout layout);

} // namespace baton::routing
