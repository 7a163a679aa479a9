#include "model/error.h"
#include "model/ids.h"
#include "model/size.h"
#include "model/toml.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <cerrno>
#include <string>
#include <vector>

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

TEST(Toml, IsReadOrRefusedWithTheLine) {
    const auto whole = read_toml("a = 1\n[b]\nc = \"d\"\n", "x.toml", "");
    ASSERT_TRUE(whole);
    EXPECT_EQ((*whole)["b"]["c"].value_or(""), std::string("d"));
    const auto what = [](std::string_view text) {
        const auto read = read_toml(text, "x.toml", "see there");
        EXPECT_EQ(read.error().code, Errc::invalid_argument);
        EXPECT_EQ(read.error().hint, "see there");
        return read.error().what;
    };
    EXPECT_EQ(what("a = 1\nb = = 2\n").substr(0, 10), "x.toml:2: ");
    // what toml++ asserts rather than checks
    EXPECT_EQ(what("[!"), "x.toml:1: this is not TOML; a key was expected");
    EXPECT_EQ(what("a = 1\n\u00e9 = 2\n").substr(0, 10), "x.toml:2: "); // nor does it check this
    EXPECT_EQ(what("a = 1\n\n[,]\nb = 2\n"), "x.toml:3: this is not TOML; a key was expected");
}

/// Bytes that mean something in TOML come often enough to fall over each other.
RC_GTEST_PROP(Toml, AnyWordsAreReadOrRefused, ()) {
    const auto words = *rc::gen::container<std::vector<std::string>>(
        rc::gen::oneOf(rc::gen::element<std::string>("[", "[[", "]", "]]", "=", ".", ",", "\n", " ",
                                                     "{", "}", "\"", "'", "\"\"\"", "#", "a", "1",
                                                     "-", "true", "1979-05-27"),
                       rc::gen::arbitrary<std::string>()));
    std::string text;
    for (const std::string& word : words)
        text += word;
    const auto read = read_toml(text, "x.toml", "");
    if (!read)
        RC_ASSERT(read.error().what.starts_with("x.toml:"));
}

} // namespace
} // namespace baton
