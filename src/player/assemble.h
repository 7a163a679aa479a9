#pragma once

#include "model/error.h"
#include "player/blueprint.h"
#include "player/channel.h"

#include <string>
#include <vector>

namespace baton::player {

/// Builds what is seen inside, in the namespaces of the calling process (user, mount, pid, network,
/// uts, ipc of its own; root there and nobody on the PC), and makes it its root. Takes the base's
/// layers, or all of the base, and then the desk as descriptors over `channel`: {"layers"} or
/// {"base"}, then {"desk"}. Nothing of a
/// desk is touched with more power than the desk's own root has. Afterwards nothing of the PC can
/// be reached but through the layers and what `hardware` names. Gives notes for the person.
Result<std::vector<std::string>> assemble(Channel& channel, const Blueprint& blueprint);

} // namespace baton::player
