/// A gateway's own text over a desktop's picture, as bytes.
#include "gateway/lettering.h"
#include "gateway/relay.h"
#include "rfb/client_messages.h"
#include "rfb/server_messages.h"
#include "support/rfb_wire.h"

#include <gtest/gtest.h>

namespace baton::gateway {
namespace {

constexpr rfb::Size screen{64, 48};

std::shared_ptr<const Notice> two_pixels() {
    return std::make_shared<const Notice>(Notice{2, 1, std::string("\0\xFF", 2)});
}

std::string request() {
    std::string out;
    write(out, rfb::UpdateRequest{true, 0, 0, screen.width, screen.height});
    return out;
}

/// As a desktop sends it: 1x1 pixels at a place.
std::string update(std::uint16_t x, std::uint16_t y) {
    std::string out;
    rfb::write_update_head(out, 1);
    write(out, rfb::Rectangle{x, y, 1, 1, rfb::Encoding::raw});
    return out + "pixl";
}

/// The update with two_pixels() in the default format: at 31, 0.
std::string drawn() {
    std::string out;
    rfb::write_update_head(out, 1);
    write(out, rfb::Rectangle{31, 0, 2, 1, rfb::Encoding::raw});
    return out + std::string("\x48\x30\x20\0\xFF\xFF\xFF\0", 8);
}

class RelayNotice : public ::testing::Test {
  protected:
    void viewer_says(const std::string& bytes) {
        ASSERT_TRUE(relay.from_viewer(bytes));
        desktop_hears += relay.take_for_desktop();
    }

    std::string viewer_gets() { return relay.take_for_viewer(); }

    Relay relay{{screen.width, screen.height, {}, "desk"}};
    std::string desktop_hears;
};

TEST_F(RelayNotice, IsTheAnswerToTheNextRequest) {
    relay.show(two_pixels());
    EXPECT_EQ(viewer_gets(), "");
    viewer_says(request());
    EXPECT_EQ(viewer_gets(), drawn());
    EXPECT_EQ(desktop_hears, request()) << "the desktop answers as well";
    viewer_says(request());
    EXPECT_EQ(viewer_gets(), "") << "once";
}

TEST_F(RelayNotice, StandsBetweenTwoUpdates) {
    viewer_says(request());
    const std::string whole = update(5, 5);
    ASSERT_TRUE(relay.from_desktop(whole.substr(0, 18)));
    relay.show(two_pixels());
    std::string got = viewer_gets();
    viewer_says(request());
    got += viewer_gets();
    ASSERT_TRUE(relay.from_desktop(whole.substr(18)));
    viewer_says(request());
    EXPECT_EQ(got + viewer_gets(), whole + drawn());
}

TEST_F(RelayNotice, ComesInTheViewersFormat) {
    rfb::PixelFormat few;
    few.bits_per_pixel = 16;
    few.depth = 16;
    few.big_endian = true;
    few.red_max = 31;
    few.green_max = 63;
    few.blue_max = 31;
    few.red_shift = 11;
    few.green_shift = 5;
    std::string hello;
    write(hello, rfb::SetPixelFormat{few});
    viewer_says(hello + request());
    relay.show(two_pixels());
    EXPECT_EQ(viewer_gets().substr(16), "\x19\x68\xFF\xFF"); // 3, 11, 8 of 31, 63, 31
}

TEST_F(RelayNotice, IsNotDrawnInAPalettesColours) {
    rfb::PixelFormat palette;
    palette.bits_per_pixel = 8;
    palette.depth = 8;
    palette.true_colour = false;
    std::string hello;
    write(hello, rfb::SetPixelFormat{palette});
    viewer_says(hello + request());
    relay.show(two_pixels());
    EXPECT_EQ(viewer_gets(), "");
}

TEST_F(RelayNotice, IsDrawnAgainWhereTheDesktopHasDrawnOverIt) {
    viewer_says(request());
    relay.show(two_pixels());
    viewer_gets();
    ASSERT_TRUE(relay.from_desktop(update(5, 5)));
    viewer_says(request());
    relay.redraw_notice();
    EXPECT_EQ(viewer_gets(), update(5, 5)) << "not over it";
    ASSERT_TRUE(relay.from_desktop(update(32, 0)));
    viewer_says(request());
    relay.redraw_notice();
    EXPECT_EQ(viewer_gets(), update(32, 0) + drawn());
}

TEST_F(RelayNotice, TakenAwayTheDesktopDrawsWhatWasUnderIt) {
    viewer_says(request());
    relay.show(two_pixels());
    viewer_gets();
    desktop_hears.clear();
    relay.show(nullptr);
    std::string asked;
    write(asked, rfb::UpdateRequest{false, 31, 0, 2, 1});
    EXPECT_EQ(relay.take_for_desktop(), asked);
    EXPECT_EQ(viewer_gets(), "");
    relay.show(nullptr);
    EXPECT_EQ(relay.take_for_desktop(), "");
}

TEST_F(RelayNotice, EndsWithTheSwitch) {
    viewer_says(request());
    relay.show(two_pixels());
    viewer_gets();
    relay.prepare({screen.width, screen.height, {}, "other"});
    ASSERT_TRUE(relay.may_cut());
    ASSERT_TRUE(relay.cut());
    viewer_gets();
    relay.redraw_notice();
    EXPECT_EQ(viewer_gets(), "");
    relay.take_for_desktop();
    relay.show(nullptr);
    EXPECT_EQ(relay.take_for_desktop(), "") << "the new picture has covered it";
}

TEST_F(RelayNotice, IsSeenWithoutADesktopToo) {
    viewer_says(request());
    ASSERT_TRUE(relay.desktop_lost());
    relay.show(two_pixels());
    EXPECT_EQ(viewer_gets(), drawn());
}

TEST(Notice, IsCutOffWhereTheScreenIsSmaller) {
    const Notice wide{4, 2, std::string(8, '\0')};
    const auto place = place_of(wide, {3, 1});
    EXPECT_EQ(place.x, 0);
    EXPECT_EQ(place.width, 3);
    EXPECT_EQ(place.height, 1);
    std::string out;
    write_notice(out, wide, {3, 1}, {});
    EXPECT_EQ(out.size(), 16U + 3 * 4);
}

TEST(Lettering, DrawsBothScriptsAndIsNotUpsetByGarbage) {
    auto letters = Lettering::open("/usr/share/fonts/truetype/nanum/NanumGothic.ttf");
    ASSERT_TRUE(letters) << letters.error().message();
    const auto drawn_as = [&](std::string_view text) { return (*letters)->draw(text).value(); };
    const Notice english = drawn_as("Your desk is moving");
    const Notice korean = drawn_as("데스크를 옮기고 있습니다");
    for (const Notice& notice : {english, korean}) {
        EXPECT_EQ(notice.coverage.size(), std::size_t{notice.width} * notice.height);
        EXPECT_NE(notice.coverage.find('\xFF'), std::string::npos);
    }
    EXPECT_NE(korean.coverage, drawn_as("데스크를 옮기고 있습니디").coverage);
    EXPECT_EQ(drawn_as("\xFF\xC3").width, drawn_as("\xEF\xBF\xBD\xEF\xBF\xBD").width);
    EXPECT_EQ(drawn_as(std::string(100'000, 'W')).width, 1000);
    EXPECT_EQ((*letters)->draw("").error().code, Errc::invalid_argument);
    EXPECT_EQ(Lettering::open("/nowhere.ttf").error().code, Errc::not_found);
    EXPECT_EQ(Lettering::open("/proc/self/status").error().code, Errc::corrupt);
}

} // namespace
} // namespace baton::gateway
