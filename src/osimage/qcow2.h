#pragma once

#include "model/error.h"

#include <cstdint>
#include <string>
#include <string_view>

/// What must be known of a qcow2 file before any program is let near it. Pure: bytes in, values
/// out. Layout: QEMU's docs/interop/qcow2.txt.
namespace baton::osimage {

struct Qcow2Header {
    std::uint32_t version = 0;
    std::uint64_t virtual_size_bytes = 0;
    bool has_backing_file = false;
    bool has_external_data = false; ///< its contents are in another file
    bool encrypted = false;
    bool dirty = false;          ///< was not closed properly
    bool marked_corrupt = false; ///< QEMU itself has found it damaged
};

/// How much of a file's beginning the header needs.
inline constexpr std::size_t qcow2_header_size = 104;

/// Errc::corrupt: too short, not qcow2, or of a version or cluster size that does not exist.
Result<Qcow2Header> read_qcow2_header(std::string_view bytes);

/// Whether an image may become an OS image: whole in itself, plain, of a sane size.
/// Errc::unsupported with what to do about it.
Result<void> check_self_contained(const Qcow2Header& header, const std::string& path);

} // namespace baton::osimage
