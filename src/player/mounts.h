#pragma once

#include "model/error.h"
#include "process/child.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <utility>
#include <vector>

/// The mount calls of Linux 5.2 and later (fsopen(2), open_tree(2), mount_setattr(2)), with errors
/// that name the thing. A mount here is a descriptor until it is attached: what nobody attaches is
/// gone with its last descriptor, also after kill -9.
namespace baton::player {

using process::Descriptor;

/// A file system's option; an empty value is a flag.
using MountOption = std::pair<std::string, std::string>;

/// A new mount of `type`, attached nowhere. `attributes`: MOUNT_ATTR_*. `what` names it in errors:
/// "the memory file system of /tmp". The kernel's own words are part of the error.
Result<Descriptor> make_mount(const char* type, const std::vector<MountOption>& options,
                              std::uint64_t attributes, std::string_view what);

/// A copy of the mount that shows `path` (relative to the folder `at`), with that path as its root
/// and without the mounts below it. An empty path: `at` itself.
Result<Descriptor> copy_of_mount(int at, const std::string& path);

/// Shows the owners of a mount that is attached nowhere through the map of a user namespace: what
/// is owned by 0 there is owned by the namespace's root. Errc::unsupported: this kind of file
/// system cannot.
Result<void> map_owners(const Descriptor& mount, int user_namespace, const std::string& what);

Result<void> set_attributes(const Descriptor& mount, std::uint64_t attributes,
                            const std::string& what);

/// Puts the mount over the folder or file `path`, relative to the folder `at`; no symbolic link is
/// followed on the way there.
Result<void> attach(const Descriptor& mount, int at, const std::string& path);

/// Opens a folder below `at` without ever following a symbolic link or leaving it: for paths in a
/// desk, whose content anybody may have written. Errc::corrupt names `what` when it is something
/// else than a folder.
Result<Descriptor> open_folder_beneath(int at, const std::string& path, const std::string& what);

/// The same, and the missing ones are made (mode 0755).
Result<Descriptor> make_folder_beneath(int at, const std::string& path, const std::string& what);

/// Reads all of a small file below `at` (of 64 MiB at most); nullopt when there is none or it is no
/// plain file.
std::optional<std::string> contents_of(int at, const std::string& path);

/// Whether somebody with this user id, in a user namespace with this map (/proc/self/uid_map), may
/// open `desk` with the kernel: root of the PC alone. Errc::forbidden says what takes it, who can
/// allow it, and what goes without. Pure.
Result<void> check_root(uid_t user, const std::string& uid_map, const std::string& desk);

/// Whether this kernel has all of these calls and may make them here; else Errc::unsupported says
/// what is missing and how to allow it.
Result<void> check_kernel();

} // namespace baton::player
