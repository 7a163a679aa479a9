#include "gatelink/protocol.h"
#include "support/altered_json.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace baton::gatelink {
namespace {

using gateway::ScreenLost;
using gateway::ViewerCame;
using gateway::ViewerWent;

const Screen a_screen{DesktopId("d-1"), {"10.99.0.11", 5899}, "0123456789abcdef0123456789abcdef"};

const std::vector<FromGateway>& gateway_messages() {
    static const std::vector<FromGateway> all{
        Hello{1,
              {GatewayId("gate1"), "10.98.0.1", 5900, 0, "0.1.0"},
              {{SessionId("s-1"), DesktopId("d-1"), 2}}},
        Login{7, UserName("Kim"), "p\"ass 한", "10.98.0.51"},
        Redeem{8, "ticket", "10.98.0.51"},
        Told{ViewerCame{3, SessionId("s-1"), "10.98.0.51", Access::view_only, true}},
        Told{ViewerWent{3, SessionId("s-1"), "closed by the viewer"}},
        Told{ScreenLost{SessionId("s-1"), DesktopId("d-1"), "reset"}},
        Pointed{9,
                Switched{2, 1, std::chrono::microseconds(700), std::chrono::microseconds(31'000)}},
        Pointed{10, tl::unexpected(Error{Errc::timeout, "no picture", "ask again", 0})}};
    return all;
}

const std::vector<FromController>& controller_messages() {
    static const std::vector<FromController> all{
        Welcome{1, "0.1.0", true},
        Refused{Error{Errc::forbidden, "not a gateway of this site", "join", 0}},
        Granted{7, Grant{SessionId("s-1"), UserName("kim"), Access::full, a_screen, "again"}},
        Granted{8, tl::unexpected(Error{Errc::unauthenticated, "wrong", "", 0})},
        Prepare{SessionId("s-1"), a_screen},
        Point{9, SessionId("s-1"), a_screen},
        Close{SessionId("s-1"), "the session has ended"},
        Show{SessionId("s-1"), "your desk is moving", std::chrono::milliseconds(300)},
        Drain{true}};
    return all;
}

TEST(GateLink, EveryMessageComesThroughAsItWas) {
    for (const FromGateway& message : gateway_messages())
        EXPECT_EQ(decode_from_gateway(encode(message)).value(), message) << encode(message);
    for (const FromController& message : controller_messages())
        EXPECT_EQ(decode_from_controller(encode(message)).value(), message) << encode(message);
}

TEST(GateLink, UnknownFieldsArePassedOver) {
    EXPECT_TRUE(decode_from_controller(R"({"type":"drain","draining":true,"new":{"a":[1]}})"));
}

TEST(GateLink, IllFormedMessagesAreRefused) {
    for (const auto* text : {"", "5", "{}", R"({"type":"dance"})", R"({"type":"login","id":1})",
                             R"({"type":"screen_lost","session":"../s","desktop":"d-1","why":""})",
                             R"({"type":"pointed","id":1,"result":{"viewers":-1}})"})
        EXPECT_EQ(decode_from_gateway(text).error().code, Errc::invalid_argument) << text;
    const auto with_ticket = [](const std::string& ticket) {
        return R"({"type":"prepare","session":"s-1","screen":{"desktop":"d-1","relay":)"
               R"({"address":"10.0.0.1","port":1},"ticket":")" +
               ticket + "\"}}";
    };
    EXPECT_TRUE(decode_from_controller(with_ticket(a_screen.ticket)));
    for (const std::string& ticket :
         {std::string(), a_screen.ticket.substr(1), a_screen.ticket + "0", std::string(32, 'A')})
        EXPECT_EQ(decode_from_controller(with_ticket(ticket)).error().code, Errc::invalid_argument)
            << ticket;
}

TEST(GateLink, AnAlteredMessageIsReadOrRefusedButNeverMisread) {
    std::vector<std::string> texts;
    for (const auto& message : gateway_messages())
        texts.push_back(encode(message));
    for (const auto& message : controller_messages())
        texts.push_back(encode(message));
    EXPECT_TRUE(rc::check("any field replaced", [&texts] {
        const auto altered = baton::testing::with_one_field_altered(*rc::gen::elementOf(texts));
        if (const auto message = decode_from_gateway(altered))
            RC_ASSERT(decode_from_gateway(encode(*message)).value() == *message);
        if (const auto message = decode_from_controller(altered))
            RC_ASSERT(decode_from_controller(encode(*message)).value() == *message);
    }));
}

} // namespace
} // namespace baton::gatelink
