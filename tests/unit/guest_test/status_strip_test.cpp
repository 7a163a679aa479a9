#include "guest/status_strip.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <vector>

namespace {

using namespace baton;
using namespace baton::guest;

/// A small screen with the strip in its corner.
class Picture {
  public:
    explicit Picture(StripState state) {
        const auto cells = strip_cells(state);
        for (int y = 0; y < strip::cell_height; ++y)
            for (int x = 0; x < strip::width; ++x)
                at(x, y) = rgb(cells[static_cast<std::size_t>(x / strip::cell_width)]);
    }

    Rgb& at(int x, int y) { return pixels_[static_cast<std::size_t>(y * strip::width + x)]; }

    [[nodiscard]] std::optional<StripState> read() const {
        return read_strip([this](int x, int y) {
            return pixels_.at(static_cast<std::size_t>(y * strip::width + x));
        });
    }

    /// Maps every channel, as a dim console or a lossy encoding does.
    void map(auto&& channel) {
        for (Rgb& pixel : pixels_)
            pixel = {channel(pixel.red), channel(pixel.green), channel(pixel.blue)};
    }

  private:
    std::vector<Rgb> pixels_ =
        std::vector<Rgb>(static_cast<std::size_t>(strip::width) * strip::cell_height);
};

StripState any_state() {
    return {*rc::gen::arbitrary<std::uint16_t>(), *rc::gen::arbitrary<std::uint8_t>()};
}

TEST(StatusStrip, WhatIsDrawnIsReadBack) {
    EXPECT_TRUE(rc::check([] {
        const StripState state = any_state();
        const auto seen = Picture(state).read();
        RC_ASSERT(seen.has_value());
        RC_ASSERT(*seen == state);
    }));
}

TEST(StatusStrip, TheCellsAreTheDocumentedOnes) {
    const auto cells = strip_cells(strip_state(5, 512_MiB));
    std::string text;
    for (const Colour colour : cells)
        text += "_#mc"[static_cast<int>(colour)];
    EXPECT_EQ(text, "mcm"
                    "_____________#_#"
                    "____#__#"
                    "cmc");
    EXPECT_EQ(strip::width, 240);
}

TEST(StatusStrip, MemoryAndFenceAreRounded) {
    EXPECT_EQ(strip_state(0, 4_GiB), (StripState{0, 12}));
    EXPECT_EQ(strip_state(1, 1536_MiB), (StripState{1, 10}));
    EXPECT_EQ(strip_state(1, Mebibytes(0)), (StripState{1, 0}));
    EXPECT_EQ(strip_state(0x10000, 1_GiB).fence, 0xFFFF) << "a mounted desk never shows as none";
    EXPECT_EQ(strip_state(0x10001, 1_GiB).fence, 1);
    EXPECT_EQ(strip_state(7, 2_GiB).memory(), 2_GiB);
    EXPECT_EQ((StripState{0, 0}).memory(), Mebibytes(0));
    EXPECT_EQ((StripState{0, 255}).memory(), Mebibytes(0)) << "nonsense is not shifted by";
}

TEST(StatusStrip, DimAndNoisyColoursAreRead) {
    EXPECT_TRUE(rc::check([] {
        const StripState state = any_state();
        Picture picture(state);
        const auto up = *rc::gen::inRange<int>(0, 91);
        const auto down = *rc::gen::inRange<int>(160, 256);
        picture.map([&](std::uint8_t channel) {
            return static_cast<std::uint8_t>(channel == 0 ? up : down);
        });
        RC_ASSERT(picture.read() == std::optional(state));
    }));
}

TEST(StatusStrip, APictureWithoutItOrInBetweenIsNotRead) {
    Picture black({});
    black.map([](std::uint8_t) { return std::uint8_t{0}; });
    EXPECT_FALSE(black.read().has_value());
    Picture grey(strip_state(3, 1_GiB));
    grey.map([](std::uint8_t channel) { return static_cast<std::uint8_t>(channel / 2); });
    EXPECT_FALSE(grey.read().has_value()) << "127 is neither on nor off";
}

TEST(StatusStrip, AFrameHalfOldAndHalfNewIsNotRead) {
    EXPECT_TRUE(rc::check([] {
        const StripState before = any_state();
        const StripState after = any_state();
        RC_PRE(before != after);
        Picture picture(before);
        Picture next(after);
        const int rows = *rc::gen::inRange(3, 13); // these rows are new already
        for (int y = 0; y < rows; ++y)
            for (int x = 0; x < strip::width; ++x)
                picture.at(x, y) = next.at(x, y);
        RC_ASSERT(!picture.read().has_value());
    }));
}

} // namespace
