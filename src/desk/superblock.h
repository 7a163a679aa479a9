#pragma once

#include "model/error.h"

#include <array>
#include <cstdint>
#include <span>

namespace baton::desk {

/// How many bytes, from the beginning of the file system, read_superblock looks at.
inline constexpr std::size_t superblock_span = 2048;

/// What the ext4 superblock says of its file system. Written by guests: claims, until e2fsck has
/// looked.
struct Superblock {
    std::int64_t size_bytes = 0;
    std::int64_t free_bytes = 0;
    bool clean = false;          ///< was let go of in order
    bool needs_recovery = false; ///< its journal is to be replayed at the next mount
    bool has_errors = false;     ///< a kernel or e2fsck met an error and marked it
    std::array<std::uint8_t, 16> uuid{};
};

/// Reads an ext4 superblock out of the first superblock_span bytes of the file system. Pure.
/// Errc::corrupt: no ext4, an impossible geometry, a wrong checksum, or larger than
/// `limit_bytes`. A cheap look before a desk is exported; it does not replace e2fsck.
Result<Superblock> read_superblock(std::span<const std::uint8_t> bytes, std::int64_t limit_bytes);

} // namespace baton::desk
