#include "desk/superblock.h"

#include "desk/header.h"

#include <algorithm>

namespace baton::desk {

namespace {

/// The fields of struct ext4_super_block that are needed here (Linux: Documentation, ext4, "Super
/// Block"); the superblock begins 1024 bytes into the file system.
constexpr std::size_t begin = 1024;
constexpr std::size_t length = 1024;
constexpr std::size_t blocks_low = 0x4;
constexpr std::size_t free_low = 0xc;
constexpr std::size_t log_block_size = 0x18;
constexpr std::size_t magic_at = 0x38;
constexpr std::size_t state = 0x3a;
constexpr std::size_t incompatible = 0x60;
constexpr std::size_t read_only_compatible = 0x64;
constexpr std::size_t uuid = 0x68;
constexpr std::size_t blocks_high = 0x150;
constexpr std::size_t free_high = 0x158;
constexpr std::size_t checksum = 0x3fc;

constexpr std::uint32_t feature_recover = 0x4;
constexpr std::uint32_t feature_64bit = 0x80;
constexpr std::uint32_t feature_metadata_checksum = 0x400;
constexpr std::uint32_t state_clean = 1;
constexpr std::uint32_t state_errors = 2;

std::uint64_t little(std::span<const std::uint8_t> bytes, std::size_t offset, std::size_t count) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < count; ++i)
        value |= static_cast<std::uint64_t>(bytes[offset + i]) << (8 * i);
    return value;
}

} // namespace

Result<Superblock> read_superblock(std::span<const std::uint8_t> bytes, std::int64_t limit_bytes) {
    const std::string hint = "look at it with: baton desk check";
    if (bytes.size() < begin + length)
        return fail(Errc::corrupt, "its file system is cut short", hint);
    const auto block = bytes.subspan(begin, length);
    if (little(block, magic_at, 2) != 0xef53)
        return fail(Errc::corrupt, "its file system is no ext4, or its superblock is destroyed",
                    hint);
    const auto compatible = little(block, read_only_compatible, 4);
    // ext4's checksum is CRC-32C without the final inversion
    if ((compatible & feature_metadata_checksum) != 0 &&
        little(block, checksum, 4) != (~crc32c(block.first(checksum)) & 0xffffffffU))
        return fail(Errc::corrupt, "the checksum of its file system's superblock does not match",
                    hint);
    const auto log = little(block, log_block_size, 4);
    if (log > 6)
        return fail(Errc::corrupt, "its file system has an impossible block size", hint);
    const bool wide = (little(block, incompatible, 4) & feature_64bit) != 0;
    const auto blocks =
        little(block, blocks_low, 4) | (wide ? little(block, blocks_high, 4) << 32 : 0);
    const auto free = little(block, free_low, 4) | (wide ? little(block, free_high, 4) << 32 : 0);
    const auto limit = static_cast<std::uint64_t>(limit_bytes) >> (10 + log);
    if (blocks == 0 || blocks > limit || free > blocks)
        return fail(Errc::corrupt, "its file system claims to be larger than the desk", hint);
    Superblock result;
    result.size_bytes = static_cast<std::int64_t>(blocks << (10 + log));
    result.free_bytes = static_cast<std::int64_t>(free << (10 + log));
    result.needs_recovery = (little(block, incompatible, 4) & feature_recover) != 0;
    result.clean = (little(block, state, 2) & state_clean) != 0;
    result.has_errors = (little(block, state, 2) & state_errors) != 0;
    const auto id = block.subspan(uuid, result.uuid.size());
    std::copy(id.begin(), id.end(), result.uuid.begin());
    return result;
}

} // namespace baton::desk
