#include "rfb/handshake_client.h"
#include "rfb/handshake_server.h"
#include "rfb/limits.h"
#include "support/rfb_wire.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <string>
#include <vector>

namespace baton::rfb {
namespace {

const std::vector<Login> every_login{Login::none,      Login::vnc,      Login::plain,
                                     Login::tls_none,  Login::tls_vnc,  Login::tls_plain,
                                     Login::x509_none, Login::x509_vnc, Login::x509_plain};

Challenge example_challenge() {
    Challenge challenge{};
    for (std::size_t i = 0; i < challenge.size(); ++i)
        challenge[i] = static_cast<std::uint8_t>(i * 7);
    return challenge;
}

Challenge reversed(const Challenge& challenge) {
    Challenge answer{};
    std::copy(challenge.rbegin(), challenge.rend(), answer.begin());
    return answer;
}

/// Both ends of one connection whose bytes arrive in pieces of `piece` bytes.
struct Talk {
    HandshakeServer server;
    HandshakeClient client;
    std::size_t piece = 1;
    std::string password = "secret";
    std::string to_server;
    std::string to_client;
    std::size_t server_sees = 0; ///< of to_server: what has arrived
    std::size_t client_sees = 0;
    int tls_starts = 0;
    bool server_done = false;
    bool client_done = false;
    bool refused = false;
    std::string trouble;

    Talk(std::vector<Login> offered, std::vector<Login> accepted)
        : server(std::move(offered), example_challenge()), client(std::move(accepted)) {}

    bool serve() {
        to_client += server.take_output();
        server_sees = std::min(to_server.size(), server_sees + piece);
        const auto progress = server.next(std::string_view(to_server).substr(0, server_sees));
        if (!progress) {
            trouble = progress.error().what;
            to_client += server.take_output();
            return false;
        }
        to_server.erase(0, progress->used);
        server_sees -= progress->used;
        using Step = HandshakeServer::Step;
        if (progress->step == Step::start_tls) {
            ++tls_starts;
        } else if (progress->step == Step::check_credentials) {
            if (server.credentials().user == "kim" && server.credentials().password == "secret")
                server.accept();
            else
                refuse("wrong name or password");
        } else if (progress->step == Step::check_response) {
            if (server.response() == reversed(example_challenge()))
                server.accept();
            else
                refuse("wrong password");
        } else if (progress->step == Step::client_init) {
            server.send_server_init({800, 600, PixelFormat{}, "a desk"});
            server_done = true;
        }
        to_client += server.take_output();
        return !server_done && !refused;
    }

    void refuse(std::string_view reason) {
        server.refuse(reason);
        refused = true;
    }

    bool look() {
        client_sees = std::min(to_client.size(), client_sees + piece);
        const auto progress = client.next(std::string_view(to_client).substr(0, client_sees));
        if (!progress) {
            trouble = progress.error().what;
            return false;
        }
        to_client.erase(0, progress->used);
        client_sees -= progress->used;
        using Step = HandshakeClient::Step;
        if (progress->step == Step::start_tls)
            ++tls_starts;
        else if (progress->step == Step::give_credentials)
            client.give({"kim", password});
        else if (progress->step == Step::answer_challenge)
            client.answer(password == "secret" ? reversed(client.challenge()) : Challenge{});
        client_done = progress->step == Step::done;
        to_server += client.take_output();
        return !client_done;
    }

    void run() {
        bool serving = true;
        for (int round = 0; round < 3000 && !client_done && trouble.empty(); ++round) {
            serving = serving && serve();
            if (!look())
                break;
        }
    }
};

TEST(RfbHandshake, BothEndsMeetInEveryLoginAndAnyPieces) {
    for (const Login login : every_login)
        for (const std::size_t piece : {1U, 2U, 3U, 1000U}) {
            Talk talk({login}, every_login);
            talk.piece = piece;
            talk.run();
            EXPECT_EQ(talk.trouble, "") << name_of(login) << piece;
            ASSERT_TRUE(talk.client_done && talk.server_done) << name_of(login);
            EXPECT_EQ(talk.client.login(), login);
            EXPECT_EQ(talk.server.login(), login);
            EXPECT_EQ(talk.tls_starts, tls_of(login) == Tls::no ? 0 : 2) << name_of(login);
            EXPECT_EQ(talk.client.server_init().name, "a desk");
            EXPECT_EQ(talk.client.server_init().width, 800);
            EXPECT_TRUE(talk.server.shared());
            EXPECT_EQ(talk.to_client, "");
        }
}

TEST(RfbHandshake, TheViewersOrderDecides) {
    Talk talk(every_login, {Login::x509_plain, Login::vnc, Login::none});
    talk.run();
    EXPECT_EQ(talk.client.login(), Login::x509_plain);
}

TEST(RfbHandshake, AWrongPasswordIsToldWhy) {
    for (const Login login : {Login::vnc, Login::plain, Login::x509_plain, Login::tls_vnc}) {
        Talk talk({login}, {login});
        talk.password = "guess";
        talk.run();
        EXPECT_NE(talk.trouble.find("wrong"), std::string::npos) << name_of(login);
        EXPECT_FALSE(talk.client_done);
    }
}

TEST(RfbHandshake, NothingInCommonIsSaid) {
    Talk password({Login::vnc}, {Login::none});
    password.run();
    EXPECT_EQ(password.trouble, "the screen asks for a password");
    Talk other({Login::x509_plain}, {Login::tls_none});
    other.run();
    EXPECT_NE(other.trouble.find("no kind of login"), std::string::npos);
}

/// What a server says to a viewer that sends `input`, and its error.
std::pair<std::string, std::string> answer_to(std::vector<Login> offered, std::string input) {
    HandshakeServer server(std::move(offered), example_challenge());
    std::string out = server.take_output();
    for (;;) {
        const auto progress = server.next(input);
        if (progress && progress->step == HandshakeServer::Step::client_init)
            server.send_server_init({1, 1, PixelFormat{}, ""});
        out += server.take_output();
        if (!progress)
            return {out, progress.error().what};
        input.erase(0, progress->used);
        if (progress->step != HandshakeServer::Step::again)
            return {out, ""};
    }
}

TEST(RfbHandshake, OldVersionsGetWhatTheyKnow) {
    const std::string hello = "RFB 003.008\n";
    // 3.3: the server decides
    EXPECT_EQ(answer_to({Login::none}, "RFB 003.003\n").first, hello + be32(1));
    EXPECT_EQ(answer_to({Login::none}, "RFB 003.005\n").first, hello + be32(1));
    EXPECT_EQ(answer_to({Login::vnc}, "RFB 003.003\n").first.substr(0, 16), hello + be32(2));
    const auto [told, error] = answer_to({Login::x509_plain}, "RFB 003.003\n");
    EXPECT_EQ(told.substr(12, 4), be32(0));
    EXPECT_NE(told.find("cannot log in safely"), std::string::npos);
    EXPECT_NE(error, "");
    // 3.7 without a password is not told the result, 3.8 is
    const auto in_37 = answer_to({Login::none}, "RFB 003.007\n\x01\x01").first;
    const auto in_38 = answer_to({Login::none}, "RFB 003.889\n\x01\x01").first;
    EXPECT_EQ(in_37.size() + 4, in_38.size());
    EXPECT_EQ(in_38.substr(12, 6), "\x01\x01" + be32(0));
}

TEST(RfbHandshake, ViewersThatDoNotKeepTheRulesAreTurnedAway) {
    const std::string hello = "RFB 003.008\n";
    EXPECT_NE(answer_to({Login::none}, "GET / HTTP/1.1\r\n").second, "");
    EXPECT_NE(answer_to({Login::none}, hello + "\x02").second, "") << "not offered";
    EXPECT_NE(answer_to({Login::x509_plain}, hello + "\x01").second, "") << "no way round";
    EXPECT_NE(answer_to({Login::x509_plain}, hello + "\x13" + be16(1)).second, "");
    EXPECT_NE(answer_to({Login::x509_plain}, hello + "\x13" + be16(2) + be32(260)).second, "");
    EXPECT_NE(
        answer_to({Login::plain}, hello + "\x13" + be16(2) + be32(256) + be32(1U << 30) + be32(4))
            .second,
        "");
    EXPECT_EQ(answer_to({Login::plain},
                        hello + "\x13" + be16(2) + be32(256) + be32(most_word_bytes) + be32(4))
                  .second,
              "");
}

TEST(RfbHandshake, GarbageFromEitherSideIsRefusedOrWaitedFor) {
    EXPECT_TRUE(rc::check("garbage from a server", [] {
        HandshakeClient client(every_login);
        std::string input = "RFB 003.008\n" + *rc::gen::arbitrary<std::string>();
        for (int round = 0; round < 100; ++round) {
            const auto progress = client.next(input);
            if (!progress || progress->step == HandshakeClient::Step::need_more ||
                progress->step == HandshakeClient::Step::done)
                break;
            RC_ASSERT(progress->used <= input.size());
            input.erase(0, progress->used);
            if (progress->step == HandshakeClient::Step::give_credentials)
                client.give({"kim", "secret"});
            if (progress->step == HandshakeClient::Step::answer_challenge)
                client.answer(client.challenge());
            RC_ASSERT(round < 50);
        }
    }));
    EXPECT_TRUE(rc::check("garbage from a viewer", [] {
        const auto [out, error] =
            answer_to(every_login, "RFB 003.008\n" + *rc::gen::arbitrary<std::string>());
        RC_ASSERT(out.size() < 200U);
    }));
}

} // namespace
} // namespace baton::rfb
