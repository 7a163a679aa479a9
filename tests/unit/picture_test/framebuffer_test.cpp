#include "picture/framebuffer.h"
#include "support/rfb_pictures.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace baton::picture {
namespace {

Area some_area(int width, int height) {
    const int w = *rc::gen::inRange(1, width + 1);
    const int h = *rc::gen::inRange(1, height + 1);
    return {*rc::gen::inRange(0, width - w + 1), *rc::gen::inRange(0, height - h + 1), w, h};
}

RC_GTEST_PROP(FramebufferProperty, CopiesAsIfThroughAnotherBuffer, ()) {
    Framebuffer screen(rfb::Size{30, 20});
    for (int y = 0; y < 20; ++y)
        for (int x = 0; x < 30; ++x)
            screen.fill({x, y, 1, 1}, static_cast<std::uint32_t>(y * 30 + x));
    const Framebuffer before = screen;
    const Area to = some_area(30, 20);
    const int x = *rc::gen::inRange(0, 30 - to.width + 1);
    const int y = *rc::gen::inRange(0, 20 - to.height + 1);
    screen.copy(to, x, y);
    for (int row = 0; row < 20; ++row)
        for (int column = 0; column < 30; ++column) {
            const bool inside =
                row >= to.y && row < to.y + to.height && column >= to.x && column < to.x + to.width;
            const auto from_y = static_cast<std::size_t>(inside ? row - to.y + y : row);
            const int from_x = inside ? column - to.x + x : column;
            RC_ASSERT(screen.row(static_cast<std::size_t>(row))[column] ==
                      before.row(from_y)[from_x]);
        }
}

RC_GTEST_PROP(DamageProperty, CoversEverythingAndStaysShort, ()) {
    Damage damage;
    std::vector<Area> drawn(*rc::gen::inRange<std::size_t>(0, 200));
    for (Area& area : drawn) {
        area = some_area(1000, 1000);
        damage.add(area);
    }
    RC_ASSERT(damage.areas().size() <= Damage::most_areas);
    for (const Area& area : drawn)
        RC_ASSERT(std::any_of(damage.areas().begin(), damage.areas().end(),
                              [&](const Area& one) { return common(one, area) == area; }));
}

TEST(Damage, JoinsNeighbours) {
    Damage damage;
    for (int x = 0; x < 640; x += 64)
        damage.add({x, 0, 64, 48});
    EXPECT_EQ(damage.areas(), std::vector<Area>({Area{0, 0, 640, 48}}));
}

} // namespace
} // namespace baton::picture
