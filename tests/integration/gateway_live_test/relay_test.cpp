/// The way to a screen over a host's relay: mutual TLS, one line, one answer.
#include "fake_relay.h"
#include "fake_screen.h"
#include "peer.h"

namespace baton::gateway {
namespace {

TEST(GatewayRelay, ScreensAreReachedOverTheHostsRelays) {
    const testing::TemporaryDirectory folder;
    const FakeScreen one(folder.file("one"), red);
    const FakeScreen two(folder.file("two"), blue);
    Site site({}, true);
    const FakeRelay host1(site.certificates().server(), one.address());
    const FakeRelay host2(site.certificates().server(), two.address());
    const Certificates elsewhere;
    const FakeRelay stranger(elsewhere.server(), two.address());
    site.director().add_user("kim", "s3cret-7", grant_for("s-1", host1.place(FakeRelay::ticket())));
    Onlooker kim(site.trusted(), site.gateway().vnc_port(), "kim", "s3cret-7");
    const auto sees = [&](std::uint32_t colour) {
        return kim.look_until([&] { return kim.picture().at(0, 0) == colour; });
    };
    ASSERT_TRUE(sees(red));
    const auto refused = site.point("s-1", host2.place(std::string(32, 'f')));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::unavailable);
    EXPECT_NE(refused.error().what.find("unknown desktop or ticket"), std::string::npos);
    const auto untrusted = site.point("s-1", stranger.place(FakeRelay::ticket()));
    ASSERT_FALSE(untrusted);
    EXPECT_EQ(untrusted.error().code, Errc::unauthenticated) << untrusted.error().message();
    for (int turn = 1; turn <= 6; ++turn) {
        const bool odd = turn % 2 == 1;
        const auto switched = site.point("s-1", (odd ? host2 : host1).place(FakeRelay::ticket()));
        ASSERT_TRUE(switched) << switched.error().message();
        ASSERT_TRUE(sees(odd ? blue : red)) << turn;
    }
}

} // namespace
} // namespace baton::gateway
