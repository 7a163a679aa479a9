#pragma once

#include "model/error.h"
#include "player/blueprint.h"

namespace baton::player {

/// What a desk has for itself in /etc instead of the PC's (accounts, host name, machine-id), each
/// only where it is missing: it belongs to the desk from then on. And what is new in /run at every
/// opening. `lower`: the base's /etc; `homes`: the desk's fwd/home. All descriptors of folders; a
/// folder that the policy leaves out is -1 and passed over.
Result<void> write_own_files(const Blueprint& blueprint, int lower, int etc, int run, int homes);

/// The folders that programs expect in a /var, for one that is new.
Result<void> begin_var(int var);

} // namespace baton::player
