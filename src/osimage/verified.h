#pragma once

#include "model/error.h"
#include "osimage/manifest.h"

#include <string>

namespace baton::osimage {

/// What "untouched since it was verified" means: one line per file with its device, inode, size,
/// change and modification times. Fails when a file is missing, is no plain file, may be written
/// (mode is not 0444) or has another size than the manifest says; these are found without reading.
Result<std::string> fingerprint(const std::string& folder, const Manifest& manifest);

/// Whether `record` (a file of the library) says that exactly this was verified since this boot.
bool was_verified(const std::string& record, const std::string& print);
/// Writes that down. A failure costs a second hashing, nothing else: it is not reported.
void remember_verified(const std::string& record, const std::string& print);

} // namespace baton::osimage
