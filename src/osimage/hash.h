#pragma once

#include "model/error.h"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace baton::osimage {

/// Bytes done so far of a file.
using Hashed = std::function<void(std::int64_t bytes)>;

/// SHA-256 as lower-case hex.
std::string sha256_text(std::string_view text);
/// Of an open file, from its beginning; its position is not used.
Result<std::string> sha256_file(int fd, const std::string& path, const Hashed& hashed = {});
Result<std::string> sha256_file(const std::string& path, const Hashed& hashed = {});

} // namespace baton::osimage
