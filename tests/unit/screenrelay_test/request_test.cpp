#include "screenrelay/request.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace baton::screenrelay {

namespace {

const std::string word = "0123456789abcdef0123456789abcdef";

/// The outcome of a text that comes in these pieces, and what is left behind the line.
struct Outcome {
    std::optional<Request> request;
    std::string why;
    std::string rest;
    bool operator==(const Outcome&) const = default;
};

Outcome read_pieces(const std::vector<std::string>& pieces) {
    RequestReader reader;
    Outcome outcome;
    bool over = false;
    for (const std::string& piece : pieces) {
        if (over) { // as a connection goes on: the line is through
            outcome.rest += piece;
            continue;
        }
        const auto fed = reader.feed(piece);
        over = !fed || *fed;
        if (!fed)
            outcome.why = fed.error().what;
        else if (*fed)
            outcome.request = **fed;
        if (fed && *fed)
            outcome.rest = reader.take_rest();
    }
    if (!outcome.why.empty())
        outcome.rest.clear(); // nobody looks at it
    return outcome;
}

std::string why(const std::string& text) {
    return read_pieces({text}).why;
}

} // namespace

TEST(ScreenRequest, IsOneLine) {
    const Request request{DesktopId("d-12"), word};
    EXPECT_EQ(to_line(request), "baton-screen/1 d-12 " + word + "\n");
    const auto read = read_pieces({to_line(request)});
    EXPECT_EQ(read.request, request);
    EXPECT_EQ(read.rest, "");
    EXPECT_EQ(read_pieces({to_line(request) + "RFB 003.008\n"}).rest, "RFB 003.008\n");
}

TEST(ScreenRequest, EverythingElseIsRefusedWithoutItsWords) {
    const std::string none = "the line is none of baton-screen/1";
    const std::string ill = "the line names no desktop and ticket";
    EXPECT_EQ(why("\n"), none);
    EXPECT_EQ(why("GET / HTTP/1.1\r\n"), none);
    EXPECT_EQ(why("baton-screen/2 d-1 " + word + "\n"), none);
    EXPECT_EQ(why("baton-screen/1 \n"), ill);
    EXPECT_EQ(why("baton-screen/1 d-1\n"), ill);
    EXPECT_EQ(why("baton-screen/1 d-1 \n"), ill);
    EXPECT_EQ(why("baton-screen/1  d-1 " + word + "\n"), ill);
    EXPECT_EQ(why("baton-screen/1 d-1 " + word + "\r\n"), ill);
    EXPECT_EQ(why("baton-screen/1 d-1 " + word + " \n"), ill);
    EXPECT_EQ(why("baton-screen/1 d-1 " + word + "0\n"), ill);
    EXPECT_EQ(why("baton-screen/1 d-1 " + word.substr(1) + "\n"), ill);
    EXPECT_EQ(why("baton-screen/1 d-1 " + word.substr(1) + "A\n"), ill) << "lower case alone";
    EXPECT_EQ(why("baton-screen/1 ../x " + word + "\n"), ill);
    EXPECT_EQ(why("baton-screen/1 d-1.new " + word + "\n"), ill) << "no desktop's id has a dot";
    EXPECT_EQ(why(std::string("baton-screen/1 d\0 ", 18) + word + "\n"), ill);
}

TEST(ScreenRequest, IsAtMost256Bytes) {
    const std::string too_long = "the line is too long";
    EXPECT_EQ(why(std::string(255, 'a')), "") << "it may still end";
    EXPECT_EQ(why(std::string(256, 'a')), too_long);
    EXPECT_NE(why(std::string(255, 'a') + "\n"), too_long);
    EXPECT_EQ(why(std::string(256, 'a') + "\n"), too_long);
}

TEST(ScreenRequest, AnySplitOfALineReadsTheSame) {
    rc::check("where the pieces end means nothing", [] {
        const bool good = *rc::gen::arbitrary<bool>();
        std::string text = good ? to_line({DesktopId("d-12"), word})
                                : *rc::gen::container<std::string>(
                                      rc::gen::element('b', ' ', '1', '/', 'a', '-', '\n', '\0'));
        if (*rc::gen::arbitrary<bool>())
            text.insert(0, std::string(*rc::gen::inRange<std::size_t>(0, 300), 'x'));
        text += *rc::gen::container<std::string>(rc::gen::element('R', 'F', '\n', '\xff'));
        std::vector<std::string> pieces;
        for (std::string left = text; !left.empty();) {
            const auto size = *rc::gen::inRange<std::size_t>(1, left.size() + 1);
            pieces.push_back(left.substr(0, size));
            left.erase(0, size);
        }
        const Outcome whole = read_pieces({text});
        RC_ASSERT(read_pieces(pieces) == whole);
        if (whole.request)
            RC_ASSERT(text == to_line(*whole.request) + whole.rest);
    });
}

} // namespace baton::screenrelay
