#pragma once

#include "osimage/library.h"

#include <functional>
#include <string>

namespace baton::osimage {

/// Brings one file of an image ("kernel") to `path`; goes on from that file's present size if it
/// is there (net::Client::download does). `path` is not shown to anybody before it is verified.
using Fetch = std::function<Result<void>(const std::string& file, const std::string& path)>;

/// Makes the image of `manifest` be in the library, whole and verified, and returns its files. What
/// is there already costs nothing; a fetch that was cut off goes on where it was. A file that comes
/// with another hash is fetched once more from its beginning; then Errc::corrupt names it.
/// Errc::full before anything is fetched when there is no room; Errc::conflict: another content is
/// in use under that id. Two at once for one image: the second waits, then finds it there.
/// `total` of the progress is that of all files.
Result<LocalImage> sync(Library& library, const Manifest& manifest, const Fetch& fetch,
                        const Progress& progress = {});

} // namespace baton::osimage
