#include "picture/clipboard.h"
#include "picture/viewing.h"
#include "rfb/client_reader.h"
#include "rfb/server_messages.h"
#include "support/rfb_wire.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace baton::picture {
namespace {

using rfb::Encoding;
namespace clip = rfb::clipboard;

/// A viewer and what it has said since the last look.
class Talk {
  public:
    explicit Talk(const Wishes& wishes = {}) : viewing_({100, 80, {}, "kim"}, wishes) {}

    Viewing& operator*() { return viewing_; }

    Viewing* operator->() { return &viewing_; }

    void hear(const std::string& bytes) {
        const auto fed = viewing_.feed(bytes);
        ASSERT_TRUE(fed.has_value()) << fed.error().message();
    }

    /// Messages; a clipboard's text is in texts().
    std::vector<rfb::ClientMessage> said() {
        said_ = viewing_.take_output();
        texts_.clear();
        std::vector<rfb::ClientMessage> messages;
        rfb::ClientReader reader;
        for (std::string_view rest = said_; !rest.empty();) {
            const auto event = reader.next(rest);
            if (!event || event->part == rfb::ClientEvent::Part::need_more)
                throw std::runtime_error("the viewer says what nobody understands");
            if (event->part == rfb::ClientEvent::Part::body)
                texts_ += event->bytes;
            else
                messages.push_back(*event->message);
            rest.remove_prefix(event->bytes.size());
        }
        return messages;
    }

    [[nodiscard]] const std::string& texts() const { return texts_; }

  private:
    Viewing viewing_;
    std::string said_;
    std::string texts_;
};

std::string raw_update() {
    return rfb::update({rfb::head(0, 0, 1, 1, 0) + "abcd"});
}

std::string extended(std::uint32_t flags, const std::string& content) {
    std::string text;
    rfb::write_server_cut_text(text, {true, flags, static_cast<std::uint32_t>(content.size())});
    return text + content;
}

TEST(Viewing, AsksForEverythingFirstAndThenForWhatChanges) {
    Talk talk;
    const auto first = talk.said();
    ASSERT_EQ(first.size(), 3U);
    EXPECT_EQ(first[0], rfb::ClientMessage(rfb::SetPixelFormat{}));
    EXPECT_EQ(first[2], rfb::ClientMessage(rfb::UpdateRequest{false, 0, 0, 100, 80}));
    talk.hear(raw_update().substr(0, 5));
    EXPECT_THAT(talk.said(), ::testing::ElementsAre(
                                 rfb::ClientMessage(rfb::UpdateRequest{true, 0, 0, 100, 80})));
    EXPECT_EQ(talk->frames(), 0U);
    talk.hear(raw_update().substr(5));
    EXPECT_EQ(talk->frames(), 1U);
    EXPECT_EQ(talk.said().size(), 0U);
}

TEST(Viewing, SaysQualityOnlyWhenAsked) {
    const auto list = [](const Wishes& wishes) {
        Talk talk(wishes);
        const auto said = talk.said();
        std::vector<int> numbers;
        const auto& encodings = std::get<rfb::SetEncodings>(said[1]);
        for (std::size_t i = 0; i < encodings.size(); ++i)
            numbers.push_back(static_cast<int>(encodings.at(i)));
        return numbers;
    };
    EXPECT_THAT(list({}), ::testing::Not(::testing::Contains(
                              ::testing::AllOf(::testing::Ge(-32), ::testing::Le(-23)))));
    Wishes lossy;
    lossy.quality = 6;
    EXPECT_THAT(list(lossy), ::testing::Contains(-26));
}

TEST(Viewing, AsksForEverythingOfAnotherSize) {
    Talk talk;
    (void)talk.said();
    std::string text = rfb::update({rfb::head(0, 0, 50, 40, -223)});
    talk.hear(text);
    const auto said = talk.said();
    ASSERT_FALSE(said.empty());
    EXPECT_EQ(said.back(), rfb::ClientMessage(rfb::UpdateRequest{false, 0, 0, 50, 40}));
    EXPECT_EQ(talk->framebuffer().size(), (rfb::Size{50, 40}));
    EXPECT_EQ(talk->frames(), 0U);
}

TEST(Viewing, KeepsThePictureOfBefore) {
    Framebuffer before(rfb::Size{10, 10});
    before.fill({0, 0, 10, 10}, 0x123456);
    Viewing viewing({20, 5, {}, ""}, {}, std::move(before));
    EXPECT_EQ(viewing.framebuffer().size(), (rfb::Size{20, 5}));
    EXPECT_EQ(viewing.framebuffer().row(4)[9], 0x123456U);
    EXPECT_EQ(viewing.framebuffer().row(4)[10], 0U);
}

TEST(Viewing, AnswersFencesAndGoesOverToContinuousUpdates) {
    Talk talk;
    (void)talk.said();
    std::string text;
    rfb::write_server_fence(text, 0x80000000U | 3U, "token");
    talk.hear(text);
    EXPECT_THAT(talk.said(), ::testing::ElementsAre(rfb::ClientMessage(rfb::Fence{3, "token"})));
    text.clear();
    rfb::write_end_of_continuous_updates(text);
    talk.hear(text);
    EXPECT_THAT(talk.said(), ::testing::ElementsAre(rfb::ClientMessage(
                                 rfb::EnableContinuousUpdates{true, 0, 0, 100, 80})));
    talk.hear(raw_update());
    EXPECT_THAT(talk.said(), ::testing::IsEmpty());
}

TEST(Viewing, SaysWhereAKeyIsOnceTheScreenKnowsHow) {
    Talk talk;
    (void)talk.said();
    const Key hangul{0xFF31, 0x72};
    talk->press(hangul);
    talk->release(hangul);
    EXPECT_THAT(talk.said(),
                ::testing::ElementsAre(rfb::ClientMessage(rfb::KeyEvent{true, 0xFF31}),
                                       rfb::ClientMessage(rfb::KeyEvent{false, 0xFF31})));
    talk.hear(rfb::update({rfb::head(0, 0, 0, 0, -258)}));
    (void)talk.said();
    talk->press(hangul);
    EXPECT_THAT(talk.said(),
                ::testing::ElementsAre(rfb::ClientMessage(rfb::QemuKey{true, 0xFF31, 0x72})));
}

TEST(Viewing, LetsGoOfEverythingThatIsHeld) {
    Talk talk;
    (void)talk.said();
    talk->press({'a', 0x1E});
    talk->press({0xFFE1, 0x2A});
    // the same key, now with Shift: it is let go of as it was pressed
    talk->press({'A', 0x1E});
    (void)talk.said();
    talk->release_all();
    talk->release({'A', 0x1E});
    EXPECT_THAT(talk.said(),
                ::testing::ElementsAre(rfb::ClientMessage(rfb::KeyEvent{false, 0xFFE1}),
                                       rfb::ClientMessage(rfb::KeyEvent{false, 'a'})));
}

TEST(Viewing, KeepsThePointerOnTheScreen) {
    Talk talk;
    (void)talk.said();
    talk->pointer(1, -5, 1000);
    EXPECT_THAT(talk.said(),
                ::testing::ElementsAre(rfb::ClientMessage(rfb::PointerEvent{1, 0, 79})));
}

TEST(Viewing, CarriesPlainClipboards) {
    Talk talk;
    (void)talk.said();
    std::string text;
    rfb::write_server_cut_text(text, {false, 0, 6});
    talk.hear(text + "caf\xE9\r\n");
    EXPECT_EQ(talk->take_clipboard(), "café\n");
    EXPECT_EQ(talk->take_clipboard(), std::nullopt);
    talk->offer_clipboard("naïve 한");
    EXPECT_EQ(talk.said().size(), 1U);
    EXPECT_EQ(talk.texts(), "na\xEFve ?");
}

TEST(Viewing, CarriesExtendedClipboardsBothWays) {
    Talk talk;
    (void)talk.said();
    talk.hear(extended(clip::caps | clip::text | clip::notify | clip::request | clip::provide,
                       rfb::be32(0)));
    ASSERT_EQ(talk.said().size(), 1U);
    talk.hear(extended(clip::notify | clip::text, ""));
    const auto asked = talk.said();
    ASSERT_EQ(asked.size(), 1U);
    EXPECT_EQ(std::get<rfb::ClientCutText>(asked[0]).flags, clip::request | clip::text);
    talk.hear(extended(clip::provide | clip::text, pack_clipboard("안녕하세요\n")));
    EXPECT_EQ(talk->take_clipboard(), "안녕하세요\n");
    talk->offer_clipboard("한글");
    (void)talk.said();
    talk.hear(extended(clip::request | clip::text, ""));
    const auto given = talk.said();
    ASSERT_EQ(given.size(), 1U);
    EXPECT_EQ(std::get<rfb::ClientCutText>(given[0]).flags, clip::provide | clip::text);
    EXPECT_EQ(unpack_clipboard(clip::text, talk.texts()).value(), "한글");
}

TEST(Clipboard, TakesNoBombs) {
    const auto packed = pack_clipboard(std::string(3 << 20, 'x'));
    EXPECT_EQ(unpack_clipboard(clip::text, packed).value(), std::nullopt);
    EXPECT_FALSE(unpack_clipboard(clip::text, "not deflated").has_value());
    EXPECT_EQ(unpack_clipboard(clip::html, pack_clipboard("x")).value(), std::nullopt);
}

RC_GTEST_PROP(ClipboardProperty, TextComesBack, (const std::string& any)) {
    std::string text;
    for (const char byte : any)
        if (byte != '\0' && byte != '\r')
            text += byte;
    RC_ASSERT(unpack_clipboard(clip::text, pack_clipboard(text)).value() == text);
    (void)to_latin1(any);
}

} // namespace
} // namespace baton::picture
