#pragma once

#include "hypervisor/hypervisor.h"

/// What every adapter refuses before it tries anything.
namespace baton::hypervisor {

/// Ids become file and domain names: as check_name(), without dots, and 40 characters at
/// most.
Result<void> check_desktop_id(const DesktopId& desktop);

/// The id; at least one processor; a password; not less memory than the image needs.
Result<void> check_desktop_spec(const DesktopSpec& spec);

Result<void> check_cpu_weight(unsigned weight);

} // namespace baton::hypervisor
