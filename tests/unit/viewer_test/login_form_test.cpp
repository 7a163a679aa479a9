#include "viewer/login_form.h"
#include "viewer/words.h"

#include <gtest/gtest.h>

namespace baton::viewer {
namespace {

using Key = LoginForm::Key;
using Field = LoginForm::Field;

TEST(LoginForm, TakesANameAndAPassword) {
    LoginForm form("");
    EXPECT_EQ(form.field(), Field::name);
    form.type("kim");
    EXPECT_FALSE(form.press(Key::enter)); // goes to the password
    EXPECT_EQ(form.field(), Field::password);
    form.type("비밀");
    EXPECT_EQ(form.password_characters(), 2U);
    form.press(Key::erase);
    EXPECT_EQ(form.password_characters(), 1U);
    EXPECT_TRUE(form.press(Key::enter));
    EXPECT_EQ(form.credentials().user, "kim");
    EXPECT_EQ(form.credentials().password, "비");
}

TEST(LoginForm, AsksForThePasswordOfAKnownName) {
    LoginForm form("kim");
    EXPECT_EQ(form.field(), Field::password);
    form.type("x");
    EXPECT_TRUE(form.press(Key::enter));
    form.begin_again();
    EXPECT_EQ(form.name(), "kim");
    EXPECT_EQ(form.password_characters(), 0U);
    EXPECT_EQ(form.field(), Field::password);
}

TEST(LoginForm, WantsAName) {
    LoginForm form("");
    form.press(Key::next);
    form.type("x");
    EXPECT_FALSE(form.press(Key::enter));
    EXPECT_TRUE(form.name_is_missing());
    EXPECT_EQ(form.field(), Field::name);
    form.type("kim");
    EXPECT_FALSE(form.name_is_missing());
    EXPECT_TRUE(form.press(Key::enter));
}

TEST(LoginForm, ChoosesAnImageWhereThereAreTwo) {
    LoginForm form("kim");
    form.type("s3cret-7");
    form.offer({"desktop-1", "tiny-1"}, 1);
    EXPECT_EQ(form.field(), Field::image);
    EXPECT_EQ(form.image(), 1U);
    form.type("x"); // nothing to type into
    form.press(Key::right);
    EXPECT_EQ(form.image(), 0U);
    form.press(Key::left);
    EXPECT_EQ(form.image(), 1U);
    EXPECT_EQ(form.credentials().password, "s3cret-7");
    EXPECT_TRUE(form.press(Key::enter));
    form.press(Key::next);
    EXPECT_EQ(form.field(), Field::name);
    form.begin_again();
    EXPECT_TRUE(form.images().empty());
    form.press(Key::next);
    EXPECT_EQ(form.field(), Field::name) << "nothing to choose any more";
}

TEST(LoginForm, TakesNoMoreThanALoginCanCarry) {
    LoginForm form("");
    for (int i = 0; i < 300; ++i)
        form.type("0123456789");
    EXPECT_EQ(form.name().size(), 1020U);
}

TEST(Words, AreThereInBothLanguages) {
    for (int i = 0; i <= static_cast<int>(Word::status_frames); ++i) {
        EXPECT_NE(word(static_cast<Word>(i), Language::english), "");
        EXPECT_NE(word(static_cast<Word>(i), Language::korean), "");
    }
    const Error wrong{Errc::unauthenticated, std::string(rfb::wrong_credentials), "", 0};
    EXPECT_EQ(sentence(wrong, Language::korean), "이름 또는 비밀번호가 틀렸습니다.");
    const Error full{Errc::refused, "all places are taken", "wait", 0};
    EXPECT_NE(sentence(full, Language::korean).find("all places are taken"), std::string::npos);
}

} // namespace
} // namespace baton::viewer
