#pragma once

#include "desk/header.h"
#include "desk/image.h"
#include "model/error.h"

#include <cstdint>
#include <string>

/// Copies of a desk that travel: as another image file, or packed (docs/formats/desk-pack.md): one
/// zstd stream of the header and of what is not zero, closed by a hash. Every one comes into being
/// all at once, verified, or not at all. The image that is read must not be in use (Errc::busy).
namespace baton::desk {

struct Copied {
    Header header;                 ///< of the copy: its lease is free
    std::int64_t copied_bytes = 0; ///< that were not zero
    std::string content_sha256;    ///< see content_hash
};

/// SHA-256, lower-case hex, over the file system's content: its size, then offset and bytes of each
/// 64 KiB that are not all zero. The same for every copy, sparse or not. Errc::busy.
Result<std::string> content_hash(const std::string& image);

/// A new image file, sparse; read back and compared before it is named. Errc::already_exists,
/// Errc::full.
Result<Copied> copy_image(const std::string& image, const std::string& to);

/// A new packed file.
Result<Copied> pack(const std::string& image, const std::string& to);
/// The same of an image that is held already.
Result<Copied> pack(const Image& image, const std::string& to);

/// What a packed file says of itself, before it is unpacked: bounded, whatever follows.
Result<Header> packed_header(const std::string& packed);

/// A new image file from a packed one. Errc::corrupt: cut short, changed, or not a packed desk; the
/// message names it.
Result<Copied> unpack(const std::string& packed, const std::string& to);

/// Whether the file begins as a packed one does (a zstd frame).
bool looks_packed(const std::string& path);

} // namespace baton::desk
