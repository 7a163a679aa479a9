#include "net/vnc_password.h"

#include <gtest/gtest.h>

namespace baton::net {
namespace {

TEST(VncPassword, IsDesWithReversedBits) {
    std::array<std::uint8_t, 16> challenge{};
    for (std::size_t i = 0; i < challenge.size(); ++i)
        challenge[i] = static_cast<std::uint8_t>(i);
    // openssl enc -des-ecb (legacy provider) -K cea6c64ea62e0000, "secret" with each byte's bits
    // reversed, over the bytes 0 to 15
    const std::array<std::uint8_t, 16> expected{0xEE, 0x22, 0x53, 0x9F, 0x33, 0xA5, 0x98, 0x3E,
                                                0xC1, 0x2F, 0x9C, 0x2E, 0xDB, 0xC9, 0x95, 0xDD};
    EXPECT_EQ(answer_vnc_challenge("secret", challenge), expected);
    EXPECT_NE(answer_vnc_challenge("secreT", challenge), expected);
    EXPECT_EQ(answer_vnc_challenge("12345678", challenge),
              answer_vnc_challenge("123456789", challenge))
        << "eight bytes count";
}

} // namespace
} // namespace baton::net
