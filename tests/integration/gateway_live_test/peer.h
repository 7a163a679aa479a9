#pragma once

#include "site.h"
#include "support/onlooker.h"

/// Viewers of the real gateway.
namespace baton::gateway {

using testing::connect_to_port;
using testing::Line;
using testing::Onlooker;
using testing::PlainCarrier;
using testing::WebCarrier;

} // namespace baton::gateway
