#include "desk/header.h"
#include "desk/superblock.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <vector>

namespace baton::desk {
namespace {

using Bytes = std::vector<std::uint8_t>;

Header sample() {
    Header header;
    header.id = DeskId("0c5d1b42-d2f3-4f0c-ba83-83cf4eb5251e");
    header.owner = "kim";
    header.created = WallTime(std::chrono::milliseconds(1'795'168'334'123));
    header.size_bytes = default_size.bytes();
    header.generation = 7;
    header.largest_fence = FencingNumber{12};
    header.lease = {HolderKind::host, "host1", FencingNumber{12},
                    WallTime(std::chrono::milliseconds(1'795'168'400'000))};
    return header;
}

/// The first MiB of a file.
Bytes file_with(const std::vector<SlotWrite>& writes, Bytes file = Bytes(data_offset)) {
    for (const auto& write : writes)
        std::copy(write.bytes.begin(), write.bytes.end(), file.begin() + write.offset);
    return file;
}

Result<ParsedHeader> parse(const Bytes& file) {
    return parse_header(std::span(file).subspan(slot_offsets[0], slot_bytes),
                        std::span(file).subspan(slot_offsets[1], slot_bytes));
}

Bytes new_file(const Header& header) {
    const auto writes = plan_change(std::nullopt, header).value();
    return file_with({writes.begin(), writes.end()});
}

rc::Gen<std::string> any_name() {
    return rc::gen::map(rc::gen::nonEmpty(rc::gen::container<std::string>(rc::gen::elementOf(
                            std::string("abcdefghijklmnopqrstuvwxyz0123456789")))),
                        [](std::string name) { return name.substr(0, 63); });
}

rc::Gen<Header> any_header() {
    return rc::gen::exec([] {
        Header header;
        header.id = desk_id_from(*rc::gen::arbitrary<std::array<std::uint8_t, 16>>());
        header.owner = *any_name();
        header.created = WallTime(std::chrono::milliseconds(*rc::gen::arbitrary<std::int64_t>()));
        header.size_bytes =
            Mebibytes(*rc::gen::inRange(smallest_size.count, largest_size.count + 1)).bytes();
        header.state = *rc::gen::element(State::ready, State::damaged);
        header.generation = *rc::gen::arbitrary<std::uint64_t>();
        const auto fence = *rc::gen::inRange<std::uint64_t>(0, 1'000'000);
        header.largest_fence = FencingNumber{fence + *rc::gen::inRange<std::uint64_t>(0, 3)};
        if (*rc::gen::arbitrary<bool>())
            header.journey =
                desk_id_from(*rc::gen::arbitrary<std::array<std::uint8_t, 16>>()).value;
        if (*rc::gen::arbitrary<bool>())
            header.lease = {
                *rc::gen::element(HolderKind::host, HolderKind::player), *any_name(),
                FencingNumber{fence},
                WallTime(std::chrono::milliseconds(*rc::gen::arbitrary<std::int64_t>()))};
        if (*rc::gen::arbitrary<bool>())
            header.checked_out =
                CheckOut{*any_name(),
                         WallTime(std::chrono::milliseconds(*rc::gen::arbitrary<std::int64_t>())),
                         *rc::gen::arbitrary<std::uint64_t>()};
        return header;
    });
}

/// What a desk goes through: the same desk, other state.
Header next_of(Header header) {
    header.generation += 1;
    header.largest_fence = header.largest_fence.next();
    header.lease = {HolderKind::host, *any_name(), header.largest_fence, header.created};
    return header;
}

TEST(DeskHeader, TheLayoutIsTheOneOfTheDocument) {
    const auto slot = encode_slot(sample(), 3).value();
    const auto text = [&](std::size_t offset, std::size_t length) {
        return std::string(slot.begin() + static_cast<std::ptrdiff_t>(offset),
                           slot.begin() + static_cast<std::ptrdiff_t>(offset + length));
    };
    EXPECT_EQ(text(0, 8), "BATONDSK");
    EXPECT_EQ(slot[8], 1);     // format version
    EXPECT_EQ(slot[13], 0x10); // 4096
    EXPECT_EQ(slot[16], 3);    // sequence
    EXPECT_EQ(slot[24], 0x0c); // UUID
    EXPECT_EQ(slot[39], 0x1e);
    EXPECT_EQ(slot[42], 0x10); // 1 MiB
    EXPECT_EQ(slot[52], 0x08); // 32 GiB
    EXPECT_EQ(slot[56], 1);    // ext4
    EXPECT_EQ(slot[60], 1);    // ready
    EXPECT_EQ(slot[72], 7);    // generation
    EXPECT_EQ(slot[80], 12);   // largest fencing number
    EXPECT_EQ(slot[88], 1);    // held by a host
    EXPECT_EQ(slot[96], 12);
    EXPECT_EQ(text(112, 6), std::string("host1\0", 6));
    EXPECT_EQ(slot[176], 0); // not checked out
    EXPECT_EQ(text(264, 4), std::string("kim\0", 4));
}

TEST(DeskHeader, ChecksumIsCrc32c) {
    const std::string digits = "123456789";
    const Bytes bytes(digits.begin(), digits.end());
    EXPECT_EQ(crc32c(bytes), 0xE3069283U); // the check value of RFC 3720's polynomial
}

TEST(DeskHeader, ANewFileHasTwoEqualCopies) {
    const auto parsed = parse(new_file(sample())).value();
    EXPECT_EQ(parsed.header, sample());
    EXPECT_TRUE(parsed.warnings.empty());
}

TEST(DeskHeader, NamesWhatIsWrong) {
    const Bytes nothing(data_offset);
    const auto blank = parse(nothing);
    ASSERT_FALSE(blank);
    EXPECT_EQ(blank.error().code, Errc::corrupt);
    EXPECT_NE(blank.error().what.find("never written"), std::string::npos);

    auto newer = new_file(sample());
    for (const auto offset : slot_offsets) {
        const auto at = static_cast<std::size_t>(offset);
        newer[at + 8] = 2;
        const auto sum = crc32c(std::span(newer).subspan(at, slot_bytes - 4));
        for (std::size_t i = 0; i < 4; ++i)
            newer[at + slot_bytes - 4 + i] = static_cast<std::uint8_t>(sum >> (8 * i));
    }
    const auto unsupported = parse(newer);
    ASSERT_FALSE(unsupported);
    EXPECT_EQ(unsupported.error().code, Errc::unsupported);

    auto other = sample();
    other.id = DeskId("11111111-d2f3-4f0c-ba83-83cf4eb5251e");
    const auto mixed = file_with({{slot_offsets[0], encode_slot(sample(), 4).value()},
                                  {slot_offsets[1], encode_slot(other, 5).value()}});
    const auto contradiction = parse(mixed);
    ASSERT_FALSE(contradiction);
    EXPECT_EQ(contradiction.error().code, Errc::corrupt);

    other = sample();
    other.generation = 99;
    const auto twins = file_with({{slot_offsets[0], encode_slot(sample(), 4).value()},
                                  {slot_offsets[1], encode_slot(other, 4).value()}});
    EXPECT_FALSE(parse(twins));
}

TEST(DeskHeader, RefusesWhatTheFormatCannotHold) {
    auto header = sample();
    header.size_bytes += 1;
    EXPECT_EQ(encode_slot(header, 1).error().code, Errc::invalid_argument);
    header = sample();
    header.owner = std::string(64, 'a');
    EXPECT_FALSE(encode_slot(header, 1));
    header = sample();
    header.lease.fence = FencingNumber{13};
    EXPECT_FALSE(encode_slot(header, 1)) << "a lease beyond the largest number given";
    header = sample();
    header.lease.kind = HolderKind::none;
    EXPECT_FALSE(encode_slot(header, 1)) << "a holder of no kind";
    header = sample();
    header.id = DeskId("0C5D1B42-D2F3-4F0C-BA83-83CF4EB5251E");
    EXPECT_FALSE(encode_slot(header, 1)) << "upper case";
}

TEST(DeskHeader, AFencingNumberNeverGoesBack) {
    const auto parsed = parse(new_file(sample())).value();
    auto back = sample();
    back.largest_fence = FencingNumber{11};
    back.lease = {};
    EXPECT_FALSE(plan_change(parsed, back));
}

RC_GTEST_PROP(DeskHeaderProperty, WhatIsWrittenIsRead, ()) {
    const auto header = *any_header();
    const auto parsed = parse(new_file(header));
    RC_ASSERT(parsed.has_value());
    RC_ASSERT(parsed->header == header);
}

/// A write can be torn at any 512-byte sector: each is the old or the new one, in any mixture, and
/// within the last sector at any byte.
RC_GTEST_PROP(DeskHeaderProperty, AnyTornWriteLeavesTheOldHeaderOrTheNew, ()) {
    const auto old = *any_header();
    const auto changed = next_of(old);
    const auto before = new_file(old);
    const auto writes = plan_change(parse(before).value(), changed).value();
    const auto which = *rc::gen::inRange<std::size_t>(0, 2);
    auto file = which == 0 ? before : file_with({writes[0]}, before);
    const auto sectors = *rc::gen::arbitrary<std::array<bool, 8>>();
    const auto torn = *rc::gen::inRange<std::size_t>(0, slot_bytes);
    for (std::size_t i = 0; i < slot_bytes; ++i)
        if (sectors[i / 512] || i < torn)
            file[static_cast<std::size_t>(writes[which].offset) + i] = writes[which].bytes[i];
    const auto parsed = parse(file);
    RC_ASSERT(parsed.has_value());
    RC_ASSERT(parsed->header == old || parsed->header == changed);
    if (which == 1)
        RC_ASSERT(parsed->header == changed);
    // and the next change heals it
    const auto healed = plan_change(*parsed, next_of(changed)).value();
    const auto after = parse(file_with({healed.begin(), healed.end()}, file));
    RC_ASSERT(after.has_value() && after->warnings.empty());
}

RC_GTEST_PROP(DeskHeaderProperty, AnyBitFlipIsDetectedAndLosesNothing, ()) {
    const auto header = *any_header();
    auto file = new_file(header);
    const auto slot = *rc::gen::inRange<std::size_t>(0, 2);
    const auto byte = *rc::gen::inRange<std::size_t>(0, slot_bytes);
    const auto bit = *rc::gen::inRange<unsigned>(0, 8);
    file[static_cast<std::size_t>(slot_offsets[slot]) + byte] ^=
        static_cast<std::uint8_t>(1U << bit);
    const auto parsed = parse(file);
    RC_ASSERT(parsed.has_value());
    RC_ASSERT(parsed->header == header);
    RC_ASSERT(parsed->warnings.size() == 1U);
}

RC_GTEST_PROP(DeskHeaderProperty, DamageToBothCopiesIsNeverTakenForAHeader, ()) {
    auto file = new_file(*any_header());
    for (const auto offset : slot_offsets) {
        const auto byte = *rc::gen::inRange<std::size_t>(0, slot_bytes);
        file[static_cast<std::size_t>(offset) + byte] ^= *rc::gen::inRange<std::uint8_t>(1, 255);
    }
    const auto parsed = parse(file);
    RC_ASSERT(!parsed.has_value());
    RC_ASSERT(parsed.error().code == Errc::corrupt);
}

RC_GTEST_PROP(DeskHeaderProperty, GarbageIsRefused, (const Bytes& first, const Bytes& second)) {
    RC_ASSERT(!parse_header(first, second).has_value());
}

TEST(Superblock, RefusesWhatIsNone) {
    const Bytes nothing(superblock_span);
    EXPECT_EQ(read_superblock(nothing, default_size.bytes()).error().code, Errc::corrupt);
    EXPECT_EQ(read_superblock(std::span(nothing).first(100), default_size.bytes()).error().code,
              Errc::corrupt);
}

} // namespace
} // namespace baton::desk
