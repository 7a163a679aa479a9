#include "model/error.h"
#include "model/ids.h"
#include "model/size.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace baton {
namespace {

TEST(Mebibytes, ReadsWhatPeopleWrite) {
    EXPECT_EQ(parse_mebibytes("4GiB").value(), 4_GiB);
    EXPECT_EQ(parse_mebibytes("4 GiB").value(), 4096_MiB);
    EXPECT_EQ(parse_mebibytes("0.5G").value(), 512_MiB);
    EXPECT_EQ(parse_mebibytes("2048K").value(), 2_MiB);
    EXPECT_EQ(parse_mebibytes("1TiB").value(), 1024_GiB);
}

TEST(Mebibytes, RefusesWhatIsNoAmount) {
    for (const auto* text : {"", "4", "GiB", "-1GiB", "0MiB", "1.0001MiB", "4GB!", "nan GiB",
                             "inf GiB", "2000000TiB", "512K"}) {
        const auto result = parse_mebibytes(text);
        ASSERT_FALSE(result) << text;
        EXPECT_EQ(result.error().code, Errc::invalid_argument) << text;
        EXPECT_FALSE(result.error().hint.empty()) << text;
    }
}

TEST(Mebibytes, WritesTheShortestExactForm) {
    EXPECT_EQ(to_string(4_GiB), "4 GiB");
    EXPECT_EQ(to_string(1536_MiB), "1.5 GiB");
    EXPECT_EQ(to_string(512_MiB), "512 MiB");
    EXPECT_EQ(to_string(1025_MiB), "1025 MiB");
}

TEST(Names, AreSafeEverywhere) {
    EXPECT_TRUE(check_name("user name", "kim"));
    EXPECT_TRUE(check_name("user name", "3-floor.lab"));
    for (const auto* name : {"", "Kim", "-kim", ".kim", "a..b", "a/b", "a b", "김", "a\n"})
        EXPECT_FALSE(check_name("user name", name)) << name;
    EXPECT_FALSE(check_name("user name", std::string(64, 'a')));
}

TEST(Error, SaysWhatAndWhatToDo) {
    const Error error{Errc::busy, "the desk 'kim' is in use", "close its session first", 0};
    EXPECT_EQ(error.message(), "the desk 'kim' is in use. close its session first");
    EXPECT_EQ(error.in("opening").what, "opening: the desk 'kim' is in use");
    EXPECT_EQ(fail_errno(ENOSPC, "writing").value().code, Errc::full);
    for (int code = 0; code <= static_cast<int>(Errc::internal); ++code)
        EXPECT_EQ(errc_from_string(to_string(static_cast<Errc>(code))), static_cast<Errc>(code));
}

} // namespace
} // namespace baton
