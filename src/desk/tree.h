#pragma once

#include "desk/image.h"
#include "model/error.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// What is in a desk, read without a mount: by baton-desk-reader in the sandbox.
namespace baton::desk {

/// A file, folder or link that was written over a base.
struct LayerEntry {
    std::string layer; ///< "cow/<base>/usr", "cow/<base>/var/over/lib-dpkg"
    std::string path;  ///< below it, "bin/tool"
    std::string kind;  ///< "file", "folder", "link", "gone" (removed from the base), "other"
    std::int64_t size_bytes = 0;
    bool copied = false; ///< began as a copy of the base's
    bool covers = false; ///< a folder that hides the base's of its name
    bool operator==(const LayerEntry&) const = default;
};

/// What is in a folder that is the desk's alone, added up.
struct FolderSum {
    std::string folder; ///< "fwd/home", "cow/<base>/var/tree"
    std::int64_t files = 0;
    std::int64_t size_bytes = 0;
    bool operator==(const FolderSum&) const = default;
};

struct Tree {
    std::vector<LayerEntry> entries; ///< by layer, folders before what is in them
    std::vector<FolderSum> sums;
    bool operator==(const Tree&) const = default;
};

/// The lines that baton-desk-reader writes. Pure. Errc::corrupt.
Result<Tree> parse_tree(std::string_view lines);

/// `reader`: the program's path (find_reader). The image must be open with Access::read or more. A
/// journal that was not replayed is not looked at: Superblock::needs_recovery. Errc::corrupt,
/// Errc::timeout, Errc::refused (too many names).
Result<Tree> read_tree(const Image& image, const std::string& reader);

/// baton-desk-reader beside the running program, or in PATH. Errc::not_found.
Result<std::string> find_reader();

} // namespace baton::desk
