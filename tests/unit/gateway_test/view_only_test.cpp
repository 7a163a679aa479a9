/// What of a view-only viewer's words reaches a desktop, whole and in pieces.
#include "gateway/relay.h"
#include "rfb/client_messages.h"

#include <gtest/gtest.h>

namespace baton::gateway {
namespace {

std::string input_and_a_request() {
    std::string out;
    write(out, rfb::KeyEvent{true, 'a'});
    write(out, rfb::QemuKey{true, 'a', 30});
    write(out, rfb::PointerEvent{1, 5, 5});
    out += std::string_view("\6\0\0\0\0\0\0\5hello", 13);
    write(out, rfb::SetDesktopSize{10, 10, {}});
    write(out, rfb::UpdateRequest{true, 0, 0, 64, 64});
    return out;
}

TEST(RelayViewOnly, LooksAndDoesNothingElse) {
    std::string request;
    write(request, rfb::UpdateRequest{true, 0, 0, 64, 64});
    for (const std::size_t piece : {1U, 2U, 7U, 1000U}) {
        Relay relay({64, 64, {}, "desk"}, Access::view_only);
        std::string heard;
        const std::string all = input_and_a_request();
        for (std::size_t at = 0; at < all.size(); at += piece) {
            ASSERT_TRUE(relay.from_viewer(std::string_view(all).substr(at, piece)));
            heard += relay.take_for_desktop();
        }
        EXPECT_EQ(heard, request) << piece;
    }
}

TEST(RelayViewOnly, FullAccessIsHeard) {
    Relay relay({64, 64, {}, "desk"});
    ASSERT_TRUE(relay.from_viewer(input_and_a_request()));
    EXPECT_EQ(relay.take_for_desktop().substr(0, 1), "\4");
}

} // namespace
} // namespace baton::gateway
