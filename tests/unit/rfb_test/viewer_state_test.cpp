#include "rfb/limits.h"
#include "rfb/switch_plan.h"
#include "rfb/viewer_state.h"
#include "support/rfb_streams.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <map>
#include <string>
#include <vector>

namespace baton::rfb {
namespace {

/// What the desktop hears of one message.
template <class Message>
std::string heard(ViewerState& viewer, const Message& message) {
    std::string wire;
    write(wire, message);
    ClientReader reader;
    const auto event = reader.next(wire);
    return event ? std::string(viewer.pass(*event)) : "refused";
}

template <class Message>
std::string written(const Message& message) {
    std::string wire;
    write(wire, message);
    return wire;
}

ViewerState example_viewer() {
    return {Size{800, 600}, PixelFormat{}};
}

TEST(RfbKeysHeld, WhatIsHeldIsLetGoAndItsRestSwallowed) {
    KeysHeld keys;
    const Size size{800, 600};
    EXPECT_TRUE(keys.take(KeyEvent{true, 0xFFE1}));
    EXPECT_TRUE(keys.take(KeyEvent{true, 'A'}));
    EXPECT_TRUE(keys.take(KeyEvent{true, 'A'})) << "a repeat";
    EXPECT_TRUE(keys.take(QemuKey{true, 'k', 37}));
    EXPECT_EQ(keys.take(PointerEvent{5, 100, 5000}, size), (PointerEvent{5, 100, 599}));
    EXPECT_EQ(keys.keys(), 3U);

    std::string out;
    keys.let_go(out, size);
    EXPECT_EQ(out, written(KeyEvent{false, 0xFFE1}) + written(KeyEvent{false, 'A'}) +
                       written(QemuKey{false, 'k', 37}) + written(PointerEvent{0, 100, 599}));
    EXPECT_EQ(keys.keys(), 0U);
    EXPECT_EQ(keys.buttons(), 0);

    EXPECT_FALSE(keys.take(KeyEvent{true, 'A'})) << "a repeat would type into the new desktop";
    EXPECT_FALSE(keys.take(KeyEvent{false, 'A'}));
    EXPECT_TRUE(keys.take(KeyEvent{true, 'A'})) << "a press of its own";
    EXPECT_FALSE(keys.take(QemuKey{false, 'k', 37}));
    EXPECT_EQ(keys.take(PointerEvent{5, 7, 8}, size), (PointerEvent{0, 7, 8}));
    EXPECT_EQ(keys.take(PointerEvent{6, 7, 8}, size), (PointerEvent{2, 7, 8}));
    EXPECT_EQ(keys.take(PointerEvent{5, 7, 8}, size), (PointerEvent{1, 7, 8}))
        << "the left button was let go and pressed again";

    out.clear();
    keys.let_go(out, size);
    EXPECT_EQ(out, written(KeyEvent{false, 'A'}) + written(PointerEvent{0, 7, 8}));
}

TEST(RfbKeysHeld, AKeyReleasedUnderAnotherNameIsNotSwallowedForever) {
    for (const auto& [pressed, released] :
         std::vector<std::pair<char, char>>{{'A', 'a'}, {'!', '1'}}) {
        KeysHeld keys;
        std::string out;
        EXPECT_TRUE(keys.take(KeyEvent{true, static_cast<std::uint32_t>(pressed)}));
        keys.let_go(out, {1, 1});
        EXPECT_TRUE(keys.take(KeyEvent{false, static_cast<std::uint32_t>(released)}));
        EXPECT_TRUE(keys.take(KeyEvent{true, static_cast<std::uint32_t>(pressed)}));
    }
}

TEST(RfbKeysHeld, NoDesktopHearsHalfAPress) {
    EXPECT_TRUE(rc::check("no desktop hears half a press", [] {
        KeysHeld keys;
        std::map<std::uint32_t, bool> physical; // what the person holds
        std::map<std::uint32_t, bool> desktop;  // what the present desktop believes
        std::map<std::uint32_t, bool> pressed_here;
        for (int i = *rc::gen::inRange(0, 60); i > 0; --i) {
            const auto code = *rc::gen::inRange(1U, 5U);
            if (*rc::gen::inRange(0, 8) == 0) {
                std::string out;
                keys.let_go(out, {1, 1});
                ClientReader reader;
                std::string_view rest = out;
                while (!rest.empty()) {
                    const auto event = reader.next(rest);
                    RC_ASSERT(event.has_value());
                    const auto& key = std::get<QemuKey>(*event->message);
                    RC_ASSERT(!key.down);
                    RC_ASSERT(desktop[key.keycode]);
                    desktop[key.keycode] = false;
                    rest.remove_prefix(event->bytes.size());
                }
                for (const auto& [key, down] : desktop)
                    RC_ASSERT(!down);
                pressed_here.clear();
                continue;
            }
            const bool repeat = physical[code] && *rc::gen::arbitrary<bool>();
            const bool down = !physical[code] || repeat;
            const bool starts = down && !physical[code];
            physical[code] = down;
            if (starts)
                pressed_here[code] = true;
            const bool passed = keys.take(QemuKey{down, 0, code});
            RC_ASSERT(passed == pressed_here[code]);
            if (passed)
                desktop[code] = down;
        }
    }));
}

TEST(RfbKeysHeld, HoldsABoundedNumber) {
    KeysHeld keys;
    for (std::uint32_t key = 0; key < 2 * most_keys_held; ++key)
        EXPECT_EQ(keys.take(KeyEvent{true, key}), key < most_keys_held);
    std::string out;
    keys.let_go(out, {1, 1});
    EXPECT_EQ(out.size(), std::size_t{most_keys_held} * 8);
}

TEST(RfbViewerState, PassesOnWhatADesktopIsToHear) {
    ViewerState viewer = example_viewer();
    std::string list;
    for (const Encoding encoding :
         {Encoding::tight, Encoding{0x574D5669}, Encoding::qemu_audio, Encoding::fence,
          Encoding::quality_9, Encoding::continuous_updates, Encoding::last_rect,
          Encoding::qemu_extended_key, Encoding::extended_clipboard, Encoding::trle})
        put32(list, number_of(encoding));
    std::string expected;
    const std::vector<Encoding> passed{Encoding::tight, Encoding::quality_9, Encoding::last_rect,
                                       Encoding::qemu_extended_key, Encoding::extended_clipboard};
    write_encodings(expected, passed);
    EXPECT_EQ(heard(viewer, SetEncodings{list}), expected);
    EXPECT_EQ(viewer.encodings_passed(), passed);
    EXPECT_EQ(viewer.encodings().size(), 10U);
    EXPECT_TRUE(viewer.asked(Encoding::fence));

    EXPECT_EQ(heard(viewer, Fence{1, "abc"}), "");
    EXPECT_EQ(heard(viewer, EnableContinuousUpdates{}), "");
    EXPECT_EQ(heard(viewer, Xvp{2}), "");
    EXPECT_EQ(heard(viewer, QemuAudio{}), "");
    EXPECT_EQ(heard(viewer, PointerEvent{1, 900, 5}), written(PointerEvent{1, 799, 5}));
    const KeyEvent key{true, 'x'};
    EXPECT_EQ(heard(viewer, key), written(key));

    EXPECT_FALSE(viewer.wants_update());
    const UpdateRequest request{true, 1, 2, 3, 4};
    EXPECT_EQ(heard(viewer, request), written(request));
    EXPECT_TRUE(viewer.wants_update());
    viewer.update_ended();
    EXPECT_FALSE(viewer.wants_update());
    viewer.need_everything();
    EXPECT_EQ(heard(viewer, request), written(UpdateRequest{false, 0, 0, 800, 600}));
    EXPECT_EQ(heard(viewer, request), written(request)) << "once";
}

TEST(RfbSwitchPlan, OpensTheNewDesktopAsTheViewerWantsIt) {
    ViewerState viewer = example_viewer();
    PixelFormat format;
    format.bits_per_pixel = 16;
    heard(viewer, SetPixelFormat{format});
    heard(viewer, SetEncodings{be32(7) + be32(16) + be32(99)});
    const Opening opening = opening_for(viewer, {1024, 768});
    std::string wire;
    write_opening(wire, opening);
    std::string expected = written(SetPixelFormat{format});
    write_encodings(expected, {Encoding::tight, Encoding::zrle});
    expected += written(UpdateRequest{false, 0, 0, 1024, 768});
    EXPECT_EQ(wire, expected);
    EXPECT_TRUE(fits(opening, viewer));
    heard(viewer, SetPixelFormat{PixelFormat{}});
    EXPECT_FALSE(fits(opening, viewer)) << "its picture would come in the wrong format";
}

TEST(RfbSwitchPlan, TellsTheViewerOfItsNewSizeAsItCanHear) {
    const auto arrival = [](const std::vector<Encoding>& encodings, Size size) {
        ViewerState viewer = example_viewer();
        std::string list;
        for (const Encoding encoding : encodings)
            put32(list, number_of(encoding));
        heard(viewer, SetEncodings{list});
        auto bytes = write_arrival(viewer, size);
        if (bytes) {
            EXPECT_EQ(viewer.size(), size);
        }
        return bytes;
    };
    const Size other{640, 480};
    for (const Encoding way : {Encoding::extended_desktop_size, Encoding::desktop_size})
        for (const Encoding cursor :
             {Encoding::cursor, Encoding::x_cursor, Encoding::cursor_with_alpha}) {
            const auto bytes = arrival({cursor, way}, other);
            ASSERT_TRUE(bytes);
            ServerReader reader({800, 600}, PixelFormat{});
            const Walk result = walk(reader, *bytes, {});
            EXPECT_EQ(result.refused, "");
            EXPECT_TRUE(result.at_boundary);
            EXPECT_EQ(reader.size(), other);
            EXPECT_EQ(reader.rectangle().encoding, cursor);
        }
    EXPECT_EQ(arrival({}, {800, 600}).value(), "");
    const auto refused = arrival({Encoding::tight}, other);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::unsupported);
    EXPECT_NE(refused.error().what.find("800x600 to 640x480"), std::string::npos);
}

TEST(RfbEncodings, HaveNames) {
    EXPECT_EQ(name_of(Encoding::tight), "Tight");
    EXPECT_EQ(name_of(Encoding{-25}), "quality level 7");
    EXPECT_EQ(name_of(Encoding{-250}), "compression level 6");
    EXPECT_EQ(name_of(Encoding{1234}), "encoding 1234");
    EXPECT_FALSE(is_framed(Encoding::trle));
    EXPECT_TRUE(is_framed(Encoding::qemu_audio));
}

} // namespace
} // namespace baton::rfb
