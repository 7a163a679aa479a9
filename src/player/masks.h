#pragma once

#include "model/error.h"
#include "player/policy.h"

#include <cstddef>
#include <string>
#include <vector>

/// What of a base is not to be seen from inside: made as one more layer of the overlay, between the
/// base and the desk's changes, in which every such name is a whiteout. Nobody inside can take it
/// away, because there is nothing mounted that could be unmounted.
namespace baton::player {

/// Puts into the folder `layer` (on a tmpfs) a whiteout for each name below `lower` that the masks
/// name, and, where `at` is one of masks.unreadable, for each that an ordinary user could not read:
/// a file without read permission for others, a folder without read or search permission for
/// others, and every device, socket and pipe. The folders on the way take the mode and owner that
/// they have in `lower`. `at`: which path of the PC `lower` is, "/etc". Gives the number of names.
Result<std::size_t> mask(int lower, int layer, const std::string& at, const Masks& masks);

} // namespace baton::player
