#pragma once

#include "model/error.h"

#include <cstdint>
#include <functional>
#include <string>

/// Walks the file system of a desk without a mount, by libext2fs: for the program that runs in the
/// sandbox of desk/sandbox.h, because whatever a guest wrote there may be made to attack its
/// reader.
namespace baton::deskreader {

/// A file, folder or link in a layer that an overlay wrote over a base.
struct Entry {
    std::string layer; ///< "cow/<base>/usr"
    std::string path;  ///< below it, "bin/tool"; bytes that no terminal should see are '?'
    std::string kind;  ///< "file", "folder", "link", "gone" (removed from the base), "other"
    std::int64_t size_bytes = 0; ///< of a file
    bool copied = false;         ///< it began as a copy of the base's
    bool covers = false;         ///< a folder that hides the base's of its name
};

/// What is in a folder that is the desk's alone.
struct Sum {
    std::string folder; ///< "fwd/home", "cow/<base>/var/tree"
    std::int64_t files = 0;
    std::int64_t size_bytes = 0; ///< a file with several names counts once
};

struct Sink {
    std::function<void(const Entry&)> entry;
    std::function<void(const Sum&)> sum;
};

/// Reads the file system that begins at `offset_bytes` of `image`. Entries of one layer come
/// together, folders before what is in them. Errc::corrupt with what libext2fs said; Errc::refused:
/// more than `most_entries` names.
Result<void> walk(const std::string& image, std::int64_t offset_bytes, std::int64_t most_entries,
                  const Sink& sink);

} // namespace baton::deskreader
