#include "picture/decoder.h"
#include "support/rfb_decoder.h"
#include "support/rfb_pictures.h"
#include "support/rfb_streams.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <optional>

namespace baton::picture {
namespace {

using rfb::Encoding;
using rfb::Size;

struct Drawn {
    std::string refused;
    std::vector<std::uint32_t> pixels;
    Cursor cursor;
    std::string name;
    std::optional<std::uint8_t> leds;
    bool operator==(const Drawn&) const = default;
};

/// `stream` in pieces that end at `cuts`.
Drawn draw(const std::string& stream, std::vector<std::size_t> cuts, Size size) {
    rfb::ServerReader reader(size, rfb::PixelFormat{});
    Decoder decoder(size);
    Drawn drawn;
    const auto fed = rfb::feed(reader, stream, std::move(cuts), [&](const rfb::ServerEvent& event) {
        if (!drawn.refused.empty())
            return;
        if (const auto taken = decoder.take(reader, event); !taken)
            drawn.refused = taken.error().what;
    });
    if (drawn.refused.empty())
        drawn.refused = fed.refused;
    drawn.pixels = decoder.framebuffer().pixels();
    drawn.cursor = decoder.cursor();
    drawn.name = decoder.name();
    drawn.leds = decoder.leds();
    return drawn;
}

/// The tests' own decoder, which says with an exception what it cannot draw.
std::optional<std::vector<std::uint32_t>> draw_otherwise(const std::string& stream, Size size) {
    rfb::ServerReader reader(size, rfb::PixelFormat{});
    rfb::Decoder decoder(size);
    try {
        const auto fed = rfb::feed(reader, stream, {}, [&](const rfb::ServerEvent& event) {
            decoder.take(reader, event);
        });
        if (!fed.refused.empty())
            return std::nullopt;
    } catch (const std::exception&) {
        return std::nullopt;
    }
    return decoder.picture().pixels;
}

RC_GTEST_PROP(PictureProperty, EveryEncodingDrawsWhatTheScreenShows, ()) {
    const Size size{static_cast<std::uint16_t>(*rc::gen::inRange(1, 300)),
                    static_cast<std::uint16_t>(*rc::gen::inRange(1, 200))};
    rfb::MadeUpScreen screen(size, *rc::gen::arbitrary<std::uint32_t>());
    std::string stream;
    const auto updates = *rc::gen::inRange(1, 4);
    for (int i = 0; i < updates; ++i) {
        std::vector<std::string> rectangles;
        for (const auto encoding : *rc::gen::container<std::vector<Encoding>>(
                 rc::gen::element(Encoding::raw, Encoding::copy_rect, Encoding::rre,
                                  Encoding::corre, Encoding::hextile, Encoding::zlib,
                                  Encoding::tight, Encoding::tight, Encoding::zrle)))
            rectangles.push_back(screen.rectangle(encoding));
        stream += rfb::update(rectangles);
    }
    const Drawn whole = draw(stream, {}, size);
    RC_ASSERT(whole.refused.empty());
    RC_ASSERT(whole.pixels == screen.pixels());
    const auto otherwise = draw_otherwise(stream, size);
    RC_ASSERT(otherwise.has_value());
    RC_ASSERT(*otherwise == screen.pixels());
    RC_ASSERT(draw(stream, rfb::some_cuts(stream.size()), size) == whole);
}

RC_GTEST_PROP(PictureProperty, AnyBytesAreDrawnAlikeOrRefused, ()) {
    const Size size{90, 90};
    std::string stream;
    const auto messages = *rc::gen::inRange(1, 5);
    for (int i = 0; i < messages; ++i)
        stream += rfb::made_up_message();
    const Drawn whole = draw(stream, {}, size);
    RC_ASSERT(draw(stream, rfb::some_cuts(stream.size()), size).refused == whole.refused);
    RC_TAG(whole.refused.empty() ? "drawn" : "refused");
    if (!whole.refused.empty())
        return;
    const auto otherwise = draw_otherwise(stream, size);
    RC_ASSERT(otherwise.has_value());
    // a new size keeps the old picture here, and begins black there
    if (stream.find("\xFF\xFF\xFF\x21") == std::string::npos &&
        stream.find("\xFF\xFF\xFE\xCC") == std::string::npos)
        RC_ASSERT(*otherwise == whole.pixels);
}

/// One byte after the other, the worst that a network can do.
TEST(Picture, IsTheSameByteByByte) {
    const Size size{200, 150};
    rfb::MadeUpScreen screen(size, 7);
    std::vector<std::string> rectangles;
    for (int i = 0; i < 4; ++i)
        for (const auto encoding :
             {Encoding::raw, Encoding::copy_rect, Encoding::rre, Encoding::corre, Encoding::hextile,
              Encoding::zlib, Encoding::tight, Encoding::zrle})
            rectangles.push_back(screen.rectangle(encoding));
    const std::string stream = rfb::update(rectangles);
    std::vector<std::size_t> cuts(stream.size());
    for (std::size_t i = 0; i < cuts.size(); ++i)
        cuts[i] = i;
    const Drawn drawn = draw(stream, cuts, size);
    EXPECT_EQ(drawn.refused, "");
    EXPECT_EQ(drawn.pixels, screen.pixels());
}

} // namespace
} // namespace baton::picture
