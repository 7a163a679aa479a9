#include "rfb/client.h"
#include "support/rfb_wire.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <string>
#include <vector>

namespace baton::rfb {
namespace {

std::string server_init(unsigned width, unsigned height, const std::string& name = "screen") {
    std::string text;
    write(text, ServerInit{static_cast<std::uint16_t>(width), static_cast<std::uint16_t>(height),
                           PixelFormat{}, name});
    return text;
}

std::string rectangle(unsigned x, unsigned y, unsigned width, unsigned height, char fill) {
    return head(x, y, width, height, 0) + std::string(std::size_t{width} * height * 4, fill);
}

/// A 3.8 server without a password, a screen of 4x3, up to and including ServerInit.
std::string open_handshake() {
    return "RFB 003.008\n" + std::string("\x01\x01") + be32(0) + server_init(4, 3);
}

/// What is to be seen of a client after a stream.
struct Seen {
    bool good = true;
    std::string output;
    std::uint64_t frames = 0;
    std::vector<std::uint32_t> pixels;
    bool operator==(const Seen&) const = default;
};

Seen after(const std::string& stream, const std::vector<std::size_t>& cuts) {
    Client client;
    Seen seen;
    std::size_t at = 0;
    const auto feed = [&](std::size_t end) {
        if (seen.good)
            seen.good = client.feed(std::string_view(stream).substr(at, end - at)).has_value();
        at = end;
    };
    for (const std::size_t cut : cuts)
        if (cut > at && cut < stream.size())
            feed(cut);
    feed(stream.size());
    seen.output = client.take_output();
    seen.frames = client.complete_frames();
    seen.pixels = client.picture().pixels;
    return seen;
}

TEST(RfbClient, ShakesHandsAndShowsACompletePicture) {
    Client client;
    ASSERT_TRUE(client.feed(open_handshake()));
    EXPECT_TRUE(client.ready());
    EXPECT_EQ(client.name(), "screen");
    const std::string sent = client.take_output();
    EXPECT_EQ(sent.substr(0, 14), std::string("RFB 003.008\n\x01\x01", 14));
    EXPECT_EQ(sent.size(), 14U + 20 + 16 + 10);

    ASSERT_TRUE(client.feed(update({rectangle(0, 0, 4, 2, '\x11')})));
    EXPECT_EQ(client.complete_frames(), 0U) << "a row has never been sent";
    ASSERT_TRUE(client.feed(update({rectangle(0, 2, 4, 1, '\x22')})));
    EXPECT_EQ(client.complete_frames(), 1U);
    EXPECT_EQ(client.picture().at(3, 1), 0x111111U);
    EXPECT_EQ(client.picture().at(0, 2), 0x222222U);
    EXPECT_EQ(client.picture().ppm().substr(0, 11), "P6\n4 3\n255\n");
}

TEST(RfbClient, GoesOnAfterAHandshakeThatWasMadeOutside) {
    Client client(ServerInit{4, 3, PixelFormat{}, "screen"});
    EXPECT_TRUE(client.ready());
    EXPECT_EQ(client.name(), "screen");
    EXPECT_EQ(client.take_output().size(), 20U + 16 + 10) << "no handshake, but what follows one";
    ASSERT_TRUE(client.feed(update({rectangle(0, 0, 4, 3, '\x11')})));
    EXPECT_EQ(client.complete_frames(), 1U);
    EXPECT_EQ(client.picture().at(3, 2), 0x111111U);
}

TEST(RfbClient, AsksForEverythingAgainWhenTheSizeChanges) {
    Client client;
    ASSERT_TRUE(client.feed(open_handshake() + update({rectangle(0, 0, 4, 3, '\x11')})));
    client.take_output();
    ASSERT_TRUE(client.feed(
        update({be16(0) + be16(0) + be16(2) + be16(2) + be32(static_cast<std::uint32_t>(-223))})));
    EXPECT_EQ(client.picture().width, 2);
    EXPECT_EQ(client.complete_frames(), 1U) << "nothing of the new size has been sent";
    EXPECT_EQ(client.take_output(), std::string("\x03\0\0\0\0\0\0\x02\0\x02", 10));
    ASSERT_TRUE(client.feed(update({rectangle(0, 0, 2, 2, '\x33')})));
    EXPECT_EQ(client.complete_frames(), 2U);
}

TEST(RfbClient, AnswersAChallengeInEveryVersion) {
    const auto answer = [](const Challenge& challenge) {
        Challenge reversed{};
        std::copy(challenge.rbegin(), challenge.rend(), reversed.begin());
        return reversed;
    };
    const std::string challenge = "abcdefghijklmnop";
    for (const auto& [version, offer] :
         std::vector<std::pair<std::string, std::string>>{{"RFB 003.003\n", be32(2)},
                                                          {"RFB 003.007\n", "\x01\x02"},
                                                          {"RFB 003.889\n", "\x01\x02"}}) {
        Client client(answer);
        ASSERT_TRUE(client.feed(version + offer + challenge + be32(0))) << version;
        EXPECT_NE(client.take_output().find("ponmlkjihgfedcba"), std::string::npos) << version;
    }
    Client refused(answer);
    const auto result =
        refused.feed("RFB 003.008\n\x01\x02" + challenge + be32(1) + be32(7) + "expired");
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::unauthenticated);
    EXPECT_NE(result.error().what.find("expired"), std::string::npos);

    Client without;
    EXPECT_EQ(without.feed("RFB 003.008\n\x01\x02").error().code, Errc::unauthenticated);
}

TEST(RfbClient, PassesOverWhatItDoesNotNeed) {
    Client client;
    const std::string colours = std::string("\x01\0\0\0", 4) + be16(2) + std::string(12, 'c');
    const std::string cut = std::string("\x03\0\0\0", 4) + be32(5) + "hello";
    ASSERT_TRUE(client.feed(open_handshake() + "\x02" + colours + cut +
                            update({rectangle(0, 0, 4, 3, '\x44')})));
    EXPECT_EQ(client.complete_frames(), 1U);
}

TEST(RfbClient, RefusesWhatCannotBe) {
    const std::string open = open_handshake();
    const std::vector<std::string> hostile{
        "SSH-2.0-OpenSSH",
        "RFB 004.000\n",
        "RFB 003.008\n" + std::string("\x01\x01") + be32(0) + server_init(0, 3),
        "RFB 003.008\n" + std::string("\x01\x01") + be32(0) + server_init(65535, 65535),
        "RFB 003.008\n" + std::string("\x01\x01") + be32(0) + be16(4) + be16(3) +
            server_init(4, 3).substr(4, 16) + be32(0xFFFFFFFF),
        "RFB 003.008\n" + std::string("\x01\x01") + be32(0) + be16(4) + be16(3) +
            std::string(16, '\0') + be32(0),
        "RFB 003.008\n" + std::string("\x01\x13"),
        open + "\x09",
        open + update({rectangle(2, 0, 4, 1, 'x')}),
        open + update({be16(0) + be16(0) + be16(1) + be16(1) + be32(7)}),
        open + std::string("\x03\0\0\0", 4) + be32(0x80000000),
    };
    for (std::size_t index = 0; index < hostile.size(); ++index) {
        Client client;
        const auto result = client.feed(hostile[index]);
        ASSERT_FALSE(result) << index;
        EXPECT_FALSE(client.ready()) << index;
        EXPECT_FALSE(client.feed("more")) << index;
    }
}

TEST(RfbClient, AnySplitOfTheStreamGivesTheSame) {
    const bool held = rc::check("any split gives the same", [] {
        std::string stream = open_handshake();
        const auto count = *rc::gen::inRange(1, 6);
        for (int i = 0; i < count; ++i) {
            const auto x = *rc::gen::inRange(0, 4);
            const auto y = *rc::gen::inRange(0, 3);
            stream += update({rectangle(static_cast<unsigned>(x), static_cast<unsigned>(y),
                                        static_cast<unsigned>(*rc::gen::inRange(0, 5 - x)),
                                        static_cast<unsigned>(*rc::gen::inRange(0, 4 - y)),
                                        *rc::gen::arbitrary<char>())});
            if (*rc::gen::arbitrary<bool>())
                stream += *rc::gen::arbitrary<std::string>(); // and hostile rests
        }
        auto cuts = *rc::gen::container<std::vector<std::size_t>>(
            rc::gen::inRange<std::size_t>(0, stream.size()));
        std::sort(cuts.begin(), cuts.end());
        const Seen whole = after(stream, {});
        const Seen split = after(stream, cuts);
        RC_ASSERT(whole.good == split.good);
        RC_ASSERT(whole.frames == split.frames);
        RC_ASSERT(whole.pixels == split.pixels);
    });
    EXPECT_TRUE(held);
}

} // namespace
} // namespace baton::rfb
