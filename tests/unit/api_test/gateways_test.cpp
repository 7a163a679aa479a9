#include "unit/api_test/site.h"

namespace baton::api::testing {
namespace {

using std::chrono::seconds;

struct GatewaysTest : ::testing::Test {
    Site site;
    std::string kim = site.person("kim");

    std::string invite(const std::string& name) {
        const net::Response response = site.ask(site.admin, "POST", "/v1/gateways/invite",
                                                json::serialize(json::object{{"name", name}}));
        EXPECT_EQ(response.status, 201) << response.body;
        const std::string token(body_of(response).at("token").as_string());
        return token.substr(token.find(':') + 1);
    }

    net::Response join(const std::string& secret, const std::string& name = "gate1",
                       const std::string& csr = "csr") {
        return site.ask("", "POST", "/v1/gateways/join",
                        json::serialize(json::object{{"token_secret", secret},
                                                     {"name", name},
                                                     {"csr_pem", csr},
                                                     {"address", "10.98.0.1"}}));
    }

    std::optional<Result<Admitted>> login(const std::string& user, const std::string& password,
                                          const std::string& address = "10.98.0.51") {
        auto result = std::make_shared<std::optional<Result<Admitted>>>();
        site.api->admit(UserName(user), password, address,
                        [result](Result<Admitted> admitted) { *result = std::move(admitted); });
        site.clock.run();
        return *result;
    }

    Result<Admitted> redeem(const std::string& ticket, const std::string& address = "10.98.0.51") {
        Result<Admitted> result;
        site.api->admit(ticket, address,
                        [&result](Result<Admitted> admitted) { result = std::move(admitted); });
        return result;
    }

    net::Response share(const std::string& token, const std::string& session,
                        const std::string& body = "{}") {
        return site.ask(token, "POST", "/v1/sessions/" + session + "/ticket", body);
    }

    std::string ticket(const std::string& session, const std::string& body = "{}") {
        const net::Response response = share(kim, session, body);
        EXPECT_EQ(response.status, 201) << response.body;
        return std::string(body_of(response).at("ticket").as_string());
    }
};

TEST_F(GatewaysTest, OneJoinsWithItsInvitationOnce) {
    const std::string secret = invite("gate1");
    EXPECT_EQ(body_of(site.ask(site.admin, "GET", "/v1/gateways/gate1")).at("state").as_string(),
              "invited");
    EXPECT_EQ(join("wrong").status, 401);
    EXPECT_EQ(join(secret, "gate2").status, 403);
    EXPECT_EQ(join(secret, "gate1", "nonsense").status, 400);
    const net::Response joined = join(secret);
    ASSERT_EQ(joined.status, 200) << joined.body;
    EXPECT_EQ(body_of(joined).at("certificate_pem").as_string(), "certificate of gate1");
    EXPECT_EQ(join(secret).status, 401) << "used up";

    EXPECT_EQ(site.api->admit_gateway(GatewayId("gate1"), "feedgate1").value(), false);
    EXPECT_EQ(site.api->admit_gateway(GatewayId("gate1"), "other").error().code, Errc::forbidden);
    EXPECT_EQ(site.api->admit_gateway(GatewayId("gate2"), "feedgate1").error().code,
              Errc::forbidden);
    // an invitation of a host is none of a gateway, nor the other way round
    const net::Response host =
        site.ask("", "POST", "/v1/hosts/join",
                 json::serialize(json::object{{"token_secret", invite("gate3")},
                                              {"name", "gate3"},
                                              {"csr_pem", "csr"},
                                              {"address", "10.99.0.9"},
                                              {"memory_mib", 4096}}));
    EXPECT_EQ(host.status, 401);
}

TEST_F(GatewaysTest, DrainingIsKeptAndRemovingCutsOff) {
    ASSERT_EQ(join(invite("gate1")).status, 200);
    EXPECT_EQ(body_of(site.ask(site.admin, "GET", "/v1/gateways/gate1")).at("state").as_string(),
              "away");
    GatewayNow now;
    now.id = GatewayId("gate1");
    now.vnc_port = 5900;
    now.viewers = 2;
    site.gateways.now = {now};
    const json::object shown = body_of(site.ask(site.admin, "GET", "/v1/gateways/gate1"));
    EXPECT_EQ(shown.at("state").as_string(), "ready");
    EXPECT_EQ(shown.at("viewers").to_number<int>(), 2);
    EXPECT_EQ(site.ask(site.admin, "POST", "/v1/gateways/gate1/drain").status, 200);
    EXPECT_EQ(site.api->admit_gateway(GatewayId("gate1"), "feedgate1").value(), true);
    EXPECT_EQ(site.ask(site.admin, "POST", "/v1/gateways/gate1/undrain").status, 200);
    EXPECT_EQ(site.ask(kim, "POST", "/v1/gateways/gate1/drain").status, 403);
    EXPECT_EQ(site.ask(site.admin, "POST", "/v1/gateways/none/drain").status, 404);
    EXPECT_EQ(site.ask(site.admin, "DELETE", "/v1/gateways/gate1").status, 200);
    EXPECT_EQ(site.gateways.asked, (std::vector<std::string>{"expel gate1", "drain gate1",
                                                             "undrain gate1", "expel gate1"}));
    EXPECT_EQ(site.api->admit_gateway(GatewayId("gate1"), "feedgate1").error().code,
              Errc::forbidden);
}

TEST_F(GatewaysTest, ALoginOpensTheSessionOrFindsIt) {
    const auto first = login("kim", "correct horse");
    ASSERT_TRUE(first && *first) << (first ? first->error().message() : "no answer");
    EXPECT_EQ(site.engine.opened.back().route, RouteKind::gateway);
    EXPECT_EQ((*first)->session.row.image, OsImageId("tiny-1"));
    const auto again = login("kim", "correct horse");
    ASSERT_TRUE(again && *again);
    EXPECT_EQ((*again)->session.row.id, (*first)->session.row.id);
    EXPECT_NE((*again)->resume, (*first)->resume);

    site.engine.serve_at_once = false;
    (void)site.person("lee");
    EXPECT_FALSE(login("lee", "correct horse")) << "answered when it serves";
}

TEST_F(GatewaysTest, WrongPasswordsAreHeldBackAsAtTheApi) {
    for (int i = 0; i < 4; ++i)
        EXPECT_EQ(login("kim", "wrong")->error().code, Errc::unauthenticated) << i;
    const auto held = login("kim", "correct horse");
    EXPECT_EQ(held->error().code, Errc::busy);
    EXPECT_NE(held->error().hint.find("try again in 1 s"), std::string::npos);
    site.clock.advance(seconds(1));
    EXPECT_TRUE(login("kim", "correct horse")->has_value());
    EXPECT_EQ(login("nobody", "correct horse")->error().code, Errc::unauthenticated);
}

TEST_F(GatewaysTest, ATicketIsGoodOnceAndForAMinute) {
    const std::string session = login("kim", "correct horse")->value().session.row.id.value;
    const std::string good = ticket(session);
    const auto admitted = redeem(good);
    ASSERT_TRUE(admitted) << admitted.error().message();
    EXPECT_FALSE(admitted->view_only);
    EXPECT_EQ(redeem(good).error().code, Errc::unauthenticated) << "used before";
    const std::string old = ticket(session);
    site.clock.advance(seconds(61));
    EXPECT_EQ(redeem(old).error().code, Errc::unauthenticated);
    // what the first one gave lets the same viewer in again, once
    const auto back = redeem(admitted->resume);
    ASSERT_TRUE(back);
    EXPECT_EQ(back->session.row.id.value, session);
    EXPECT_FALSE(redeem(admitted->resume));
}

TEST_F(GatewaysTest, OthersOnlyLookOnAndThatIsTold) {
    const std::string session = login("kim", "correct horse")->value().session.row.id.value;
    const std::string lee = site.person("lee");
    const std::string teacher = site.person("park", "operator");
    EXPECT_EQ(share(lee, session).status, 404) << "not even that there is one";
    EXPECT_EQ(share(teacher, session).status, 403);
    const net::Response shared = share(teacher, session, R"({"view_only":true})");
    ASSERT_EQ(shared.status, 201) << shared.body;
    const auto admitted = redeem(std::string(body_of(shared).at("ticket").as_string()));
    ASSERT_TRUE(admitted);
    EXPECT_TRUE(admitted->view_only);
    EXPECT_TRUE(redeem(admitted->resume)->view_only) << "coming back gives no more rights";
    const auto events = site.store->events(0, 1000).value();
    EXPECT_TRUE(std::ranges::any_of(events, [&](const store::EventRow& event) {
        return event.kind == "session.shared" && event.subject == session;
    }));
}

TEST_F(GatewaysTest, ASessionByPortForwardHasNoTickets) {
    const net::Response opened = site.ask(kim, "POST", "/v1/sessions?wait=5", R"({"route":"nat"})");
    ASSERT_EQ(opened.status, 200) << opened.body;
    const std::string id(body_of(opened).at("id").as_string());
    EXPECT_EQ(share(kim, id).status, 422);
    EXPECT_EQ(site.ask(kim, "POST", "/v1/sessions", R"({"route":"tunnel"})").status, 400);
}

TEST_F(GatewaysTest, SessionsThatDoNotSayGoThroughAGatewayIfOneHasJoined) {
    EXPECT_EQ(site.ask(kim, "POST", "/v1/sessions?wait=5").status, 200);
    EXPECT_EQ(site.engine.opened.back().route, RouteKind::nat);
    ASSERT_EQ(join(invite("gate1")).status, 200);
    const std::string lee = site.person("lee");
    const net::Response opened = site.ask(lee, "POST", "/v1/sessions?wait=5");
    EXPECT_EQ(site.engine.opened.back().route, RouteKind::gateway);
    EXPECT_EQ(body_of(opened).at("route").at("kind").as_string(), "gateway");
    EXPECT_TRUE(body_of(opened).at("screen_password").is_null()) << "there is none";
    const std::string park = site.person("park");
    EXPECT_EQ(site.ask(park, "POST", "/v1/sessions?wait=5", R"({"client":"10.98.0.9"})").status,
              200);
    EXPECT_EQ(site.engine.opened.back().route, RouteKind::nat) << "a client is the nat route's";
}

} // namespace
} // namespace baton::api::testing
