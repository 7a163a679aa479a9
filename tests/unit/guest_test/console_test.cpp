#include "guest/console.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <string>
#include <vector>

namespace {

using namespace baton;
using namespace baton::guest;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::size_t rows = 50;

struct Fed {
    std::string out;
    bool redraw = false;
    bool operator==(const Fed&) const = default;
};

Fed feed(std::string_view bytes) {
    ConsoleOutput output(rows);
    Fed fed;
    fed.redraw = output.feed(bytes, fed.out);
    return fed;
}

std::string row_text(const std::vector<ConsoleCell>& cells, std::size_t row, std::size_t columns) {
    std::string text;
    for (std::size_t at = row * columns; at < (row + 1) * columns; ++at)
        text += cells[at].letter;
    return text;
}

ScreenState working() {
    ScreenState state;
    state.phase = ScreenState::Phase::working;
    state.person = "kim";
    state.hostname = "d-1";
    state.os_image = "tiny-1";
    state.memory = 512_MiB;
    state.fence = 7;
    return state;
}

TEST(ConsoleHeader, BeginsWithTheStrip) {
    constexpr std::size_t columns = 160;
    const auto cells = header_cells(working(), {}, columns);
    ASSERT_EQ(cells.size(), header_rows * columns);
    const auto wanted = strip_cells(strip_state(7, 512_MiB));
    for (std::size_t at = 0; at < strip::cells; ++at) {
        const std::uint8_t paper = cells[at].attribute >> 4;
        EXPECT_EQ(cells[at].letter, ' ');
        EXPECT_EQ(paper, wanted[at] == Colour::white     ? 15
                         : wanted[at] == Colour::magenta ? 5
                         : wanted[at] == Colour::cyan    ? 3
                                                         : 0);
    }
}

TEST(ConsoleHeader, ShowsWhoWhereAndTheFiles) {
    constexpr std::size_t columns = 160;
    const auto cells = header_cells(working(), {"notes.txt", "책.txt", "evil\x1b[2J"}, columns);
    EXPECT_THAT(row_text(cells, 0, columns), HasSubstr("The desk of kim"));
    EXPECT_THAT(row_text(cells, 1, columns), HasSubstr("kim   memory 512 MiB   system tiny-1   "
                                                       "computer d-1   desk no. 7"));
    EXPECT_THAT(row_text(cells, 2, columns), HasSubstr("files: notes.txt ?.txt evil [2J "));
    for (const ConsoleCell& cell : cells)
        EXPECT_GE(cell.letter, ' ');
}

TEST(ConsoleHeader, ShowsAMessageWithItsKeys) {
    ScreenState state = working();
    state.message = ScreenMessage{"you move", 12, true};
    const std::string row = row_text(header_cells(state, {}, 120), 3, 120);
    EXPECT_THAT(row, HasSubstr("you move (12 s)"));
    EXPECT_THAT(row, HasSubstr("F9 now"));
    state.message->may_defer = false;
    EXPECT_THAT(row_text(header_cells(state, {}, 120), 3, 120), Not(HasSubstr("F9")));
}

TEST(ConsoleHeader, FitsAnyWidth) {
    EXPECT_TRUE(rc::check([] {
        ScreenState state = working();
        state.trouble = std::string(static_cast<std::size_t>(*rc::gen::inRange(0, 300)), 'x');
        state.phase = *rc::gen::element(ScreenState::Phase::failed, ScreenState::Phase::working,
                                        ScreenState::Phase::waiting, ScreenState::Phase::ended);
        state.message = ScreenMessage{state.trouble, 1, true};
        const auto columns = *rc::gen::inRange<std::size_t>(1, 200);
        RC_ASSERT(header_cells(state, {"a", "b"}, columns).size() == header_rows * columns);
    }));
}

TEST(ConsoleOutput, PlainTextAndColoursPass) {
    for (const std::string text : {"hello\r\n", "\x1b[1;31mred\x1b[0m", "책상 é", "\x1b[10;20Hx",
                                   "\x1b[K\x1b[J\x1b[0J", "\x1b(B\x1b=\x1b>", "\x1b[?25l\x1b[?1h"})
        EXPECT_EQ(feed(text), (Fed{text, false})) << text;
}

TEST(ConsoleOutput, ClearingTheScreenClearsTheRegionAlone) {
    EXPECT_EQ(feed("\x1b[2J"), (Fed{"\x1b[s\x1b[H\x1b[J\x1b[u", false}));
    EXPECT_EQ(feed("\x1b[3J"), (Fed{"\x1b[s\x1b[H\x1b[J\x1b[u", false}));
    EXPECT_TRUE(feed("\x1b[1J").redraw) << "clears what is above, the header too";
}

TEST(ConsoleOutput, AResetSetsTheRegionUpAgain) {
    const Fed fed = feed("\x1b"
                         "cx");
    EXPECT_EQ(fed.out, "\x1b"
                       "c" +
                           console_clear(rows) + "x");
    EXPECT_TRUE(fed.redraw);
    EXPECT_EQ(feed("\x1b[!p").out, console_setup(rows));
}

TEST(ConsoleOutput, RegionsAreMovedBelowTheHeader) {
    EXPECT_EQ(feed("\x1b[r").out, "\x1b[6;50r");
    EXPECT_EQ(feed("\x1b[1;45r").out, "\x1b[6;50r");
    EXPECT_EQ(feed("\x1b[3;10r").out, "\x1b[8;15r");
    EXPECT_EQ(feed("\x1b[1;999r").out, "\x1b[6;50r");
    EXPECT_EQ(feed("\x1b[40;10r").out, "") << "nonsense";
    // addresses inside a smaller region are counted from its top in origin mode
    EXPECT_EQ(feed("\x1b[3;10r\x1b[5;2H").out, "\x1b[8;15r\x1b[3;2H");
    EXPECT_EQ(feed("\x1b[3;10r\x1b[4d").out, "\x1b[8;15r\x1b[2d");
    EXPECT_EQ(feed("\x1b[3;10r\x1b[r\x1b[5;2H").out, "\x1b[8;15r\x1b[6;50r\x1b[5;2H");
}

TEST(ConsoleOutput, OriginModeIsNotTheirs) {
    EXPECT_EQ(feed("\x1b[?6l").out, "");
    EXPECT_EQ(feed("\x1b[?6;25l").out, "\x1b[?25l");
    EXPECT_EQ(feed("\x1b[?3h").out, "");
}

TEST(ConsoleOutput, ThePaletteAndTitlesAreNotTheirs) {
    EXPECT_EQ(feed("\x1b]P5000000a").out, "a");
    EXPECT_EQ(feed("\x1b]Ra").out, "a");
    EXPECT_EQ(feed("\x1b]0;title\aa").out, "a");
    EXPECT_EQ(feed("\x1b]0;title\x1b\\a").out, "a");
}

TEST(ConsoleOutput, AnUnfinishedSequenceIsHeldBack) {
    EXPECT_EQ(feed("a\x1b[3").out, "a");
    EXPECT_EQ(feed("a\xEC\xB1").out, "a");
    EXPECT_EQ(feed("\x1b[3\x18z").out, "z") << "cancelled";
    EXPECT_EQ(feed("\x1b[" + std::string(100000, '1') + "mz").out, "z") << "too long, dropped";
    EXPECT_EQ(feed("\x1bP" + std::string(100000, 'x') + "\x1b\\z").out, "z");
}

std::string any_output() {
    const auto pieces = *rc::gen::container<std::vector<std::string>>(rc::gen::element<std::string>(
        "a", "\n", "\x1b", "[", "2J", "1J", "r", "c", "]", "P", "5", ";", "?", "6", "h", "l", "H",
        "\x1b[", "\x1b]", "\x1b\\", "\xEC", "\xB1", "\x85", "\xff", "\x18", "책", "3;9r", "4;4H"));
    std::string text;
    for (const std::string& piece : pieces)
        text += piece;
    return text;
}

TEST(ConsoleOutput, AnySplitGivesTheSame) {
    EXPECT_TRUE(rc::check([] {
        const std::string text = any_output();
        const Fed whole = feed(text);
        ConsoleOutput output(rows);
        Fed cut;
        std::string_view rest = text;
        while (!rest.empty()) {
            const auto size = *rc::gen::inRange<std::size_t>(1, rest.size() + 1);
            cut.redraw = output.feed(rest.substr(0, size), cut.out) || cut.redraw;
            rest.remove_prefix(size);
        }
        RC_ASSERT(cut == whole);
    }));
}

/// The little of a Linux console that decides whether the header is safe.
TEST(ConsoleOutput, NoOutputSetsARegionThatHoldsTheHeader) {
    EXPECT_TRUE(rc::check([] {
        const std::string out = feed(any_output()).out;
        for (std::size_t at = 0; (at = out.find("\x1b[", at)) != std::string::npos; at += 2) {
            std::size_t end = out.find_first_not_of("0123456789;?", at + 2);
            if (end == std::string::npos)
                break;
            const std::string parameters = out.substr(at + 2, end - at - 2);
            // with a '?' the console passes over it: no region
            if (out[end] == 'r' && parameters.find('?') == std::string::npos) {
                RC_ASSERT(!parameters.empty());
                RC_ASSERT(std::stoul(parameters) > header_rows);
            }
            if (out[end] == 'l')
                RC_ASSERT(parameters != "?6");
            if (out[end] == 'J')
                RC_ASSERT(parameters != "2");
        }
    }));
}

TEST(ConsoleInput, KeysPass) {
    ConsoleInput input;
    std::string out;
    for (const std::string keys : {"ls\r", "\x1b[A", "\x1b", "\x1bx", "\x1b[[A", "책", "\x1b[20~"})
        EXPECT_EQ(input.feed(keys, false, out), ConsoleInput::Key::none);
    EXPECT_EQ(out, "ls\r\x1b[A\x1b\x1bx\x1b[[A책\x1b[20~");
}

TEST(ConsoleInput, F9AndF10AnswerWhileThereIsAQuestion) {
    ConsoleInput input;
    std::string out;
    EXPECT_EQ(input.feed("a\x1b[20~b", true, out), ConsoleInput::Key::now);
    EXPECT_EQ(input.feed("\x1b[21~", true, out), ConsoleInput::Key::not_now);
    EXPECT_EQ(input.feed("\x1b[2", true, out), ConsoleInput::Key::none);
    EXPECT_EQ(input.feed("0~", true, out), ConsoleInput::Key::now) << "in two pieces";
    EXPECT_EQ(input.feed("\x1b[19~", true, out), ConsoleInput::Key::none) << "F8";
    EXPECT_EQ(out, "ab\x1b[19~");
}

TEST(ConsoleInput, TheCursorsPlaceIsToldInTheRegionsRows) {
    // in origin mode Linux says row + the region's first row; the top of the region is thus 2 * 5 +
    // 1
    ConsoleInput input;
    std::string out;
    input.feed("\x1b[11;1R\x1b[30;7R\x1b[3;1R", false, out);
    EXPECT_EQ(out, "\x1b[1;1R\x1b[20;7R\x1b[1;1R");
}

} // namespace
