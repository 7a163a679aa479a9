// What is let to QEMU of a file that says it is an encrypted desk. Without a file.
#include "desk/encrypt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace baton::desk {
namespace {

using testing::HasSubstr;

struct Start {
    std::vector<std::uint8_t> bytes = std::vector<std::uint8_t>(qcow2_header_span);

    explicit Start(std::uint8_t crypt) {
        set(0, 'Q').set(1, 'F').set(2, 'I').set(3, 0xfb).set(7, 3).set(35, crypt);
    }

    Start& set(std::size_t at, std::uint8_t value) {
        bytes[at] = value;
        return *this;
    }

    [[nodiscard]] std::string why(bool layer) const {
        const auto sound = check_qcow2(bytes, layer);
        return sound ? "" : sound.error().what;
    }
};

TEST(DeskEncrypted, LuksAndNothingElseIsOpened) {
    EXPECT_EQ(Start(2).why(false), "");
    EXPECT_THAT(Start(0).why(false), HasSubstr("no encrypted desk"));
    EXPECT_THAT(Start(1).why(false), HasSubstr("no encrypted desk")) << "QEMU's old AES";
    EXPECT_THAT(Start(2).set(7, 2).why(false), HasSubstr("no encrypted desk"));
    EXPECT_THAT(Start(2).set(0, 'q').why(false), HasSubstr("no qcow2"));
    Start cut(2);
    cut.bytes.resize(72);
    EXPECT_THAT(cut.why(false), HasSubstr("cut short"));
}

TEST(DeskEncrypted, NoOtherFileOfThePcIsNamedByIt) {
    EXPECT_THAT(Start(2).set(15, 104).why(false), HasSubstr("names another file")) << "backing";
    EXPECT_THAT(Start(2).set(79, 4).why(false), HasSubstr("names another file")) << "data file";
    EXPECT_EQ(Start(0).set(15, 104).why(true), "") << "a layer names what it lies over";
    EXPECT_THAT(Start(0).set(15, 104).set(79, 4).why(true), HasSubstr("names another file"));
    EXPECT_THAT(Start(2).why(true), HasSubstr("no layer"));
}

TEST(DeskEncrypted, ThePassphraseIsNoArgument) {
    for (const auto& command :
         {encrypt_command("a", "b", "secret"), decrypt_command("a", "b", "secret")}) {
        EXPECT_THAT(process::shown(command), testing::Not(HasSubstr("secret,id=key,file=secret")));
        for (const auto& word : command.words)
            EXPECT_NE(word, "secret");
        EXPECT_EQ(command.input, "secret");
    }
}

} // namespace
} // namespace baton::desk
