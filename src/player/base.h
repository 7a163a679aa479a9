#pragma once

#include "model/error.h"

#include <string>
#include <string_view>
#include <vector>

/// What a desk is laid over (desk.md): the PC's system, by what is installed on it.
namespace baton::player {

/// "pc-debian-12-1f0a33c09b3e" from ID and VERSION_ID of os-release and the list of what is
/// installed. Pure. Characters that a folder's name should not have are left out.
std::string base_name(std::string_view os_release, std::string_view installed);

/// base_name of the system under the folder `root` (a descriptor), of its os-release and its
/// package database (dpkg, rpm, pacman, apk; without one of them the names in /usr/bin).
Result<std::string> base_of(int root);

/// What of other bases stays behind in a desk that is laid over `base` for the first time: a note
/// for each, with the packages that were installed there and are not in `status` (the base's dpkg
/// status file). `desk`: the folder of the desk. What it says was written by anybody: bounded,
/// printable.
std::vector<std::string> left_behind(int desk, const std::string& base, std::string_view status);

/// The packages in `mine` (a dpkg status file) that are installed and are not in `theirs`. Pure.
std::vector<std::string> packages_only_in(std::string_view mine, std::string_view theirs);

} // namespace baton::player
