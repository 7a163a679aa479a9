#pragma once

#include "model/ids.h"

#include <string>

/// Which images this PC has closed in order since it was switched on, so that they need no check
/// when nobody has touched them since. One small file for each, named by a hash, in a folder that
/// is root's alone and in memory; without the folder nothing is remembered (docs/player.md, "No
/// trace").
namespace baton::player {

/// Everything by which a changed file is told: device, mount (its unique number, never used again
/// until the PC is switched off), inode, size, times of content and of inode. Empty: cannot be told
/// on this file system or this kernel, or the file may be written through a network.
std::string fingerprint(int file);

/// Whether the folder says that exactly this was closed in order. The folder must be root's alone.
bool is_known(const std::string& folder, const DeskId& id, const std::string& print);
/// Writes it down; a failure costs a check and is not reported. An empty print forgets the desk.
void remember(const std::string& folder, const DeskId& id, const std::string& print);

} // namespace baton::player
