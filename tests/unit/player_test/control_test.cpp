// What running players are asked, what they answer, and whom a switch means.
#include "player/control.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <poll.h>
#include <thread>
#include <unistd.h>

namespace baton::player {
namespace {

using testing::HasSubstr;

TEST(PlayerControl, WordsTravelWhole) {
    for (const auto ask : {Ask::status, Ask::show, Ask::hide})
        EXPECT_EQ(parse_ask(to_packet(ask)).value(), ask);
    const Playing playing{"kim", "/media/a \"b\"\n.desk", 17, 1'700'000'000, ":0.0", true};
    EXPECT_EQ(parse_playing(to_packet(playing)).value(), playing);
    const auto refused =
        parse_playing(R"({"error": {"code": "refused", "what": "no", "hint": "do this"}})");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error(), (Error{Errc::refused, "no", "do this", 0}));
}

TEST(PlayerControl, OtherWordsAreRefused) {
    for (const char* packet : {"", "{}", "[]", "status", R"({"ask": 1})", R"({"ask": "kill"})",
                               R"({"ask": "show", "more": 1})", "{\"ask\": \"show\"", "\xff\xfe"}) {
        const auto ask = parse_ask(packet);
        ASSERT_FALSE(ask) << packet;
        EXPECT_EQ(ask.error().code, Errc::invalid_argument);
        EXPECT_FALSE(parse_playing(packet)) << packet;
    }
}

TEST(PlayerControl, AnyBytesAreUnderstoodOrRefused) {
    EXPECT_TRUE(rc::check([](const std::string& bytes) {
        const auto ask = parse_ask(bytes);
        RC_ASSERT(ask || ask.error().code == Errc::invalid_argument);
        const auto playing = parse_playing(bytes);
        RC_ASSERT(!playing || playing->pid > 0);
    }));
}

TEST(PlayerControl, ASocketAnswersItsPersonWhileItIsThere) {
    auto socket = ControlSocket::listen(::getuid());
    ASSERT_TRUE(socket) << socket.error().message();
    const Playing self{"kim", "/x.desk", ::getpid(), 5, "", false};
    std::thread player([&] {
        pollfd asked{socket->fd(), POLLIN, 0};
        for (int i = 0; i < 2 && ::poll(&asked, 1, 30'000) == 1; ++i)
            socket->answer([&](Ask ask) -> Result<Playing> {
                if (ask == Ask::status)
                    return self;
                return fail(Errc::refused, "no desktop");
            });
    });
    std::string name;
    const auto found = [&] {
        for (const auto& one : players_here())
            if (one.playing == self) {
                name = one.socket;
                return true;
            }
        return false;
    };
    EXPECT_TRUE(found());
    const auto refused = ask_player(name, Ask::show);
    player.join();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::refused);
    socket = fail(Errc::internal, "closed");
    EXPECT_FALSE(found());
    EXPECT_EQ(ask_player(name, Ask::status).error().code, Errc::unavailable);
}

Player one(const std::string& owner, const std::string& display, bool shown) {
    return {"s-" + owner, {owner, "/desks/" + owner + ".desk", 1, 0, display, shown}};
}

TEST(PlayerSwitch, GoesRoundInACircle) {
    const auto next = [](bool ann, bool bob) {
        return turn_to({one("ann", ":0", ann), one("tty", "", false), one("bob", ":0", bob)}, "",
                       ":0")
            .value();
    };
    EXPECT_EQ(next(false, false), (Turn{"s-ann", Ask::show}));
    EXPECT_EQ(next(true, false), (Turn{"s-bob", Ask::show}));
    EXPECT_EQ(next(false, true), (Turn{"s-bob", Ask::hide}));
}

TEST(PlayerSwitch, GoesToANamedOne) {
    const std::vector<Player> players{one("ann", ":0", true), one("bob", ":0", false),
                                      one("tty", "", false), one("far", ":1", false)};
    for (const char* word : {"bob", "bob.desk", "/desks/bob.desk"})
        EXPECT_EQ(turn_to(players, word, ":0").value(), (Turn{"s-bob", Ask::show})) << word;
    for (const char* word : {"host", "pc"})
        EXPECT_EQ(turn_to(players, word, ":0").value(), (Turn{"s-ann", Ask::hide})) << word;
    EXPECT_EQ(turn_to({one("ann", ":0", false)}, "host", "").value(), Turn{});
    EXPECT_EQ(turn_to(players, "far", "").value(), (Turn{"s-far", Ask::show}));
    EXPECT_THAT(turn_to(players, "eve", ":0").error().what, HasSubstr("no desk eve"));
    EXPECT_THAT(turn_to({one("tty", "", false)}, "tty", ":0").error().what,
                HasSubstr("no desktop here"));
    EXPECT_EQ(turn_to({}, "", "").error().code, Errc::not_found);
    EXPECT_EQ(turn_to({one("ann", ":0", true), one("ann", ":0", false)}, "ann", "").error().code,
              Errc::invalid_argument);
}

} // namespace
} // namespace baton::player
