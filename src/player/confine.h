#pragma once

#include "model/error.h"

#include <cstdint>
#include <vector>

/// What holds everybody inside a desk, its root as well. None of it can be undone from inside.
/// docs/security.md says what it is worth.
namespace baton::player {

/// The system calls that nobody inside may make, with the errno that they get: what loads code into
/// the kernel, sets its clocks, looks into all of it, or belongs to the PC's administrator.
struct ForbiddenCall {
    int call = 0;  ///< libseccomp's number
    int error = 0; ///< errno
};

std::vector<ForbiddenCall> forbidden_calls();

/// The capabilities (linux/capability.h) that the desk's root keeps over what is the desk's.
const std::vector<unsigned>& kept_capabilities();

/// A compiled BPF program: forbidden_calls(), and no ioctl that types into a terminal.
Result<std::vector<std::uint8_t>> system_call_filter();

/// For the calling process and all that come of it: no capability but the kept ones through an
/// exec, no new privileges, the filter, no core dump. RLIMIT_CORE is 1, not 0: a core_pattern that
/// is a program's gets the dump of every process but of those with just that limit (core(5)).
Result<void> confine(const std::vector<std::uint8_t>& filter);

} // namespace baton::player
