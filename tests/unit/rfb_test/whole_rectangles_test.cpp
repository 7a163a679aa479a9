/// Passing whole rectangles at once gives what walking them part by part gives.
#include "rfb/server_messages.h"
#include "rfb/server_reader.h"
#include "rfb/tight_reader.h"
#include "rfb/wire.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace baton::rfb {
namespace {

constexpr Size screen{64, 64};
constexpr InflaterSet all = 0x3F;

void some_rectangle(std::string& out) {
    const auto kind = *rc::gen::element(Encoding::raw, Encoding::tight, Encoding::zlib,
                                        Encoding::zrle, Encoding::copy_rect);
    const auto side = *rc::gen::inRange<std::uint16_t>(0, 20);
    write(out, Rectangle{3, 5, side, side, kind});
    const std::string data(*rc::gen::inRange<std::size_t>(0, 300), 'd');
    switch (kind) {
    case Encoding::raw:
        out.append(std::size_t{side} * side * 4, 'p');
        break;
    case Encoding::copy_rect:
        put32(out, 0);
        break;
    case Encoding::tight: {
        const auto control = *rc::gen::element(0x00, 0x10, 0x30, 0x40, 0x80, 0x90, 0x02);
        put8(out, static_cast<std::uint32_t>(control));
        std::size_t plain = std::size_t{side} * side * 3;
        if (control == 0x40) {
            put8(out, 1); // a palette of two
            put8(out, 1);
            out.append(6, 'c');
            plain = (side + 7U) / 8 * side;
        }
        if (control == 0x80) {
            out.append(3, 'f');
        } else if (control != 0x90 && plain < 12) {
            out.append(plain, 'p');
        } else {
            write_compact_length(out, static_cast<std::uint32_t>(data.size()));
            out += data;
        }
        break;
    }
    default:
        put32(out, static_cast<std::uint32_t>(data.size()));
        out += data;
        break;
    }
}

/// After each piece: where the reader is, and what is left.
std::vector<std::size_t> walk(const std::string& stream, const std::vector<std::size_t>& cuts,
                              bool at_once, std::size_t& passed) {
    ServerReader reader(screen, PixelFormat{});
    std::vector<std::size_t> places;
    std::size_t at = 0;
    for (const std::size_t end : cuts) {
        for (;;) {
            const std::string_view input = std::string_view(stream).substr(at, end - at);
            if (const auto whole = at_once ? reader.pass_whole(input, all) : WholeRectangles{};
                whole.count != 0) {
                at += whole.bytes;
                passed += whole.count;
                continue;
            }
            const auto event = reader.next(input);
            RC_ASSERT(event.has_value());
            if (event->part == ServerEvent::Part::need_more)
                break;
            at += event->bytes.size();
        }
        places.push_back(at);
        places.push_back(reader.rectangles_left());
        places.push_back(reader.at_boundary() ? 1 : 0);
    }
    return places;
}

TEST(WholeRectangles, AreWhatWalkingThemGives) {
    std::size_t passed = 0;
    EXPECT_TRUE(rc::check("whole rectangles are what walking them gives", [&passed] {
        std::string stream;
        for (int updates = *rc::gen::inRange(1, 4); updates > 0; --updates) {
            const auto count = *rc::gen::inRange<std::uint16_t>(0, 8);
            write_update_head(stream, count);
            for (int i = 0; i < count; ++i)
                some_rectangle(stream);
        }
        std::vector<std::size_t> cuts{*rc::gen::inRange<std::size_t>(0, stream.size() + 1),
                                      stream.size()};
        std::size_t none = 0;
        RC_ASSERT(walk(stream, cuts, true, passed) == walk(stream, cuts, false, none));
    }));
    EXPECT_GT(passed, 10U);
}

TEST(WholeRectangles, LeaveToTheReaderWhatHasToBeSeen) {
    const auto found = [](std::string_view body, Encoding encoding, InflaterSet begun) {
        std::string input;
        write(input, Rectangle{0, 0, 8, 8, encoding});
        input += body;
        return find_whole_rectangles(input, screen, PixelFormat{}, begun, 9).count;
    };
    const std::string_view deflated("\0\0\0\4data", 8);
    const std::string_view tight("\0\4data", 6);
    EXPECT_EQ(found(deflated, Encoding::zrle, all), 1U);
    EXPECT_EQ(found(deflated, Encoding::zrle, 0), 0U) << "a stream's beginning";
    EXPECT_EQ(found(deflated.substr(0, 7), Encoding::zrle, all), 0U) << "not whole";
    EXPECT_EQ(found(tight, Encoding::tight, all), 1U);
    EXPECT_EQ(found(tight, Encoding::tight, all - 1), 0U);
    EXPECT_EQ(found("\1\4data", Encoding::tight, all), 0U) << "a reset";
    EXPECT_EQ(found(deflated, Encoding::last_rect, all), 0U);
    std::string outside;
    write(outside, Rectangle{60, 0, 8, 8, Encoding::zrle});
    outside += deflated;
    EXPECT_EQ(find_whole_rectangles(outside, screen, PixelFormat{}, all, 9).count, 0U);
}

} // namespace
} // namespace baton::rfb
