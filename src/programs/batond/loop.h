#pragma once

#include "handoff/loop.h"

namespace baton::controller {

using handoff::InOrder;
using handoff::Loop;
using handoff::Pool;

} // namespace baton::controller
