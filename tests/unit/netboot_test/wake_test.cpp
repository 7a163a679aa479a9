#include "netboot/wake.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

namespace baton::netboot::testing {
namespace {

TEST(Wake, ThePacketIsSixTimesFfAndSixteenTimesTheAddress) {
    const auto packet = magic_packet("52:54:00:99:0A:ff").value();
    EXPECT_TRUE(std::all_of(packet.begin(), packet.begin() + 6, [](auto b) { return b == 0xff; }));
    const std::array<std::uint8_t, 6> mac{0x52, 0x54, 0x00, 0x99, 0x0a, 0xff};
    for (std::size_t i = 6; i < packet.size(); ++i)
        EXPECT_EQ(packet.at(i), mac.at(i % 6)) << i;
}

TEST(Wake, WhatIsNoAddressIsRefused) {
    for (const auto* text : {"", "52:54:00:99:0a", "52-54-00-99-0a-ff", "52:54:00:99:0a:f",
                             "52:54:00:99:0a:fg", "52:54:00:99:0a:+f", "52:54:00:99:0a:ff:"})
        EXPECT_FALSE(magic_packet(text)) << text;
}

TEST(Wake, NothingIsSentWhereNothingMayBe) {
    const auto packet = magic_packet("52:54:00:99:00:01").value();
    EXPECT_EQ(send_magic("lo", packet).error().code, Errc::invalid_argument);
    EXPECT_EQ(send_magic("eth*", packet).error().code, Errc::invalid_argument);
    EXPECT_EQ(send_magic("no-such-card", packet).error().code, Errc::not_found);
}

RC_GTEST_PROP(Wake, AnyBytesAreAnAddressOrNone, (const std::string& text)) {
    const auto packet = magic_packet(text);
    RC_ASSERT(!packet || text.size() == 17);
}

} // namespace
} // namespace baton::netboot::testing
