/// Many switches under load; BATON_SWITCHES says how many (40).
#include "support/onlooker.h"
#include "two_desktops.h"

#include <fmt/format.h>

#include <random>

namespace baton::gateway {
namespace {

using namespace std::chrono_literals;
using testing::Onlooker;

int switches_wanted() {
    const char* text = std::getenv("BATON_SWITCHES"); // NOLINT(concurrency-mt-unsafe)
    return text == nullptr ? 40 : std::stoi(text);
}

class ManySwitches : public ::testing::TestWithParam<rfb::Encoding> {
  protected:
    /// Draws what comes for so long.
    void look_for(std::chrono::milliseconds time) {
        const auto end = std::chrono::steady_clock::now() + time;
        ASSERT_TRUE(kim.look_until([end] { return std::chrono::steady_clock::now() > end; }));
    }

    void press(char letter, bool down) {
        std::string out;
        write(out,
              rfb::QemuKey{down, static_cast<std::uint32_t>(letter), testing::scan_code(letter)});
        kim.send(out);
    }

    /// Some letters, at whatever moments of what goes on.
    std::string type_something() {
        std::string word;
        for (int i = 0; i < 5; ++i) {
            word += "qwertyasdfghzxcvbn"[dice() % 18];
            press(word.back(), true);
            look_for(std::chrono::milliseconds(dice() % 12));
            press(word.back(), false);
            look_for(std::chrono::milliseconds(dice() % 4));
        }
        return word;
    }

    [[nodiscard]] std::array<std::string, 2> said() const {
        return {two.desktops[0].scan_codes(), two.desktops[1].scan_codes()};
    }

    TwoDesktops two;
    Onlooker kim{two.site.trusted(), two.site.gateway().vnc_port(), "kim", "s3cret-7"};
    std::mt19937 dice{5};
};

TEST_P(ManySwitches, NothingIsLostAndNothingSticks) {
    std::string wishes;
    rfb::write_encodings(wishes, {GetParam(), rfb::Encoding::last_rect,
                                  rfb::Encoding::extended_desktop_size, rfb::Encoding::desktop_size,
                                  rfb::Encoding::qemu_extended_key});
    kim.send(wishes);
    const int wanted = switches_wanted();
    int compared = 0;
    for (int turn = 1; turn <= wanted; ++turn) {
        const std::size_t from = (turn + 1) % 2;
        const std::size_t to = turn % 2;
        const auto before = said();
        if (turn % 3 == 0)
            two.site.gateway().prepare(SessionId("s-1"), two.places[to]);
        look_for(std::chrono::milliseconds(dice() % 40));
        std::promise<Result<Switched>> answer;
        auto outcome = answer.get_future();
        two.site.gateway().point(
            SessionId("s-1"), two.places[to],
            [&answer](Result<Switched> switched) { answer.set_value(std::move(switched)); });
        const std::string word = type_something();
        ASSERT_TRUE(
            kim.look_until([&] { return outcome.wait_for(0s) == std::future_status::ready; }));
        const auto switched = outcome.get();
        ASSERT_TRUE(switched) << "switch " << turn << ": " << switched.error().message();
        ASSERT_EQ(switched->lost, 0U) << turn;
        ASSERT_TRUE(kim.look_until(
            [&] { return kim.complete() && kim.picture().width == (to == 0 ? 640U : 720U); }));
        // what began on the old desktop goes on on the new one
        const auto arrived = [&] {
            const auto now = said();
            return testing::typed(now[from].substr(before[from].size())) +
                   testing::typed(now[to].substr(before[to].size()));
        };
        ASSERT_TRUE(eventually([&] { return arrived() == word; }))
            << "switch " << turn << ": '" << word << "' arrived as '" << arrived() << "'";
        if (turn % 20 == 0) {
            // QEMU lets a key that comes while its machine stands still fall
            ASSERT_TRUE(eventually([&] {
                return testing::keys_held(two.desktops[to].scan_codes()) == 0;
            })) << "switch "
                << turn << ": a key sticks";
            const std::string picture = two.desktops[to].stop_and_dump();
            ASSERT_TRUE(kim.look_until_it_shows(picture)) << turn;
            two.desktops[to].go_on();
            ++compared;
        }
    }
    EXPECT_EQ(compared, wanted / 20);
    for (const auto& desktop : two.desktops)
        EXPECT_TRUE(eventually([&] { return testing::keys_held(desktop.scan_codes()) == 0; }));
    EXPECT_EQ(two.site.director().news().size(), 1U) << "one viewer, who never left";
    fmt::print("{} switches, {} pictures compared with QEMU's own\n", wanted, compared);
}

INSTANTIATE_TEST_SUITE_P(Encodings, ManySwitches,
                         ::testing::Values(rfb::Encoding::tight, rfb::Encoding::zrle),
                         [](const auto& one) {
                             return one.param == rfb::Encoding::tight ? "Tight" : "Zrle";
                         });

} // namespace
} // namespace baton::gateway
