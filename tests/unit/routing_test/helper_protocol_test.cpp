#include "routing/helper_protocol.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace baton::routing {
namespace {

const Route kim{SessionId("s-kim00000"), "10.98.0.51", 6001, {"10.99.0.11", 5901}};

std::string_view without_newline(const std::string& line) {
    EXPECT_TRUE(line.ends_with('\n'));
    EXPECT_EQ(line.find('\n'), line.size() - 1);
    return std::string_view(line).substr(0, line.size() - 1);
}

TEST(HelperProtocol, RequestsComeBackAsTheyWere) {
    for (const HelperRequest& request :
         {HelperRequest(TableEnsure{}), HelperRequest(RoutesReplace{{kim, kim}}),
          HelperRequest(RoutesReplace{}), HelperRequest(RoutePoint{kim}),
          HelperRequest(RouteRemove{kim.session}), HelperRequest(RoutesList{}),
          HelperRequest(FlowsCut{})})
        EXPECT_EQ(decode_helper_request(without_newline(encode(request))).value(), request);
}

TEST(HelperProtocol, AnswersComeBackAsTheyWere) {
    const Result<HelperAnswer> good = HelperAnswer{{kim}, 3};
    EXPECT_EQ(decode_helper_answer(without_newline(encode(good))), good);
    const Result<HelperAnswer> bad = fail(Errc::busy, "taken \"by\"\nsomebody", "wait");
    EXPECT_EQ(decode_helper_answer(without_newline(encode(bad))), bad);
}

TEST(HelperProtocol, EveryFieldIsCheckedAndNoneTooMany) {
    for (
        const auto* line :
        {"", "[]", "{}", R"({"version":1})", R"({"version":"1","verb":"routes.list"})",
         R"({"version":1,"verb":"routes.list","more":1})", R"({"version":1,"verb":"nft"})",
         R"({"version":1,"verb":"route.remove"})",
         R"({"version":1,"verb":"route.remove","session":1})",
         R"({"version":1,"verb":"route.point","route":{"session":"s-a","client":"c","listen_port":70000,"address":"a","port":1}})",
         R"({"version":1,"verb":"route.point","route":{"session":"s-a","client":"c","listen_port":-1,"address":"a","port":1}})",
         R"({"version":1,"verb":"route.point","route":{"session":"s-a","client":"c","listen_port":1,"address":"a"}})",
         R"({"version":1,"verb":"route.point","route":{"session":"s-a","client":"c","listen_port":1,"address":"a","port":1,"x":1}})",
         R"({"version":1,"verb":"routes.replace","routes":{}})",
         R"({"version":1,"verb":"routes.replace","routes":[1]})", "[[[[[[[[[[[["}) {
        const auto result = decode_helper_request(line);
        ASSERT_FALSE(result) << line;
        EXPECT_EQ(result.error().code, Errc::invalid_argument) << line;
    }
    EXPECT_EQ(decode_helper_request(R"({"version":2,"verb":"routes.list"})").error().code,
              Errc::unsupported);
    for (const auto* line :
         {"", "{}", R"({"error":1})", R"({"error":{"code":"busy"}})", R"({"routes":[],"cut":"1"})"})
        EXPECT_EQ(decode_helper_answer(line).error().code, Errc::corrupt) << line;
}

TEST(HelperProtocol, AnyBytesGetAnAnswer) {
    rc::check("decoding never fails otherwise than by an error", [](const std::string& bytes) {
        (void)decode_helper_request(bytes);
        (void)decode_helper_answer(bytes);
    });
}

} // namespace
} // namespace baton::routing
