#pragma once

#include "model/error.h"
#include "model/types.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// The header of a desk's image file (docs/formats/desk-image.md): bytes in, bytes out. Nothing
/// here opens a file; see image.h.
namespace baton::desk {

/// The header takes the first MiB; the file system that a guest sees begins behind it.
inline constexpr std::int64_t data_offset = 1024 * 1024;
inline constexpr std::size_t slot_bytes = 4096;
/// Two copies, far apart, each complete: written one after the other at every change.
inline constexpr std::array<std::int64_t, 2> slot_offsets{0, 512 * 1024};
inline constexpr std::uint32_t format_version = 1;

/// One virtual size for every managed desk, so that any desk fits any pre-plugged slot.
inline constexpr Mebibytes default_size = 32_GiB;
inline constexpr Mebibytes smallest_size = 64_MiB;
inline constexpr Mebibytes largest_size = Mebibytes(16 * 1024 * 1024);

enum class FileSystem : std::uint32_t { ext4 = 1 };

enum class State : std::uint32_t {
    ready = 1,
    damaged = 2, ///< a check found the file system damaged; never attached until repaired
};

enum class HolderKind : std::uint32_t { none = 0, host = 1, player = 2 };

/// Who may write now. A closed lease keeps no holder; Header::largest_fence stays.
struct Lease {
    HolderKind kind = HolderKind::none;
    std::string holder; ///< a host's or a PC's name (check_name)
    FencingNumber fence;
    WallTime since{};
    bool operator==(const Lease&) const = default;
};

/// The desk was taken away on a stick; this file is the copy that stayed.
struct CheckOut {
    std::string to; ///< where to, a name (check_name)
    WallTime since{};
    std::uint64_t generation = 0; ///< of this file at that moment
    bool operator==(const CheckOut&) const = default;
};

struct Header {
    DeskId id;         ///< UUID, lower case: "0c5d1b42-d2f3-4f0c-ba83-83cf4eb5251e"
    std::string owner; ///< the person's login name
    WallTime created{};
    std::int64_t size_bytes = 0; ///< of the file system that a guest sees; a whole number of MiB
    FileSystem file_system = FileSystem::ext4;
    State state = State::ready;
    /// Counts the leases under which this content may have changed. Two copies of a desk that grew
    /// apart have one number and other content, or other numbers.
    std::uint64_t generation = 0;
    FencingNumber largest_fence; ///< ever given out; never goes back
    Lease lease;
    std::optional<CheckOut> checked_out;
    /// The check-out that this file took part in: a random UUID, the same in the copy that stayed
    /// and in the one that went, by which the right one is known when it comes back. Empty: none.
    std::string journey;
    bool operator==(const Header&) const = default;
};

/// What is in a header, and how well it is preserved.
struct ParsedHeader {
    Header header;
    std::uint64_t sequence = 0;
    std::size_t slot = 0;              ///< the one it was read from
    std::vector<std::string> warnings; ///< the other copy is damaged or behind; for a person
};

/// "ready", "damaged"; "ext4"; "none", "host", "player".
std::string_view to_string(State state);
std::string_view to_string(FileSystem kind);
std::string_view to_string(HolderKind kind);

/// Errc::invalid_argument with the reason: not whole MiB, too small, too large.
Result<void> check_size(std::int64_t size_bytes);
/// A UUID in lower case, as DeskId wants it.
bool valid_desk_id(std::string_view text);
/// The text form of 16 random bytes, with the version and variant bits of a random UUID set.
DeskId desk_id_from(std::array<std::uint8_t, 16> random);

/// CRC-32C (Castagnoli, reflected), as in iSCSI and ext4. `seed` is what went before.
std::uint32_t crc32c(std::span<const std::uint8_t> bytes);

using Slot = std::array<std::uint8_t, slot_bytes>;

/// One complete copy. Errc::invalid_argument: the header has names or sizes that the format cannot
/// hold.
Result<Slot> encode_slot(const Header& header, std::uint64_t sequence);

/// Reads the two slots (each slot_bytes; shorter is a damaged one): the newest valid one wins.
/// Errc::corrupt: neither is valid, or the two contradict each other; Errc::unsupported: written
/// by a newer Baton. Messages speak of "its header": put the file's name in front.
Result<ParsedHeader> parse_header(std::span<const std::uint8_t> first,
                                  std::span<const std::uint8_t> second);

/// One of the two writes of a change.
struct SlotWrite {
    std::int64_t offset = 0;
    Slot bytes{};
};

/// How to go from `before` (none: a new file) to `header`: two writes, to be done in this order,
/// each durable before the next begins. Cut anywhere, the file has the old header or the new one;
/// after the second write both copies hold the new one, so that later damage to one loses nothing.
Result<std::array<SlotWrite, 2>> plan_change(const std::optional<ParsedHeader>& before,
                                             const Header& header);

} // namespace baton::desk
