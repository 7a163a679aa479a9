#include "viewer/layout.h"
#include "viewer/scaling.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <vector>

namespace baton::viewer {
namespace {

TEST(Layout, FitsWithTheDesktopsOwnProportions) {
    const Layout wide(Scale::fit, {1600, 800}, 800, 600, {});
    EXPECT_EQ(wide.source(), (Area{0, 0, 1600, 800}));
    EXPECT_EQ(wide.target(), (Area{0, 100, 800, 400}));
    const Layout high(Scale::fit, {600, 800}, 800, 400, {});
    EXPECT_EQ(high.target(), (Area{250, 0, 300, 400}));
    EXPECT_TRUE(high.scaled());
    EXPECT_FALSE(Layout(Scale::fit, {800, 600}, 800, 600, {}).scaled());
}

TEST(Layout, ShowsTheDesktopPixelByPixel) {
    const Layout small(Scale::one_to_one, {400, 300}, 800, 600, {});
    EXPECT_EQ(small.target(), (Area{200, 150, 400, 300}));
    EXPECT_EQ(small.under({200, 150}), (Spot{0, 0}));
    EXPECT_EQ(small.under({0, 0}), (Spot{0, 0}));
    EXPECT_EQ(small.under({799, 599}), (Spot{399, 299}));
    // of a larger one every corner can be reached with the pointer
    const Layout begin(Scale::one_to_one, {1000, 900}, 800, 600, {0, 0});
    EXPECT_EQ(begin.under({0, 0}), (Spot{0, 0}));
    const Layout end(Scale::one_to_one, {1000, 900}, 800, 600, {799, 599});
    EXPECT_EQ(end.under({799, 599}), (Spot{999, 899}));
}

Layout any_layout(rfb::Size desktop, int width, int height) {
    const Spot pointer{*rc::gen::inRange(0, width), *rc::gen::inRange(0, height)};
    return {*rc::gen::element(Scale::fit, Scale::one_to_one), desktop, width, height, pointer};
}

RC_GTEST_PROP(LayoutProperty, StaysOnTheWindow, ()) {
    const rfb::Size desktop{static_cast<std::uint16_t>(*rc::gen::inRange(1, 3000)),
                            static_cast<std::uint16_t>(*rc::gen::inRange(1, 3000))};
    const int width = *rc::gen::inRange(1, 2000);
    const int height = *rc::gen::inRange(1, 2000);
    const Layout layout = any_layout(desktop, width, height);
    const Area window{0, 0, width, height};
    RC_ASSERT(common(layout.target(), window) == layout.target());
    RC_ASSERT(common(layout.source(), {0, 0, desktop.width, desktop.height}) == layout.source());
    const Area part{*rc::gen::inRange(0, 3000), *rc::gen::inRange(0, 3000), 40, 30};
    const Area seen = layout.on_window(part);
    if (!seen.empty())
        RC_ASSERT(common(seen, layout.target()) == seen);
    const Spot spot = layout.under({*rc::gen::inRange(-10, 3000), *rc::gen::inRange(-10, 3000)});
    RC_ASSERT(spot.x >= 0 && spot.x < desktop.width && spot.y >= 0 && spot.y < desktop.height);
}

/// What changed on the desktop is all that changes on the window, drawn in parts or as a whole.
RC_GTEST_PROP(LayoutProperty, PartsDrawWhatTheWholeDraws, ()) {
    const rfb::Size desktop{static_cast<std::uint16_t>(*rc::gen::inRange(1, 60)),
                            static_cast<std::uint16_t>(*rc::gen::inRange(1, 60))};
    const int width = *rc::gen::inRange(1, 90);
    const int height = *rc::gen::inRange(1, 90);
    const Layout layout = any_layout(desktop, width, height);
    picture::Framebuffer screen(desktop);
    for (int y = 0; y < desktop.height; ++y)
        for (int x = 0; x < desktop.width; ++x)
            screen.fill({x, y, 1, 1}, static_cast<std::uint32_t>(x * 0x030507 + y * 0x0B0D11));
    std::vector<std::uint32_t> parts(static_cast<std::size_t>(width) *
                                     static_cast<std::size_t>(height));
    const auto stride = static_cast<std::size_t>(width);
    draw_area(screen, layout, layout.target(), parts.data(), stride);
    const int x = *rc::gen::inRange<int>(0, desktop.width);
    const int y = *rc::gen::inRange<int>(0, desktop.height);
    const Area part{x, y, *rc::gen::inRange<int>(1, desktop.width - x + 1),
                    *rc::gen::inRange<int>(1, desktop.height - y + 1)};
    screen.fill(part, 0xFFFFFF);
    if (const Area seen = layout.on_window(part); !seen.empty())
        draw_area(screen, layout, seen, parts.data(), stride);
    std::vector<std::uint32_t> whole(parts.size());
    draw_area(screen, layout, layout.target(), whole.data(), stride);
    RC_ASSERT(parts == whole);
}

TEST(Scaling, KeepsAFlatColourAndItsEdges) {
    picture::Framebuffer screen(rfb::Size{7, 5});
    screen.fill({0, 0, 7, 5}, 0x81FE01);
    const Layout layout(Scale::fit, {7, 5}, 70, 50, {});
    std::vector<std::uint32_t> window(70 * 50);
    draw_area(screen, layout, layout.target(), window.data(), 70);
    EXPECT_EQ(window, std::vector<std::uint32_t>(window.size(), 0x81FE01));
}

} // namespace
} // namespace baton::viewer
