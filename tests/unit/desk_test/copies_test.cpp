// Which copy of a desk may come back, and what a reader's lines mean. Without a file.
#include "desk/copies.h"
#include "desk/tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace baton::desk {
namespace {

using testing::HasSubstr;

const std::string one_journey = "0c5d1b42-d2f3-4f0c-ba83-83cf4eb5251e";
const std::string another_journey = "1c5d1b42-d2f3-4f0c-ba83-83cf4eb5251e";

/// A desk that left with generation 5, and the copy as it left.
struct Pair {
    Header home;
    Header copy;

    Pair() {
        home.id = DeskId("2c5d1b42-d2f3-4f0c-ba83-83cf4eb5251e");
        home.generation = 5;
        copy = home;
        copy.journey = home.journey = one_journey;
        home.checked_out = CheckOut{"stick", {}, 5};
    }
};

std::string why(const Pair& pair) {
    const auto sound = may_come_back(pair.copy, pair.home);
    if (sound)
        return "";
    EXPECT_EQ(sound.error().code, Errc::conflict);
    return sound.error().what;
}

TEST(DeskCopies, TheOneThatLeftComesBack) {
    Pair pair;
    EXPECT_EQ(why(pair), "");
    pair.copy.generation = 9;
    pair.copy.largest_fence = FencingNumber{4};
    EXPECT_EQ(why(pair), "") << "it was used on the way";
}

TEST(DeskCopies, NoOtherDoes) {
    Pair pair;
    pair.copy.id = DeskId(one_journey);
    EXPECT_THAT(why(pair), HasSubstr("another desk"));
    pair = Pair();
    pair.copy.journey = another_journey;
    EXPECT_THAT(why(pair), HasSubstr("not the one that left"));
    pair = Pair();
    pair.copy.journey.clear();
    EXPECT_THAT(why(pair), HasSubstr("not the one that left"));
    pair = Pair();
    pair.home.checked_out.reset();
    EXPECT_THAT(why(pair), HasSubstr("not checked out any more"));
    pair = Pair();
    pair.home.generation = 6;
    EXPECT_THAT(why(pair), HasSubstr("changed at home"));
    pair = Pair();
    pair.copy.generation = 4;
    EXPECT_THAT(why(pair), HasSubstr("older"));
    pair = Pair();
    pair.copy.checked_out = CheckOut{"home", {}, 5};
    EXPECT_THAT(why(pair), HasSubstr("stayed"));
    pair = Pair();
    pair.copy.generation = ~std::uint64_t{0};
    EXPECT_THAT(why(pair), HasSubstr("more openings"));
}

TEST(DeskCopies, NoGenerationsMakeAStrangerTheRightOne) {
    EXPECT_TRUE(rc::check("another journey never comes back", [] {
        Pair pair;
        pair.copy.journey = another_journey;
        pair.copy.generation = *rc::gen::arbitrary<std::uint64_t>();
        pair.home.generation = *rc::gen::arbitrary<std::uint64_t>();
        pair.home.checked_out->generation = *rc::gen::arbitrary<std::uint64_t>();
        RC_ASSERT(!may_come_back(pair.copy, pair.home));
    }));
}

TEST(DeskTree, LinesBecomeEntriesAndSums) {
    const auto tree = parse_tree(
        R"({"folder":"fwd/home","files":3,"size_bytes":1200})"
        "\n"
        R"({"layer":"cow/b/usr","path":"bin/x","kind":"file","size_bytes":7,"copied":true,"covers":false})"
        "\n");
    ASSERT_TRUE(tree) << tree.error().message();
    EXPECT_EQ(tree->sums, (std::vector<FolderSum>{{"fwd/home", 3, 1200}}));
    EXPECT_EQ(tree->entries,
              (std::vector<LayerEntry>{{"cow/b/usr", "bin/x", "file", 7, true, false}}));
    for (const char* broken : {"{}", "x", R"({"folder":"a","files":"3","size_bytes":1})",
                               R"({"layer":"a","size_bytes":1})", "[]\n"})
        EXPECT_EQ(parse_tree(broken).error().code, Errc::corrupt) << broken;
}

} // namespace
} // namespace baton::desk
