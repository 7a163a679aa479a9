#pragma once

#include "process/run.h"

#include <string>

/// Programs that this room starts. Their command lines are values that a unit test looks at.
namespace baton::hypervisor {

/// A throw-away qcow2 over a read-only one.
process::Command make_overlay_command(const std::string& base, const std::string& overlay);

} // namespace baton::hypervisor
