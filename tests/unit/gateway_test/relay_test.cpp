#include "gateway/relay.h"
#include "rfb/server_messages.h"
#include "support/rfb_models.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

namespace baton::gateway {
namespace {

using rfb::Encoding;
using rfb::Inflater;
using rfb::PixelFormat;
using rfb::ServerInit;
using rfb::Size;

ServerInit init_of(Size size) {
    return {size.width, size.height, PixelFormat{}, "desk"};
}

/// A desktop whose bytes reach the relay in any pieces, and what it hears.
struct Backend {
    explicit Backend(Size its_size) : size(its_size) {}

    Size size;
    rfb::Desktop streams;
    std::string said;               ///< all of its stream so far
    std::size_t fed = 0;            ///< of it, to the relay
    std::vector<std::size_t> ends;  ///< in `said`, of each rectangle with a text
    std::vector<std::string> texts; ///< and the texts
    rfb::ClientReader reader;
    std::string heard;
    std::set<std::uint32_t> keys; ///< that it believes to be down
    std::uint8_t buttons = 0;

    void draw() {
        const auto count = *rc::gen::inRange(0U, 4U);
        said += std::string(2, '\0') + rfb::be16(count);
        for (unsigned i = 0; i < count; ++i) {
            texts.push_back(rfb::some_text());
            said += streams.rectangle(
                static_cast<Inflater>(*rc::gen::inRange<std::size_t>(0, rfb::inflaters)),
                texts.back());
            ends.push_back(said.size());
        }
    }

    void hear(const std::string& bytes) {
        heard += bytes;
        std::size_t at = 0;
        for (;;) {
            const auto event = reader.next(std::string_view(heard).substr(at));
            RC_ASSERT(event.has_value());
            if (event->part == rfb::ClientEvent::Part::need_more)
                break;
            at += event->bytes.size();
            if (!event->message)
                continue;
            if (const auto* key = std::get_if<rfb::QemuKey>(&*event->message)) {
                if (key->down)
                    keys.insert(key->keycode);
                else
                    RC_ASSERT(keys.erase(key->keycode) == 1U);
            }
            if (const auto* pointer = std::get_if<rfb::PointerEvent>(&*event->message)) {
                RC_ASSERT(pointer->x < size.width);
                RC_ASSERT(pointer->y < size.height);
                buttons = pointer->buttons;
            }
        }
        heard.erase(0, at);
    }

    /// Texts of the rectangles that the relay has had whole.
    [[nodiscard]] std::vector<std::string> shown() const {
        std::vector<std::string> whole;
        for (std::size_t i = 0; i < ends.size() && ends[i] <= fed; ++i)
            whole.push_back(texts[i]);
        return whole;
    }
};

Size some_size() {
    return {static_cast<std::uint16_t>(*rc::gen::element(64, 80, 100)),
            static_cast<std::uint16_t>(*rc::gen::element(64, 70))};
}

/// A person, their viewer, the relay, and desktops that come and go.
class Scene {
  public:
    Scene() : desktop_(std::make_unique<Backend>(Size{64, 64})), relay_(init_of(desktop_->size)) {
        std::string hello;
        std::vector<Encoding> encodings{Encoding::tight, Encoding::cursor,
                                        Encoding::extended_desktop_size};
        if (*rc::gen::arbitrary<bool>())
            encodings.push_back(Encoding::last_rect);
        write_encodings(hello, encodings);
        RC_ASSERT(relay_.from_viewer(hello).has_value());
        deliver();
    }

    void step() {
        switch (*rc::gen::inRange(0, 12)) {
        case 0:
        case 1:
            person();
            break;
        case 2:
        case 3:
            if (desktop_)
                desktop_->draw();
            break;
        case 4:
        case 5:
        case 6:
            feed();
            break;
        case 7:
            next_ = std::make_unique<Backend>(some_size());
            next_->hear(relay_.prepare(init_of(next_->size)));
            break;
        case 8:
            cut();
            break;
        case 9:
            relay_.show(*rc::gen::arbitrary<bool>() ? notice_ : nullptr);
            break;
        case 10:
            relay_.redraw_notice();
            break;
        default:
            lose();
            break;
        }
        deliver();
    }

    void finish() {
        lose();
        deliver();
        RC_ASSERT(viewer_.reader.at_boundary());
        RC_ASSERT(viewer_.seen == shown_);
        RC_ASSERT(relay_.waiting_for_viewer() == 0U);
    }

  private:
    void person() {
        std::string bytes;
        const auto key = *rc::gen::inRange(1U, 4U);
        switch (*rc::gen::inRange(0, 4)) {
        case 0:
            write(bytes, rfb::UpdateRequest{true, 0, 0, 64, 64});
            break;
        case 1:
            write(bytes, rfb::PointerEvent{*rc::gen::arbitrary<std::uint8_t>(),
                                           *rc::gen::arbitrary<std::uint16_t>(), 3});
            break;
        default:
            if (pressed_.erase(key) == 0) {
                pressed_.insert(key);
                write(bytes, rfb::QemuKey{true, 'x', key});
            } else {
                write(bytes, rfb::QemuKey{false, 'x', key});
            }
            break;
        }
        typed_ += bytes;
        const auto some = *rc::gen::inRange<std::size_t>(0, typed_.size() + 1);
        RC_ASSERT(relay_.from_viewer(std::string_view(typed_).substr(0, some)).has_value());
        typed_.erase(0, some);
    }

    void feed() {
        if (!desktop_)
            return;
        const auto left = desktop_->said.size() - desktop_->fed;
        const auto some = *rc::gen::inRange<std::size_t>(0, left + 1);
        RC_ASSERT(relay_.from_desktop(std::string_view(desktop_->said).substr(desktop_->fed, some))
                      .has_value());
        desktop_->fed += some;
    }

    void cut() {
        if (!relay_.may_cut())
            return;
        deliver();
        RC_ASSERT(relay_.cut().has_value());
        const std::string last = relay_.take_for_old();
        if (desktop_) {
            desktop_->hear(last);
            RC_ASSERT(desktop_->keys.empty());
            RC_ASSERT(desktop_->buttons == 0);
            retire();
        } else {
            RC_ASSERT(last.empty());
        }
        desktop_ = std::move(next_);
    }

    void lose() {
        if (!desktop_)
            return;
        RC_ASSERT(relay_.desktop_lost().has_value());
        retire();
        desktop_.reset();
        RC_ASSERT(!relay_.has_desktop());
    }

    void retire() {
        for (auto& text : desktop_->shown())
            shown_.push_back(std::move(text));
    }

    /// What waits reaches its end; the viewer never has half a rectangle.
    void deliver() {
        viewer_.feed(relay_.take_for_viewer());
        RC_ASSERT(!viewer_.inside);
        const std::string told = relay_.take_for_desktop();
        if (desktop_)
            desktop_->hear(told);
        RC_ASSERT(desktop_ || told.empty());
        if (relay_.has_desktop())
            RC_ASSERT(relay_.viewer().size() == viewer_.reader.size());
    }

    std::unique_ptr<Backend> desktop_;
    std::unique_ptr<Backend> next_;
    Relay relay_;
    std::shared_ptr<const Notice> notice_ =
        std::make_shared<const Notice>(Notice{70, 5, std::string(70 * 5, 'n')});
    rfb::Viewer viewer_;
    std::string typed_; ///< that has not reached the relay
    std::set<std::uint32_t> pressed_;
    std::vector<std::string> shown_;
};

TEST(Relay, TheViewersStreamIsWholeWhateverHappensBehindIt) {
    EXPECT_TRUE(rc::check("the viewer's stream is whole whatever happens", [] {
        Scene scene;
        for (int steps = *rc::gen::inRange(0, 80); steps > 0; --steps)
            scene.step();
        scene.finish();
    }));
}

std::string written_format(const PixelFormat& format) {
    std::string bytes;
    write(bytes, rfb::SetPixelFormat{format});
    return bytes;
}

PixelFormat small_format() {
    PixelFormat format;
    format.bits_per_pixel = 16;
    return format;
}

TEST(Relay, APreparedDesktopIsOutOfDateWhenTheViewerWantsAnotherFormat) {
    Relay relay(init_of({64, 64}));
    relay.prepare(init_of({64, 64}));
    EXPECT_TRUE(relay.may_cut());
    ASSERT_TRUE(relay.from_viewer(written_format(small_format())));
    EXPECT_FALSE(relay.may_cut());
    EXPECT_EQ(relay.take_for_desktop(), written_format(small_format()));
    const std::string opening = relay.prepare(init_of({64, 64}));
    EXPECT_EQ(opening.substr(0, 20), written_format(small_format()));
    ASSERT_TRUE(relay.may_cut());
    ASSERT_TRUE(relay.cut());

    // asked for after the cut, while the first picture waits: it would be misread
    ASSERT_TRUE(relay.from_viewer(written_format(PixelFormat{})));
    const auto refused = relay.from_desktop(std::string(4, '\0'));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::conflict);
    EXPECT_TRUE(relay.desktop_lost());
    EXPECT_FALSE(relay.has_desktop());
    relay.prepare(init_of({64, 64}));
    ASSERT_TRUE(relay.may_cut());
    ASSERT_TRUE(relay.cut());
    EXPECT_TRUE(relay.from_desktop(rfb::update({rfb::head(0, 0, 1, 1, 0) + std::string(4, 'p')})));
    EXPECT_TRUE(relay.viewer().format() == PixelFormat{});
}

TEST(Relay, WaitsForTheMessageUnderWayBeforeItCuts) {
    Relay relay(init_of({64, 64}));
    relay.prepare(init_of({64, 64}));
    const std::string update = rfb::update({rfb::head(0, 0, 2, 2, 0) + std::string(16, 'p')});
    ASSERT_TRUE(relay.from_desktop(update.substr(0, 20)));
    EXPECT_FALSE(relay.may_cut());
    EXPECT_EQ(relay.take_for_viewer().size(), 4U)
        << "the head of the update, and no half rectangle";
    ASSERT_TRUE(relay.from_desktop(update.substr(20)));
    EXPECT_TRUE(relay.may_cut());
}

TEST(Relay, ALargeRectanglePassesInPiecesAndCannotBeLost) {
    const Size size{1024, 1024};
    Relay relay(init_of(size));
    const std::string update =
        rfb::update({rfb::head(0, 0, 1024, 1024, 0) + std::string(4 * 1024 * 1024, 'p')});
    ASSERT_TRUE(relay.from_desktop(update.substr(0, Relay::most_held_bytes / 2)));
    EXPECT_EQ(relay.take_for_viewer().size(), 4U);
    ASSERT_TRUE(
        relay.from_desktop(update.substr(Relay::most_held_bytes / 2, Relay::most_held_bytes)));
    EXPECT_GT(relay.take_for_viewer().size(), Relay::most_held_bytes);
    EXPECT_EQ(relay.waiting_for_viewer(), 0U);
    const auto lost = relay.desktop_lost();
    ASSERT_FALSE(lost);
    EXPECT_EQ(lost.error().code, Errc::unavailable);
}

TEST(Relay, RefusesASizeThatTheViewerCannotLearnOf) {
    Relay relay(init_of({64, 64}));
    relay.prepare(init_of({80, 64}));
    ASSERT_TRUE(relay.may_cut());
    const auto refused = relay.cut();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::unsupported);
    EXPECT_TRUE(relay.has_desktop()) << "the old one serves on";
    EXPECT_TRUE(relay.from_desktop(std::string(4, '\0')));
}

TEST(Relay, GarbageFromEitherSideIsASentence) {
    EXPECT_TRUE(rc::check("garbage is a sentence", [] {
        Relay relay(init_of({64, 64}));
        for (int i = *rc::gen::inRange(1, 5); i > 0; --i) {
            const auto garbage = *rc::gen::arbitrary<std::string>();
            const auto outcome = *rc::gen::arbitrary<bool>() ? relay.from_viewer(garbage)
                                                             : relay.from_desktop(garbage);
            if (!outcome) {
                RC_ASSERT(!outcome.error().what.empty());
                RC_ASSERT(relay.desktop_lost().has_value());
                return;
            }
        }
    }));
}

} // namespace
} // namespace baton::gateway
