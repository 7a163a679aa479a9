// A graphical session's command lines and names, as values.
#include "player/display.h"
#include "player/nested_server.h"
#include "player/policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace baton::player {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsSupersetOf;
using testing::Not;

TEST(PlayerDisplay, IsNamedAsXDoes) {
    struct Named {
        const char* text;
        const char* socket;
    };

    for (const auto& [text, socket] :
         {Named{":0", "/tmp/.X11-unix/X0"}, Named{":12.0", "/tmp/.X11-unix/X12"},
          Named{"unix:3", "/tmp/.X11-unix/X3"}, Named{"unix/:3", "/tmp/.X11-unix/X3"},
          Named{"localhost:10.0", ""}, Named{"pc.example.org:0", ""}}) {
        const auto display = parse_display(text);
        ASSERT_TRUE(display) << text;
        EXPECT_EQ(*display, (PcDisplay{text, socket}));
    }
    for (const char* text : {"0", ":", ":x", ":0.", ":0.x", ":123456", "/tmp/x:0", "a b:0", "a@b:0",
                             ":0/../../etc", ":-1"}) {
        const auto display = parse_display(text);
        ASSERT_FALSE(display) << text;
        EXPECT_EQ(display.error().code, Errc::invalid_argument);
    }
    EXPECT_THAT(parse_display("").error().message(), HasSubstr("DISPLAY is not set"));
}

/// The words behind the first "--": Xephyr's own.
std::vector<std::string> server_words(const process::Command& command) {
    const auto at = std::ranges::find(command.words, "--");
    return at == command.words.end() ? std::vector<std::string>()
                                     : std::vector<std::string>(at + 1, command.words.end());
}

/// What follows a word each time that it stands there.
std::vector<std::string> behind(const process::Command& command, const std::string& word) {
    std::vector<std::string> found;
    for (std::size_t i = 0; i + 1 < command.words.size(); ++i)
        if (command.words[i] == word)
            found.push_back(command.words[i + 1]);
    return found;
}

TEST(PlayerDisplay, TheNestedServerHasThePcsDisplayAndNothingElse) {
    const auto command = xephyr_command(
        {{":7", "/tmp/.X11-unix/X7"}, "/home/ann/.Xauthority", 0x200001, "Desk of x"});
    EXPECT_EQ(command.words[0], "bwrap");
    EXPECT_THAT(command.words,
                IsSupersetOf({"--unshare-user", "--unshare-net", "--unshare-ipc", "--unshare-pid",
                              "--clearenv", "--die-with-parent", "--new-session"}));
    EXPECT_THAT(behind(command, "--cap-drop"), testing::ElementsAre("ALL"));
    EXPECT_THAT(behind(command, "--bind"), testing::ElementsAre("/tmp/.X11-unix/X7"));
    EXPECT_THAT(behind(command, "--ro-bind"),
                testing::ElementsAre("/usr", "/home/ann/.Xauthority"));
    EXPECT_THAT(behind(command, "--remount-ro"), testing::ElementsAre("/"));
    EXPECT_THAT(behind(command, "--setenv"),
                testing::ElementsAre("PATH", "DISPLAY", "LISTEN_FDS", "LISTEN_PID", "XAUTHORITY"));
    const auto server = server_words(command);
    EXPECT_EQ(server[0], "Xephyr");
    const process::Command words{.words = server};
    // no socket but the one that it is given, and a cookie for it
    EXPECT_THAT(behind(words, "-nolisten"), testing::ElementsAre("tcp", "unix", "local"));
    EXPECT_THAT(behind(words, "-auth"), testing::ElementsAre("/desk-cookies"));
    EXPECT_THAT(server, Not(Contains("-ac")));
    EXPECT_THAT(behind(words, "-parent"), testing::ElementsAre("0x200001"));
    EXPECT_THAT(behind(words, "-extension"), testing::ElementsAre("MIT-SHM", "GLX", "DRI3"));
    EXPECT_THAT(server, IsSupersetOf({"-no-host-grab", "-noxv", "-noreset"}));
}

TEST(PlayerDisplay, OverTheNetworkTheSandboxHasIt) {
    const auto command = xephyr_command({{"localhost:10.0", ""}, "", 1, "Desk of x"});
    EXPECT_THAT(command.words, Not(Contains("--unshare-net")));
    EXPECT_THAT(command.words, Not(Contains("XAUTHORITY")));
    EXPECT_TRUE(behind(command, "--bind").empty());
}

TEST(PlayerDisplay, TheClipboardIsApartUnlessThePolicySays) {
    EXPECT_EQ(parse_policy(default_policy_text(), "p")->clipboard, Clipboard::apart);
    EXPECT_EQ(parse_policy("[desktop]\nclipboard = \"out\"\nhotkey = \"none\"", "p")->clipboard,
              Clipboard::out);
    for (const auto one : {Clipboard::apart, Clipboard::in, Clipboard::out, Clipboard::both})
        EXPECT_EQ(parse_clipboard(to_string(one)).value(), one);
    const auto wrong = parse_policy("[desktop]\nclipboard = \"yes\"", "p.toml");
    ASSERT_FALSE(wrong);
    EXPECT_THAT(wrong.error().what, HasSubstr("p.toml:1: the clipboard \"yes\" is unknown"));
}

} // namespace
} // namespace baton::player
