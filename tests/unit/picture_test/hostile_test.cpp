#include "picture/decoder.h"
#include "rfb/server_messages.h"
#include "rfb/tight_reader.h"
#include "support/rfb_feed.h"
#include "support/rfb_wire.h"
#include "support/rfb_zlib.h"

#include <gtest/gtest.h>

#include <turbojpeg.h>

namespace baton::picture {
namespace {

using rfb::be16;
using rfb::be32;
using rfb::head;

constexpr rfb::Size size{64, 64};

/// One update of one rectangle: the sentence with which it is refused, or "".
std::string refusal(const std::string& rectangle, Decoder* into = nullptr) {
    rfb::ServerReader reader(size, rfb::PixelFormat{});
    Decoder own(size);
    Decoder& decoder = into != nullptr ? *into : own;
    std::string refused;
    const auto fed =
        rfb::feed(reader, rfb::update({rectangle}), {}, [&](const rfb::ServerEvent& event) {
            if (!refused.empty())
                return;
            if (const auto done = decoder.take(reader, event); !done)
                refused = done.error().what;
        });
    return refused.empty() ? fed.refused : refused;
}

std::string zrle(unsigned width, unsigned height, const std::string& plain) {
    rfb::Deflater deflater;
    const std::string bytes = deflater.add(plain);
    return head(0, 0, width, height, 16) + be32(static_cast<std::uint32_t>(bytes.size())) + bytes;
}

std::string tight(unsigned width, unsigned height, const std::string& control,
                  const std::string& plain) {
    rfb::Deflater deflater;
    const std::string bytes = deflater.add(plain);
    std::string text = head(0, 0, width, height, 7) + control;
    rfb::write_compact_length(text, static_cast<std::uint32_t>(bytes.size()));
    return text + bytes;
}

TEST(HostilePicture, RefusesAPartBeyondItsTileOrRectangle) {
    // a part 16 wide at column 1 of a tile that is 16 wide
    const std::string part("\x0A\0\0\0\0\x01\x10\xF0", 8);
    EXPECT_NE(refusal(head(0, 0, 16, 16, 5) + part), "");
    const std::string within("\x0A\0\0\0\0\x01\x10\xE0", 8);
    EXPECT_EQ(refusal(head(0, 0, 16, 16, 5) + within), "");
    const auto rre = [](unsigned x) {
        return head(0, 0, 10, 10, 2) + be32(1) + be32(0) + be32(0) + be16(x) + be16(0) + be16(5) +
               be16(5);
    };
    EXPECT_EQ(refusal(rre(5)), "");
    EXPECT_NE(refusal(rre(6)), "");
}

TEST(HostilePicture, RefusesACopyFromBeyondTheScreen) {
    EXPECT_EQ(refusal(head(0, 0, 8, 8, 1) + be16(56) + be16(56)), "");
    EXPECT_NE(refusal(head(0, 0, 8, 8, 1) + be16(57) + be16(0)), "");
    EXPECT_NE(refusal(head(0, 0, 8, 8, 1) + be16(0) + be16(65535)), "");
}

TEST(HostilePicture, RefusesColoursThatThereAreNot) {
    EXPECT_NE(refusal(zrle(4, 4,
                           "\x03"
                           "aaabbbccc"
                           "\xFF\xFF\xFF\xFF")),
              "");
    EXPECT_EQ(refusal(zrle(4, 4,
                           "\x03"
                           "aaabbbccc"
                           "\xAA\xAA\xAA\xAA")),
              "");
    EXPECT_NE(refusal(zrle(4, 4,
                           "\x82"
                           "aaabbb" +
                               std::string(16, '\x02'))),
              "");
    const std::string control("\x40\x01\x02"
                              "aaabbbccc",
                              12);
    EXPECT_NE(refusal(tight(4, 4, control, std::string(16, '\x03'))), "");
    EXPECT_EQ(refusal(tight(4, 4, control, std::string(16, '\x02'))), "");
    // a palette of one colour, whose second is asked for
    const std::string one("\x40\x01\0"
                          "aaa",
                          6);
    EXPECT_NE(refusal(tight(8, 16, one, std::string(16, '\x01'))), "");
    EXPECT_EQ(refusal(tight(8, 16, one, std::string(16, '\0'))), "");
}

TEST(HostilePicture, RefusesRunsThatLeaveTheirTile) {
    EXPECT_EQ(refusal(zrle(4, 4,
                           std::string("\x80"
                                       "aaa\x0F",
                                       5))),
              "");
    EXPECT_NE(refusal(zrle(4, 4,
                           std::string("\x80"
                                       "aaa\x10",
                                       5))),
              "");
    EXPECT_NE(refusal(zrle(64, 64,
                           std::string("\x80"
                                       "aaa",
                                       4) +
                               std::string(40, '\xFF') + '\x01')),
              "");
}

TEST(HostilePicture, RefusesKindsThatThereAreNot) {
    EXPECT_NE(refusal(zrle(4, 4, "\x11" + std::string(64, 'a'))), "");
    EXPECT_NE(refusal(zrle(4, 4, "\x81" + std::string(64, 'a'))), "");
}

TEST(HostilePicture, RefusesTooMuchAndTooLittle) {
    const std::string pixels(48, 'p');
    EXPECT_EQ(refusal(tight(4, 4, std::string(1, '\0'), pixels)), "");
    EXPECT_NE(refusal(tight(4, 4, std::string(1, '\0'), pixels + "p")), "");
    EXPECT_NE(refusal(tight(4, 4, std::string(1, '\0'), pixels.substr(1))), "");
    // a bomb: a few bytes that become megabytes
    EXPECT_NE(refusal(tight(4, 4, std::string(1, '\0'), std::string(4 << 20, '\0'))), "");
    EXPECT_NE(refusal(zrle(4, 4, std::string(4 << 20, '\0'))), "");
}

TEST(HostilePicture, RefusesWhatIsNotDeflated) {
    EXPECT_NE(refusal(head(0, 0, 4, 4, 16) + be32(5) + "hello"), "");
}

std::string jpeg(int width, int height) {
    std::string rgb(static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * 3, '\x40');
    const tjhandle encoder = tjInitCompress();
    unsigned char* bytes = nullptr;
    unsigned long length = 0;
    tjCompress2(encoder, reinterpret_cast<const unsigned char*>(rgb.data()), width, 0, height,
                TJPF_RGB, &bytes, &length, TJSAMP_444, 100, 0);
    std::string file(reinterpret_cast<char*>(bytes), length);
    tjFree(bytes);
    tjDestroy(encoder);
    return file;
}

std::string tight_file(char control, unsigned width, unsigned height, const std::string& file,
                       int encoding = 7) {
    std::string text = head(3, 2, width, height, encoding) + control;
    rfb::write_compact_length(text, static_cast<std::uint32_t>(file.size()));
    return text + file;
}

TEST(HostilePicture, DrawsAJpegOfItsOwnSizeAlone) {
    Decoder decoder(size);
    EXPECT_EQ(refusal(tight_file('\x90', 20, 10, jpeg(20, 10)), &decoder), "");
    const auto at = [&](std::size_t x, std::size_t y) { return decoder.framebuffer().row(y)[x]; };
    for (const std::uint32_t pixel : {at(3, 2), at(22, 11)})
        for (const unsigned shift : {0U, 8U, 16U})
            EXPECT_NEAR(pixel >> shift & 0xFF, 0x40, 2);
    EXPECT_EQ(at(2, 2), 0U);
    EXPECT_EQ(at(23, 2), 0U);
    EXPECT_EQ(at(3, 12), 0U);
    EXPECT_NE(refusal(tight_file('\x90', 20, 10, jpeg(20, 11))), "");
    EXPECT_NE(refusal(tight_file('\x90', 20, 10, jpeg(60, 60))), "");
    EXPECT_NE(refusal(tight_file('\x90', 20, 10, "no JPEG")), "");
    EXPECT_NE(refusal(tight_file('\x90', 20, 10, "")), "");
    EXPECT_NE(refusal(tight_file('\xA0', 20, 10, "no PNG", -260)), "");
}

/// Whatever comes in the middle of a picture's file ends in a picture or a refusal.
TEST(HostilePicture, SurvivesADamagedJpeg) {
    const std::string file = jpeg(40, 30);
    for (std::size_t at = 0; at < file.size(); at += 3) {
        std::string damaged = file;
        damaged[at] = static_cast<char>(~damaged[at]);
        (void)refusal(tight_file('\x90', 40, 30, damaged));
        (void)refusal(tight_file('\x90', 40, 30, file.substr(0, at)));
    }
    EXPECT_EQ(refusal(tight_file('\x90', 40, 30, file)), "");
}

TEST(HostilePicture, TakesPointersAndLeavesOutLargeOnes) {
    Decoder decoder(size);
    std::string text = head(1, 2, 2, 2, -239);
    text += std::string("abc\0def\0ghi\0jkl\0", 16) + "\x80\x40";
    EXPECT_EQ(refusal(text, &decoder), "");
    ASSERT_EQ(decoder.cursors(), 1U);
    EXPECT_EQ(decoder.cursor().hot_x, 1);
    EXPECT_EQ(decoder.cursor().hot_y, 2);
    const std::vector<std::uint32_t> expected{0xFF636261, 0, 0, 0xFF6C6B6A};
    EXPECT_EQ(decoder.cursor().pixels, expected);
    // with alpha, premultiplied: red 0x40 of alpha 0x80 is 0x7F
    EXPECT_EQ(refusal(head(0, 0, 1, 1, -314) + be32(0) + std::string("\x40\0\0\x80", 4), &decoder),
              "");
    EXPECT_EQ(decoder.cursor().pixels.at(0), 0x807F0000U);
    EXPECT_EQ(refusal(head(0, 0, 600, 1, -239) + std::string(600 * 4 + 75, 'x'), &decoder), "");
    EXPECT_EQ(decoder.cursors(), 2U);
}

} // namespace
} // namespace baton::picture
