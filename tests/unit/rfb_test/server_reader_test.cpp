#include "rfb/limits.h"
#include "rfb/server_reader.h"
#include "support/rfb_streams.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace baton::rfb {
namespace {

ServerReader reader_of_64() {
    return {Size{64, 64}, PixelFormat{}};
}

Walk walked(const std::string& stream) {
    auto reader = reader_of_64();
    return walk(reader, stream, {});
}

/// The stream is whole, and nothing but it.
void expect_framed(const std::string& rectangle) {
    std::string stream = update({rectangle});
    write_bell(stream); // what comes behind is a message again
    const Walk result = walked(stream);
    EXPECT_EQ(result.refused, "");
    ASSERT_FALSE(result.events.empty());
    EXPECT_TRUE(result.at_boundary);
    EXPECT_EQ(result.rest, 0U);
    EXPECT_EQ(result.events.back().part, ServerEvent::Part::message);
    EXPECT_EQ(result.events.back().bytes, "\x02");
}

TEST(RfbServerReader, KnowsWhereEachEncodingEnds) {
    expect_framed(head(1, 2, 3, 2, 0) + std::string(24, 'p'));
    expect_framed(head(1, 2, 3, 2, 1) + "\1\2\3\4");
    expect_framed(head(0, 0, 4, 4, 2) + be32(2) + std::string(4 + 2 * 12, 'r'));
    expect_framed(head(0, 0, 4, 4, 4) + be32(2) + std::string(4 + 2 * 8, 'r'));
    expect_framed(head(0, 0, 4, 4, 16) + be32(7) + std::string(7, 'z'));
    expect_framed(head(0, 0, 4, 4, 6) + be32(0));
    // Hextile, 17 by 17 pixels: raw; background; foreground and two parts; two coloured parts
    expect_framed(head(0, 0, 17, 17, 5) + "\x01" + std::string(1024, 'p') + "\x02" + "bbbb" +
                  "\x0C" + "ffff" + "\x02" + "1122" + "\x18" + "\x02" + "cccc11" + "cccc22");
    // Tight: fill; JPEG; palette of two; gradient; too little to be deflated
    expect_framed(head(0, 0, 8, 8, 7) + "\x80" + "rgb");
    expect_framed(head(0, 0, 8, 8, 7) + "\x90" + compact(200) + std::string(200, 'j'));
    expect_framed(head(0, 0, 16, 8, 7) + "\x50\x01\x01" + "rgbrgb" + compact(3) + "zzz");
    expect_framed(head(0, 0, 8, 8, 7) + "\x60\x02" + compact(3) + "zzz");
    expect_framed(head(0, 0, 3, 1, 7) + std::string(1, '\0') + std::string(9, 'p'));
    expect_framed(head(0, 0, 8, 8, -260) + "\xA0" + compact(20000) + std::string(20000, 'p'));
    expect_framed(head(0, 0, 9, 2, -239) + std::string(72 + 4, 'c'));
    expect_framed(head(0, 0, 9, 2, -240) + std::string(6 + 8, 'c'));
    expect_framed(head(0, 0, 0, 0, -240));
    expect_framed(head(0, 0, 2, 2, -314) + be32(0) + std::string(16, 'a'));
    expect_framed(head(0, 0, 0, 0, -307) + be32(4) + "desk");
    expect_framed(head(0, 0, 1, 1, -261) + "\x04");
    expect_framed(head(0, 0, 0, 0, -258));
}

TEST(RfbServerReader, TellsDeflatedBytesFromTheirLengthField) {
    auto reader = reader_of_64();
    const std::string stream = update(
        {head(0, 0, 16, 8, 7) + "\x71\x01\x01" + "rgbrgb" + compact(300) + std::string(300, 'z')});
    std::string_view rest = stream;
    std::vector<ServerEvent::Part> parts;
    while (!rest.empty()) {
        const auto event = reader.next(rest);
        ASSERT_TRUE(event);
        parts.push_back(event->part);
        if (event->part == ServerEvent::Part::deflate) {
            EXPECT_EQ(event->bytes, compact(300));
            EXPECT_EQ(reader.deflated().inflater, Inflater::tight_3);
            EXPECT_EQ(reader.deflated().bytes, 300U);
        }
        rest.remove_prefix(event->bytes.size());
    }
    EXPECT_EQ(parts, (std::vector{ServerEvent::Part::update, ServerEvent::Part::rectangle,
                                  ServerEvent::Part::tight, ServerEvent::Part::body,
                                  ServerEvent::Part::deflate, ServerEvent::Part::body}));
}

TEST(RfbServerReader, FollowsTheSizeAndTheFormat) {
    auto reader = reader_of_64();
    std::string grown;
    write_update_head(grown, 2);
    write_extended_desktop_size(grown, {100, 80});
    grown += head(90, 70, 10, 10, 1) + be32(0);
    EXPECT_EQ(walk(reader, grown, {}).refused, "");
    EXPECT_EQ(reader.size(), (Size{100, 80}));

    // the viewer's own wish, refused: nothing changes
    const std::string refused = update({head(1, 1, 9, 9, -308) + be32(0)});
    EXPECT_EQ(walk(reader, refused, {}).refused, "");
    EXPECT_EQ(reader.size(), (Size{100, 80}));

    // asked for in mid-update: that one ends in the old format
    PixelFormat small;
    small.bits_per_pixel = 16;
    const std::string first = update({head(0, 0, 2, 1, 0) + std::string(8, 'p')});
    const Walk half = walk(reader, first.substr(0, 10), {});
    EXPECT_FALSE(half.at_boundary);
    reader.set_pixel_format(small);
    EXPECT_TRUE(walk(reader, first.substr(4), {}).at_boundary) << "goes on behind the update head";
    EXPECT_TRUE(walk(reader, update({head(0, 0, 2, 1, 0) + std::string(4, 'p')}), {}).at_boundary);
}

TEST(RfbServerReader, LastRectEndsAnUpdateOfAnyCount) {
    std::string stream;
    write_update_head(stream, until_last_rect);
    stream += head(0, 0, 1, 1, 0) + "pppp";
    write_last_rect(stream);
    const Walk result = walked(stream);
    EXPECT_TRUE(result.at_boundary);
    EXPECT_TRUE(result.events.back().ends_message);
    EXPECT_TRUE(walked(update({})).at_boundary) << "an update of nothing is one";
}

TEST(RfbServerReader, RefusesWhatCannotBe) {
    const std::vector<std::pair<std::string, std::string>> hostile{
        {"\x09", "unknown kind 9"},
        {"\xFF\x07\x01\x01", "QEMU's message"},
        {std::string("\xFF\x01\0\x02", 4) + be32(0x7FFFFFFF), "bytes of sound"},
        {std::string("\x03\0\0\0", 4) + be32(0x7FFFFFFF), "clipboard"},
        {std::string("\x03\0\0\0", 4) + be32(0x80000000), "clipboard"},
        {std::string("\x03\0\0\0", 4) + be32(0xFFFFFFFF), "no flags"},
        {std::string("\xF8\0\0\0", 4) + be32(0) + "\x41", "fence"},
        {update({head(60, 0, 5, 1, 0)}), "rectangle of 5x1 at 60,0"},
        {update({head(0, 0, 1, 1, 99)}), "encoding 99"},
        {update({head(0, 0, 1, 1, 15)}), "TRLE"},
        {update({head(0, 0, 0, 4, -223)}), "size is 0x4"},
        {update({head(0, 0, 65535, 65535, -308)}), "size is"},
        {update({head(0, 0, 60000, 60000, -239)}), "pointer's shape"},
        {update({head(0, 0, 2, 2, -314) + be32(7)}), "a cursor in Tight"},
        {update({head(0, 0, 4, 4, 16) + be32(0xFFFFFFF0)}), "announces 4294967280 bytes"},
        {update({head(0, 0, 4, 4, 2) + be32(17)}), "announces 17 parts"},
        {update({head(0, 0, 4, 4, -307) + be32(0x10000000)}), "a name of"},
        {update({head(0, 0, 4, 4, -308) + std::string("\x7F\0\0\0", 4)}), "screens"},
        {update({head(0, 0, 8, 8, 7) + "\xB0"}), "unknown compression 11"},
        {update({head(0, 0, 8, 8, 7) + "\xA0"}), "unknown compression 10"},
        {update({head(0, 0, 8, 8, 7) + "\x40\x03"}), "unknown filter 3"},
        {update({head(0, 0, 8, 8, 7) + std::string("\0\xFF\xFF\xFF", 4)}), "announces 4194303"},
    };
    for (const auto& [stream, sentence] : hostile) {
        const Walk result = walked(stream);
        EXPECT_NE(result.refused.find(sentence), std::string::npos)
            << sentence << ": " << result.refused;
    }
}

TEST(RfbServerReader, AnyCutOfTheStreamGivesTheSameEvents) {
    EXPECT_TRUE(rc::check("any cut gives the same events", [] {
        std::string stream;
        const int count = *rc::gen::inRange(1, 6);
        for (int i = 0; i < count; ++i)
            stream += made_up_message();
        auto one = reader_of_64();
        auto other = reader_of_64();
        const Walk whole = walk(one, stream, {});
        const Walk pieces = walk(other, stream, some_cuts(stream.size()));
        RC_ASSERT(whole.refused.empty());
        RC_ASSERT(whole.at_boundary);
        RC_ASSERT(whole.rest == 0U);
        RC_ASSERT(pieces.events == whole.events);
        RC_ASSERT(pieces.at_boundary);
        RC_ASSERT(pieces.most_kept < 16U);
        RC_ASSERT(one.size() == other.size());
        std::string again;
        for (const auto& event : whole.events)
            again += event.bytes;
        RC_ASSERT(again == stream);
    }));
}

TEST(RfbServerReader, MessagesEndWhereTheyWereMade) {
    EXPECT_TRUE(rc::check("messages end where they were made", [] {
        auto reader = reader_of_64();
        for (int i = 0; i < 4; ++i) {
            const std::string message = made_up_message();
            const Walk result = walk(reader, message, some_cuts(message.size()));
            RC_ASSERT(result.refused.empty());
            const auto ends = std::count_if(result.events.begin(), result.events.end(),
                                            [](const Walked& one) { return one.ends_message; });
            RC_ASSERT(ends == 1);
            RC_ASSERT(result.events.back().ends_message);
        }
    }));
}

TEST(RfbServerReader, GarbageIsRefusedOrWalkedAndNothingIsKept) {
    EXPECT_TRUE(rc::check("garbage costs nothing", [] {
        // a valid beginning leads deeper than noise alone
        std::string stream = *rc::gen::arbitrary<bool>() ? made_up_message() : std::string();
        if (*rc::gen::arbitrary<bool>())
            stream += update({head(0, 0, 9, 9, *rc::gen::element(2, 5, 6, 7, 16, -260, -308))});
        stream += *rc::gen::arbitrary<std::string>();
        auto reader = reader_of_64();
        const Walk result = walk(reader, stream, some_cuts(stream.size()));
        RC_ASSERT(result.most_kept < 16U);
    }));
}

} // namespace
} // namespace baton::rfb
