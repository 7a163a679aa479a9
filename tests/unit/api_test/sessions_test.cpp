#include "unit/api_test/site.h"

namespace baton::api::testing {
namespace {

using std::chrono::seconds;

struct SessionsTest : ::testing::Test {
    Site site;
    std::string kim = site.person("kim");
    std::string lee = site.person("lee");

    std::string open(const std::string& token, const std::string& body = "{}") {
        const net::Response response = site.ask(token, "POST", "/v1/sessions?wait=5", body);
        EXPECT_EQ(response.status, 200) << response.body;
        return std::string(body_of(response).at("id").as_string());
    }
};

TEST_F(SessionsTest, OpeningWaitsUntilItServes) {
    const net::Response response =
        site.ask(kim, "POST", "/v1/sessions?wait=5", R"({"client":"10.99.0.20"})");
    ASSERT_EQ(response.status, 200) << response.body;
    const json::object session = body_of(response);
    EXPECT_EQ(session.at("user").as_string(), "kim");
    EXPECT_EQ(session.at("phase").as_string(), "serving");
    EXPECT_EQ(session.at("image").as_string(), "tiny-1");
    const json::object desktop = session.at("desktop").as_object();
    EXPECT_EQ(desktop.at("host").as_string(), "host1");
    EXPECT_EQ(desktop.at("memory_mib").as_int64(), 2048);
    EXPECT_EQ(desktop.at("screen").at("port").as_int64(), 5901);
    EXPECT_EQ(session.at("screen_password").as_string(), "secret12");
    EXPECT_TRUE(session.at("route").is_null());
    EXPECT_TRUE(session.at("move").is_null());
    EXPECT_TRUE(session.at("error").is_null());
    ASSERT_EQ(site.engine.opened.size(), 1U);
    EXPECT_EQ(site.engine.opened[0].client, "10.99.0.20");
}

TEST_F(SessionsTest, WithoutWaitingTheSessionIsToldAsItIs) {
    site.engine.serve_at_once = false;
    const net::Response response = site.ask(kim, "POST", "/v1/sessions");
    EXPECT_EQ(response.status, 202);
    EXPECT_EQ(body_of(response).at("phase").as_string(), "opening");
    EXPECT_TRUE(body_of(response).at("desktop").is_null());
}

TEST_F(SessionsTest, WhoAsksWhileTheFormerSessionClosesIsToldOfTheNextOne) {
    const auto former =
        SessionId(std::string(body_of(site.ask(kim, "POST", "/v1/sessions")).at("id").as_string()));
    site.engine.begin_closing(former);
    site.engine.serve_at_once = false;
    const auto response = site.begin(Site::request(kim, "POST", "/v1/sessions"));
    site.clock.advance(seconds(2));
    EXPECT_FALSE(response->has_value()) << "of a session that ends nobody is told";
    site.engine.end_closing(former);
    site.clock.advance(seconds(1));
    ASSERT_TRUE(response->has_value());
    EXPECT_EQ((*response)->status, 202);
    EXPECT_NE(body_of(**response).at("id").as_string(), former.value);
    EXPECT_EQ(body_of(**response).at("phase").as_string(), "opening");

    site.engine.begin_closing(SessionId(std::string(body_of(**response).at("id").as_string())));
    const auto late = site.begin(Site::request(kim, "POST", "/v1/sessions"));
    site.clock.advance(seconds(11));
    ASSERT_TRUE(late->has_value());
    EXPECT_EQ((*late)->status, 504) << "one that does not end";
}

TEST_F(SessionsTest, AWaitThatRunsOutIsAnsweredWithTheSession) {
    site.engine.serve_at_once = false;
    const auto response = site.begin(Site::request(kim, "POST", "/v1/sessions?wait=5"));
    site.clock.advance(seconds(4));
    EXPECT_FALSE(response->has_value());
    site.clock.advance(seconds(2));
    ASSERT_TRUE(response->has_value());
    EXPECT_EQ((*response)->status, 202);
    const SessionId id(std::string(body_of(**response).at("id").as_string()));
    site.engine.serve(id);
    site.clock.run();
    EXPECT_EQ(site.get(kim, "/v1/sessions/" + id.value).at("phase").as_string(), "serving");
}

TEST_F(SessionsTest, ARefusalIsTold) {
    site.engine.refuse = Error{Errc::refused, "16 of 16 are in use", "somebody must leave", 0};
    for (const char* target : {"/v1/sessions", "/v1/sessions?wait=5"}) {
        const net::Response response = site.ask(kim, "POST", target);
        EXPECT_EQ(response.status, net::http_status(Errc::refused));
        EXPECT_NE(error_of(response).find("16 of 16"), std::string::npos);
    }
}

TEST_F(SessionsTest, AnOpeningThatFailsLaterIsRememberedForWhoeverDidNotWait) {
    site.engine.serve_at_once = false;
    const json::object session = body_of(site.ask(kim, "POST", "/v1/sessions"));
    const std::string id(session.at("id").as_string());
    site.engine.break_opening(SessionId(id),
                              Error{Errc::timeout, "the desktop never got ready", "", 0});
    site.clock.run();
    const json::object after = site.get(kim, "/v1/sessions/" + id);
    EXPECT_EQ(after.at("phase").as_string(), "closed");
    EXPECT_EQ(after.at("error").at("code").as_string(), "timeout");
    EXPECT_EQ(after.at("ended_because").as_string(), "the desktop never got ready");
}

TEST_F(SessionsTest, TheSamePersonGetsTheirOwnSessionBack) {
    const std::string first = open(kim);
    site.images.ids = {"tiny-1", "desktop-1"};
    EXPECT_EQ(open(kim), first);
    EXPECT_EQ(open(site.admin, R"({"user":"kim","image":"desktop-1"})"), first);
    EXPECT_EQ(site.engine.opened.back().image, OsImageId("tiny-1"));
}

TEST_F(SessionsTest, AUserSeesAndTouchesTheirOwnAlone) {
    const std::string mine = open(kim);
    const std::string theirs = open(lee);
    EXPECT_EQ(site.get(kim, "/v1/sessions").at("sessions").as_array().size(), 1U);
    EXPECT_EQ(site.get(site.admin, "/v1/sessions").at("sessions").as_array().size(), 2U);
    const std::string path = "/v1/sessions/" + theirs;
    EXPECT_EQ(site.ask(kim, "GET", path).status, 404);
    EXPECT_EQ(site.ask(kim, "DELETE", path).status, 404);
    EXPECT_EQ(site.ask(kim, "POST", path + "/grow").status, 404);
    EXPECT_EQ(site.ask(kim, "POST", path + "/answer", R"({"now":true})").status, 404);
    EXPECT_EQ(site.ask(kim, "POST", "/v1/sessions", R"({"user":"lee"})").status, 403);
    EXPECT_EQ(site.ask(kim, "POST", "/v1/sessions", R"({"desk":"lee"})").status, 403);
    EXPECT_TRUE(site.engine.closed.empty());
    EXPECT_EQ(site.ask(kim, "DELETE", "/v1/sessions/" + mine + "?wait=1").status, 200);
    EXPECT_EQ(site.engine.closed.size(), 1U);
}

TEST_F(SessionsTest, APersonsNameStandsForTheirSession) {
    const std::string id = open(kim);
    EXPECT_EQ(site.get(site.admin, "/v1/sessions/kim").at("id").as_string(), id);
    EXPECT_EQ(site.ask(site.admin, "DELETE", "/v1/sessions/kim?wait=1").status, 200);
    EXPECT_EQ(site.ask(site.admin, "GET", "/v1/sessions/kim").status, 404);
    EXPECT_EQ(site.get(site.admin, "/v1/sessions/" + id).at("phase").as_string(), "closed");
    EXPECT_EQ(site.get(site.admin, "/v1/sessions?all=1").at("sessions").as_array().size(), 1U);
}

TEST_F(SessionsTest, TheImageIsChosenOrAskedFor) {
    site.images.ids = {"tiny-1", "desktop-1"};
    const net::Response unsaid = site.ask(kim, "POST", "/v1/sessions");
    EXPECT_EQ(unsaid.status, 400);
    EXPECT_NE(error_of(unsaid).find("tiny-1, desktop-1"), std::string::npos);
    EXPECT_EQ(site.ask(kim, "POST", "/v1/sessions", R"({"image":"none-1"})").status, 404);
    EXPECT_EQ(site.ask(kim, "POST", "/v1/sessions", R"({"image":"desktop-1"})").status, 200);
    site.images.ids = {};
    const net::Response nothing = site.ask(lee, "POST", "/v1/sessions");
    EXPECT_NE(error_of(nothing).find("baton os build"), std::string::npos);
}

TEST_F(SessionsTest, OfOneImageTheNewestVersionIsTaken) {
    site.images.ids = {"tiny-1", "tiny-3", "tiny-2"};
    open(kim);
    EXPECT_EQ(site.engine.opened.back().image, OsImageId("tiny-3"));
}

TEST_F(SessionsTest, BadInputIsNamed) {
    for (const char* client :
         {"1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "a.b.c.d", "1.2.3."}) {
        const net::Response response = site.ask(kim, "POST", "/v1/sessions",
                                                json::serialize(json::object{{"client", client}}));
        EXPECT_EQ(response.status, 400) << client;
    }
    EXPECT_EQ(site.ask(site.admin, "POST", "/v1/sessions", R"({"user":"nobody"})").status, 404);
    EXPECT_EQ(site.ask(kim, "POST", "/v1/sessions?wait=soon").status, 400);
    EXPECT_EQ(site.ask(kim, "POST", "/v1/sessions?wait=301").status, 400);
    EXPECT_EQ(site.ask(kim, "GET", "/v1/sessions?who=me").status, 400);
    EXPECT_TRUE(site.engine.opened.empty());
}

TEST_F(SessionsTest, GrowingTellsTheNewSize) {
    const std::string id = open(kim);
    const net::Response response = site.ask(kim, "POST", "/v1/sessions/" + id + "/grow");
    ASSERT_EQ(response.status, 200) << response.body;
    EXPECT_EQ(body_of(response).at("desktop").at("memory_mib").as_int64(), 4096);
}

TEST_F(SessionsTest, AnAnswerReachesTheEngineOnlyWhileOneIsAskedFor) {
    const std::string id = open(kim);
    const std::string path = "/v1/sessions/" + id + "/answer";
    EXPECT_EQ(site.ask(kim, "POST", path, R"({"now":false})").status, 409);
    site.engine.hand_off(SessionId(id), store::MovePhase::announcing);
    EXPECT_EQ(site.ask(kim, "POST", path, R"({})").status, 400);
    EXPECT_EQ(site.ask(kim, "POST", path, R"({"now":"no"})").status, 400);
    EXPECT_EQ(site.ask(kim, "POST", path, R"({"now":false})").status, 200);
    ASSERT_EQ(site.engine.answers.size(), 1U);
    EXPECT_FALSE(site.engine.answers[0].second);
    site.engine.hand_off(SessionId(id), store::MovePhase::leasing);
    EXPECT_EQ(site.ask(kim, "POST", path, R"({"now":true})").status, 409) << "too late";
}

} // namespace
} // namespace baton::api::testing
