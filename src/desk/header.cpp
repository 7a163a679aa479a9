#include "desk/header.h"

#include <boost/crc.hpp>

#include <algorithm>
#include <cstring>

namespace baton::desk {

namespace {

constexpr std::array<std::uint8_t, 8> magic{'B', 'A', 'T', 'O', 'N', 'D', 'S', 'K'};
constexpr std::size_t name_bytes = 64;

/// Where each field lies in a slot: docs/formats/desk-image.md.
namespace at {
constexpr std::size_t magic = 0;
constexpr std::size_t version = 8;
constexpr std::size_t length = 12;
constexpr std::size_t sequence = 16;
constexpr std::size_t id = 24;
constexpr std::size_t data_offset = 40;
constexpr std::size_t size = 48;
constexpr std::size_t file_system = 56;
constexpr std::size_t state = 60;
constexpr std::size_t created = 64;
constexpr std::size_t generation = 72;
constexpr std::size_t largest_fence = 80;
constexpr std::size_t lease_kind = 88;
constexpr std::size_t lease_fence = 96;
constexpr std::size_t lease_since = 104;
constexpr std::size_t lease_holder = 112;
constexpr std::size_t out = 176;
constexpr std::size_t out_since = 184;
constexpr std::size_t out_generation = 192;
constexpr std::size_t out_to = 200;
constexpr std::size_t owner = 264;
constexpr std::size_t journey = 328;
constexpr std::size_t reserved = 344;
constexpr std::size_t checksum = slot_bytes - 4;
} // namespace at

template <class T>
void put(Slot& slot, std::size_t offset, T value) {
    for (std::size_t i = 0; i < sizeof(T); ++i)
        slot[offset + i] = static_cast<std::uint8_t>(static_cast<std::uint64_t>(value) >> (8 * i));
}

template <class T>
T get(std::span<const std::uint8_t> slot, std::size_t offset) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i)
        value |= static_cast<std::uint64_t>(slot[offset + i]) << (8 * i);
    return static_cast<T>(value);
}

void put_time(Slot& slot, std::size_t offset, WallTime time) {
    put(slot, offset, static_cast<std::int64_t>(time.time_since_epoch().count()));
}

WallTime get_time(std::span<const std::uint8_t> slot, std::size_t offset) {
    return WallTime(std::chrono::milliseconds(get<std::int64_t>(slot, offset)));
}

void put_name(Slot& slot, std::size_t offset, std::string_view name) {
    std::copy(name.begin(), name.end(), slot.begin() + static_cast<std::ptrdiff_t>(offset));
}

/// None: not a name followed by nothing but zeros.
std::optional<std::string> get_name(std::span<const std::uint8_t> slot, std::size_t offset) {
    const auto field = slot.subspan(offset, name_bytes);
    const auto end = std::find(field.begin(), field.end(), 0);
    if (end == field.end() || std::any_of(end, field.end(), [](auto byte) { return byte != 0; }))
        return std::nullopt;
    std::string name(field.begin(), end);
    if (!name.empty() && !check_name("name", name))
        return std::nullopt;
    return name;
}

bool all_zero(std::span<const std::uint8_t> bytes) {
    return std::all_of(bytes.begin(), bytes.end(), [](auto byte) { return byte == 0; });
}

std::optional<std::array<std::uint8_t, 16>> bytes_of(std::string_view uuid) {
    if (!valid_desk_id(uuid))
        return std::nullopt;
    std::array<std::uint8_t, 16> bytes{};
    std::size_t digit = 0;
    for (const char c : uuid) {
        if (c == '-')
            continue;
        const auto value = static_cast<std::uint8_t>(c <= '9' ? c - '0' : c - 'a' + 10);
        bytes[digit / 2] = static_cast<std::uint8_t>(bytes[digit / 2] << 4 | value);
        ++digit;
    }
    return bytes;
}

DeskId text_of(std::span<const std::uint8_t> bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (std::size_t i = 0; i < 16; ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            text += '-';
        text += digits[bytes[i] >> 4];
        text += digits[bytes[i] & 15];
    }
    return DeskId(text);
}

/// Whether the header says nothing that cannot be; the same for what we write and what we read.
Result<void> check_sense(const Header& header) {
    BATON_TRY(check_size(header.size_bytes));
    if (!valid_desk_id(header.id.value))
        return fail(Errc::invalid_argument, "its desk id is not a UUID in lower case");
    if (!header.owner.empty())
        BATON_TRY(check_name("owner", header.owner));
    if (header.file_system != FileSystem::ext4)
        return fail(Errc::unsupported, "its file system kind is unknown to this version");
    if (header.state != State::ready && header.state != State::damaged)
        return fail(Errc::invalid_argument, "its state is none of those there are");
    const Lease& lease = header.lease;
    if (lease.kind == HolderKind::none && lease != Lease{})
        return fail(Errc::invalid_argument, "its lease names a holder and yet nobody holds it");
    if (lease.kind != HolderKind::none) {
        BATON_TRY(check_name("lease holder", lease.holder));
        if (lease.kind != HolderKind::host && lease.kind != HolderKind::player)
            return fail(Errc::invalid_argument, "its lease's holder is of no known kind");
    }
    if (lease.fence > header.largest_fence)
        return fail(Errc::invalid_argument, "its lease's number is larger than the largest given");
    if (header.checked_out)
        BATON_TRY(check_name("check-out place", header.checked_out->to));
    if (!header.journey.empty() && !valid_desk_id(header.journey))
        return fail(Errc::invalid_argument, "its check-out's id is not a UUID in lower case");
    return {};
}

/// What one slot turned out to be.
struct Reading {
    enum Kind { blank, damaged, newer, valid } kind = damaged;

    std::string why;
    Header header;
    std::uint64_t sequence = 0;
};

Reading damaged(std::string why) {
    return Reading{Reading::damaged, std::move(why), {}, 0};
}

Result<Header> fields_of(std::span<const std::uint8_t> slot) {
    const auto broken = [](const char* what) {
        return fail(Errc::corrupt, std::string(what) + " is not as the format has it");
    };
    Header header;
    header.id = text_of(slot.subspan(at::id, 16));
    header.size_bytes = get<std::int64_t>(slot, at::size);
    header.file_system = static_cast<FileSystem>(get<std::uint32_t>(slot, at::file_system));
    header.state = static_cast<State>(get<std::uint32_t>(slot, at::state));
    header.created = get_time(slot, at::created);
    header.generation = get<std::uint64_t>(slot, at::generation);
    header.largest_fence = FencingNumber{get<std::uint64_t>(slot, at::largest_fence)};
    const auto owner = get_name(slot, at::owner);
    const auto holder = get_name(slot, at::lease_holder);
    const auto to = get_name(slot, at::out_to);
    if (!owner || !holder || !to)
        return broken("a name");
    header.owner = *owner;
    header.lease.kind = static_cast<HolderKind>(get<std::uint32_t>(slot, at::lease_kind));
    header.lease.holder = *holder;
    header.lease.fence = FencingNumber{get<std::uint64_t>(slot, at::lease_fence)};
    header.lease.since = get_time(slot, at::lease_since);
    const auto out = get<std::uint32_t>(slot, at::out);
    if (out > 1)
        return broken("the check-out mark");
    if (out == 1)
        header.checked_out = CheckOut{*to, get_time(slot, at::out_since),
                                      get<std::uint64_t>(slot, at::out_generation)};
    if (const auto journey = slot.subspan(at::journey, 16); !all_zero(journey))
        header.journey = text_of(journey).value;
    if (get<std::int64_t>(slot, at::data_offset) != data_offset)
        return broken("the place of the file system");
    if (!all_zero(slot.subspan(at::reserved, at::checksum - at::reserved)))
        return broken("the reserved part");
    return header;
}

Reading read_slot(std::span<const std::uint8_t> slot) {
    if (slot.size() < slot_bytes)
        return damaged("it is cut short");
    slot = slot.first(slot_bytes);
    if (all_zero(slot))
        return Reading{Reading::blank, "it was never written", {}, 0};
    if (!std::equal(magic.begin(), magic.end(), slot.begin()))
        return damaged("it does not begin with the mark of a desk");
    // the checksum and the two fields before it stand at the same place in every version
    if (get<std::uint32_t>(slot, at::length) != slot_bytes ||
        get<std::uint32_t>(slot, at::checksum) != crc32c(slot.first(at::checksum)))
        return damaged("its checksum does not match");
    const auto version = get<std::uint32_t>(slot, at::version);
    if (version != format_version)
        return Reading{version > format_version ? Reading::newer : Reading::damaged,
                       "it is of format version " + std::to_string(version),
                       {},
                       get<std::uint64_t>(slot, at::sequence)};
    auto header = fields_of(slot);
    if (!header)
        return damaged(header.error().what);
    if (const auto sense = check_sense(*header); !sense)
        return damaged(sense.error().what);
    return Reading{Reading::valid, {}, std::move(*header), get<std::uint64_t>(slot, at::sequence)};
}

bool same_desk(const Header& a, const Header& b) {
    return a.id == b.id && a.size_bytes == b.size_bytes && a.file_system == b.file_system;
}

tl::unexpected<Error> contradiction(const std::string& how) {
    return fail(Errc::corrupt, "its header's two copies contradict each other: " + how,
                "take the desk from a backup");
}

} // namespace

std::string_view to_string(State state) {
    return state == State::damaged ? "damaged" : "ready";
}

std::string_view to_string(FileSystem) {
    return "ext4";
}

std::string_view to_string(HolderKind kind) {
    switch (kind) {
    case HolderKind::host:
        return "host";
    case HolderKind::player:
        return "player";
    case HolderKind::none:
        break;
    }
    return "none";
}

Result<void> check_size(std::int64_t size_bytes) {
    const std::string between = "choose a whole number of MiB from " +
                                baton::to_string(smallest_size) + " to " +
                                baton::to_string(largest_size);
    if (size_bytes % Mebibytes(1).bytes() != 0)
        return fail(Errc::invalid_argument,
                    "a desk cannot have " + std::to_string(size_bytes) + " bytes", between);
    const Mebibytes size(size_bytes / Mebibytes(1).bytes());
    if (size < smallest_size || size > largest_size)
        return fail(Errc::invalid_argument,
                    "a desk cannot have the size of " + std::to_string(size.count) + " MiB",
                    between);
    return {};
}

bool valid_desk_id(std::string_view text) {
    if (text.size() != 36)
        return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? c != '-' : !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
    }
    return true;
}

DeskId desk_id_from(std::array<std::uint8_t, 16> random) {
    random[6] = static_cast<std::uint8_t>((random[6] & 0x0f) | 0x40);
    random[8] = static_cast<std::uint8_t>((random[8] & 0x3f) | 0x80);
    return text_of(random);
}

std::uint32_t crc32c(std::span<const std::uint8_t> bytes) {
    boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> crc;
    crc.process_bytes(bytes.data(), bytes.size());
    return crc.checksum();
}

Result<Slot> encode_slot(const Header& header, std::uint64_t sequence) {
    BATON_TRY(check_sense(header));
    Slot slot{};
    std::copy(magic.begin(), magic.end(), slot.begin() + at::magic);
    put(slot, at::version, format_version);
    put(slot, at::length, static_cast<std::uint32_t>(slot_bytes));
    put(slot, at::sequence, sequence);
    const auto id = *bytes_of(header.id.value);
    std::copy(id.begin(), id.end(), slot.begin() + at::id);
    put(slot, at::data_offset, data_offset);
    put(slot, at::size, header.size_bytes);
    put(slot, at::file_system, static_cast<std::uint32_t>(header.file_system));
    put(slot, at::state, static_cast<std::uint32_t>(header.state));
    put_time(slot, at::created, header.created);
    put(slot, at::generation, header.generation);
    put(slot, at::largest_fence, header.largest_fence.value);
    put(slot, at::lease_kind, static_cast<std::uint32_t>(header.lease.kind));
    put(slot, at::lease_fence, header.lease.fence.value);
    put_time(slot, at::lease_since, header.lease.since);
    put_name(slot, at::lease_holder, header.lease.holder);
    if (header.checked_out) {
        put(slot, at::out, std::uint32_t{1});
        put_time(slot, at::out_since, header.checked_out->since);
        put(slot, at::out_generation, header.checked_out->generation);
        put_name(slot, at::out_to, header.checked_out->to);
    }
    put_name(slot, at::owner, header.owner);
    if (!header.journey.empty()) {
        const auto journey = *bytes_of(header.journey);
        std::copy(journey.begin(), journey.end(), slot.begin() + at::journey);
    }
    put(slot, at::checksum, crc32c(std::span(slot).first(at::checksum)));
    return slot;
}

Result<ParsedHeader> parse_header(std::span<const std::uint8_t> first,
                                  std::span<const std::uint8_t> second) {
    const std::array<Reading, 2> read{read_slot(first), read_slot(second)};
    for (const auto& one : read)
        if (one.kind == Reading::newer)
            return fail(Errc::unsupported, "its header cannot be read here: " + one.why,
                        "it was written by a newer Baton; use that one");
    if (read[0].kind != Reading::valid && read[1].kind != Reading::valid)
        return fail(Errc::corrupt,
                    "its header is destroyed, or it is no desk image (first copy: " + read[0].why +
                        "; second copy: " + read[1].why + ")",
                    "take the desk from a backup");
    if (read[0].kind == Reading::valid && read[1].kind == Reading::valid) {
        if (!same_desk(read[0].header, read[1].header))
            return contradiction("they are of different desks");
        if (read[0].sequence == read[1].sequence && read[0].header != read[1].header)
            return contradiction("they are of the same age and differ");
    }
    const bool take_second =
        read[1].kind == Reading::valid &&
        (read[0].kind != Reading::valid || read[1].sequence > read[0].sequence);
    const std::size_t slot = take_second ? 1 : 0;
    const Reading& other = read[1 - slot];
    ParsedHeader parsed{read[slot].header, read[slot].sequence, slot, {}};
    const std::string which = slot == 0 ? "the second" : "the first";
    if (other.kind != Reading::valid)
        parsed.warnings.push_back(which + " copy of its header is damaged: " + other.why);
    else if (other.sequence != parsed.sequence)
        parsed.warnings.push_back(which + " copy of its header is behind: a change was cut short");
    return parsed;
}

Result<std::array<SlotWrite, 2>> plan_change(const std::optional<ParsedHeader>& before,
                                             const Header& header) {
    if (before && !same_desk(before->header, header))
        return fail(Errc::internal, "a header cannot be replaced by that of another desk");
    if (before && header.largest_fence < before->header.largest_fence)
        return fail(Errc::internal, "a fencing number never goes back");
    auto slot = encode_slot(header, before ? before->sequence + 1 : 1);
    if (!slot)
        return tl::unexpected(slot.error());
    const std::size_t target = before ? 1 - before->slot : 0;
    return std::array{SlotWrite{slot_offsets[target], *slot},
                      SlotWrite{slot_offsets[1 - target], *slot}};
}

} // namespace baton::desk
