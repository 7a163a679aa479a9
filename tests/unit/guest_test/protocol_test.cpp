#include "guest/protocol.h"
#include "guest/utf8.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace {

using namespace baton;
using namespace baton::guest;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string without_newline(std::string line) {
    EXPECT_FALSE(line.empty());
    EXPECT_EQ(line.back(), '\n');
    line.pop_back();
    EXPECT_EQ(line.find('\n'), std::string::npos);
    return line;
}

std::string any_text() {
    return well_formed_utf8(*rc::gen::arbitrary<std::string>(), 1024);
}

std::int64_t any_amount() {
    return *rc::gen::oneOf(rc::gen::inRange<std::int64_t>(0, 1000000),
                           rc::gen::just(std::numeric_limits<std::int64_t>::max()));
}

ToGuest any_to_guest() {
    switch (*rc::gen::inRange(0, 5)) {
    case 0:
        return Identify{any_text(), any_text(),   any_text(), any_amount(),
                        any_text(), any_amount(), any_text()};
    case 1:
        return Mount{any_text(), *rc::gen::arbitrary<std::uint64_t>(), *rc::gen::arbitrary<bool>()};
    case 2:
        return Release{any_amount()};
    case 3:
        return Notify{any_text(), any_amount(), *rc::gen::arbitrary<bool>()};
    default:
        return Ask{};
    }
}

FromGuest any_from_guest() {
    switch (*rc::gen::inRange(0, 7)) {
    case 0:
        return Hello{*rc::gen::inRange(0, std::numeric_limits<int>::max()),
                     any_text(),
                     any_text(),
                     any_text(),
                     *rc::gen::arbitrary<bool>(),
                     *rc::gen::arbitrary<std::uint64_t>()};
    case 1:
        return Ready{};
    case 2:
        return Mounted{*rc::gen::arbitrary<std::uint64_t>(), any_amount()};
    case 3:
        return Released{*rc::gen::arbitrary<std::uint64_t>()};
    case 4:
        return Answer{*rc::gen::arbitrary<bool>()};
    case 5:
        return LoggedOut{};
    default:
        return Failed{any_text(), any_text()};
    }
}

TEST(GuestProtocol, RoundTripOfEveryMessage) {
    EXPECT_TRUE(rc::check("host to guest", [] {
        const ToGuest message = any_to_guest();
        const auto back = decode_to_guest(without_newline(encode(message)));
        RC_ASSERT(back.has_value());
        RC_ASSERT(*back == message);
    }));
    EXPECT_TRUE(rc::check("guest to host", [] {
        const FromGuest message = any_from_guest();
        const auto back = decode_from_guest(without_newline(encode(message)));
        RC_ASSERT(back.has_value());
        RC_ASSERT(*back == message);
    }));
}

TEST(GuestProtocol, AnySplitOfTheStreamGivesTheSameLines) {
    EXPECT_TRUE(rc::check([] {
        std::vector<std::string> sent;
        std::string stream;
        const int count = *rc::gen::inRange(0, 6);
        for (int i = 0; i < count; ++i) {
            const std::string line = encode(any_from_guest());
            stream += line;
            sent.push_back(line.substr(0, line.size() - 1));
        }
        LineSplitter splitter;
        std::vector<std::string> got;
        std::string_view rest = stream;
        while (!rest.empty()) {
            const auto size = *rc::gen::inRange<std::size_t>(1, rest.size() + 1);
            splitter.feed(rest.substr(0, size), got);
            rest.remove_prefix(size);
        }
        RC_ASSERT(got == sent);
        RC_ASSERT(splitter.dropped() == 0U);
    }));
}

TEST(GuestProtocol, TheWireFormIsTheDocumentedOne) {
    EXPECT_EQ(encode(ToGuest{Mount{"desk-7", 7, false}}),
              "{\"type\":\"mount\",\"serial\":\"desk-7\",\"fence\":7,\"read_only\":false}\n");
    EXPECT_EQ(encode(FromGuest{LoggedOut{}}), "{\"type\":\"logged-out\"}\n");
    EXPECT_EQ(
        encode(FromGuest{Hello{1, "0.1.0", "tiny-1", "b", true, 0}}),
        "{\"type\":\"hello\",\"protocol\":1,\"agent_version\":\"0.1.0\",\"os_image\":\"tiny-1\","
        "\"boot_id\":\"b\",\"ready\":true,\"mounted_fence\":0}\n");
}

TEST(GuestProtocol, ALineThatIsTooLongIsDroppedWholeAndTheNextOneIsRead) {
    for (const std::size_t piece : {std::size_t{1}, std::size_t{4096}, max_line * 4}) {
        const std::string stream = "first\n" + std::string(max_line, 'x') + "\nlast\n";
        LineSplitter splitter;
        std::vector<std::string> got;
        for (std::size_t at = 0; at < stream.size(); at += piece)
            splitter.feed(std::string_view(stream).substr(at, piece), got);
        EXPECT_THAT(got, ElementsAre("first", "last")) << "in pieces of " << piece;
        EXPECT_EQ(splitter.dropped(), 1U);
    }
}

TEST(GuestProtocol, TheLongestLineThatIsAllowedPasses) {
    LineSplitter splitter;
    std::vector<std::string> got;
    splitter.feed(std::string(max_line - 1, 'x') + "\n", got);
    ASSERT_EQ(got.size(), 1U);
    EXPECT_EQ(got.front().size(), max_line - 1);
    EXPECT_EQ(splitter.dropped(), 0U);
}

TEST(GuestProtocol, BlankLinesArePassedOver) {
    LineSplitter splitter;
    std::vector<std::string> got;
    splitter.feed("\n\na\n\n", got);
    EXPECT_THAT(got, ElementsAre("a"));
}

TEST(GuestProtocol, UnknownFieldsArePassedOver) {
    const auto message =
        decode_to_guest(R"({"type":"release","grace_ms":5,"colour":["red",{"x":1}]})");
    ASSERT_TRUE(message.has_value()) << message.error().message();
    EXPECT_EQ(std::get<Release>(*message).grace_ms, 5);
}

struct BadLine {
    std::string_view line;
    std::string_view because;
};

TEST(GuestProtocol, BadLinesAreRefusedWithTheReason) {
    const BadLine bad[] = {
        {"", "not JSON"},
        {"release", "not JSON"},
        {R"({"type":"release","grace_ms":1)", "not JSON"},
        {R"([1])", "not a JSON object"},
        {R"({})", "no 'type'"},
        {R"({"type":7})", "no 'type'"},
        {R"({"type":"format-disk"})", "unknown message type 'format-disk'"},
        {R"({"type":"hello"})", "unknown message type 'hello'"}, // the other direction's
        {R"({"type":"release"})", "'grace_ms' is missing"},
        {R"({"type":"release","grace_ms":"5"})", "'grace_ms' is not a whole number"},
        {R"({"type":"release","grace_ms":-1})", "'grace_ms' is not a whole number"},
        {R"({"type":"release","grace_ms":1.5})", "'grace_ms' is not a whole number"},
        {R"({"type":"release","grace_ms":18446744073709551615})", "'grace_ms' is too large"},
        {R"({"type":"release","grace_ms":18446744073709551616})", "'grace_ms' is not a whole"},
        {R"({"type":"mount","serial":7,"fence":7,"read_only":false})", "'serial' is not a text"},
        {R"({"type":"mount","serial":"s","fence":7,"read_only":0})", "'read_only' is not true"},
        {"{\"type\":\"notify\",\"text\":\"\xff\",\"seconds\":0,\"may_defer\":false}", "not JSON"},
    };
    for (const BadLine& one : bad) {
        const auto message = decode_to_guest(one.line);
        ASSERT_FALSE(message.has_value()) << one.line;
        EXPECT_EQ(message.error().code, Errc::invalid_argument);
        EXPECT_THAT(message.error().what, HasSubstr(std::string(one.because))) << one.line;
    }
    EXPECT_FALSE(
        decode_from_guest(R"({"type":"hello","protocol":2147483648,"agent_version":"",)"
                          R"("os_image":"","boot_id":"","ready":true,"mounted_fence":0})"));
}

TEST(GuestProtocol, DeepNestingIsRefusedNotFollowed) {
    EXPECT_FALSE(decode_from_guest(std::string(60000, '[')).has_value());
}

TEST(GuestProtocol, IllFormedTextIsReplacedAndLongTextIsCutToFitALine) {
    const auto message =
        decode_from_guest(without_newline(encode(FromGuest{Failed{"mount", "a\xff\xc0z"}})));
    ASSERT_TRUE(message.has_value());
    EXPECT_EQ(std::get<Failed>(*message).reason, "a\xEF\xBF\xBD\xEF\xBF\xBDz");

    const std::string worst(1 << 20, '\x01'); // every byte becomes six
    for (const FromGuest& long_one :
         {FromGuest{Failed{worst, worst}}, FromGuest{Hello{1, worst, worst, worst, true, 1}}}) {
        const std::string line = encode(long_one);
        EXPECT_LE(line.size(), max_line);
        EXPECT_TRUE(decode_from_guest(without_newline(line)).has_value());
    }
    EXPECT_LE(encode(ToGuest{Identify{worst, worst, worst, 1, worst, 1, worst}}).size(), max_line);
}

TEST(Utf8, CutsBetweenCharacters) {
    EXPECT_EQ(well_formed_utf8("책상", 5), "책");
    EXPECT_EQ(well_formed_utf8("책상", 6), "책상");
    EXPECT_THAT(well_formed_utf8("책상", 2), IsEmpty());
}

TEST(Utf8, ShutsOutOverlongFormsSurrogatesAndTooLargeOnes) {
    EXPECT_EQ(utf8_length("\xC0\x80"), 0U);
    EXPECT_EQ(utf8_length("\xE0\x80\x80"), 0U);
    EXPECT_EQ(utf8_length("\xED\xA0\x80"), 0U);
    EXPECT_EQ(utf8_length("\xF4\x90\x80\x80"), 0U);
    EXPECT_EQ(utf8_length("\xF0\x9F\x98\x80"), 4U);
    EXPECT_EQ(utf8_length("\xEC\xB1"), 0U);
}

TEST(Utf8, AConsoleLineHoldsNoControlCharacters) {
    EXPECT_EQ(console_line("a\x1b[2Jb\n책\xff", 80), "a [2Jb ??");
    EXPECT_EQ(console_line("abcdef", 3), "abc");
}

} // namespace
