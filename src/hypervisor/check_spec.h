#pragma once

#include "hypervisor/hypervisor.h"

/// What every adapter refuses before it tries anything.
namespace baton::hypervisor {

/// Ids become file and domain names: as check_name(), without dots, and 40 characters at
/// most.
Result<void> check_desktop_id(const DesktopId& desktop);

/// The id; at least one processor; a password, unless the screen is local; not less memory than the
/// image needs.
Result<void> check_desktop_spec(const DesktopSpec& spec);

/// Errc::conflict: the desktop of that id that runs with these is another one than is wanted.
Result<void> check_same(const DesktopSpec& wanted, const SessionId& session, Mebibytes memory,
                        bool local_screen);

Result<void> check_cpu_weight(unsigned weight);

} // namespace baton::hypervisor
