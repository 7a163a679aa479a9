#include "api/guests.h"
#include "api/session_keeper.h"
#include "unit/api_test/site.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

// Desktops that are started for a PC without a person in front of it, and sessions that nobody
// uses.
namespace baton::api::testing {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::string pc_mac = "52:54:00:99:00:01";
const std::string pc_address = "10.98.0.101";

GatewayNow a_gateway() {
    GatewayNow gateway;
    gateway.id = GatewayId("gate1");
    return gateway;
}

Settings with_prestart() {
    Settings settings;
    settings.prestart = true;
    settings.kept_unused = minutes(15);
    settings.kept_without_viewer = minutes(60);
    settings.route = RouteKind::gateway;
    return settings;
}

struct UnattendedTest : ::testing::Test {
    Site site{with_prestart()};

    void SetUp() override { site.gateways.now.push_back(a_gateway()); }

    json::object up(const std::string& of = pc_mac, bool again = false,
                    const std::string& address = pc_address) {
        return site.client_up(of, address, again);
    }

    net::Response assign(const json::object& body, const std::string& of = pc_mac) {
        return site.ask(site.admin, "POST", "/v1/clients/" + of + "/assign", json::serialize(body));
    }

    json::object show() { return site.get(site.admin, "/v1/clients/" + pc_mac); }

    void look_on(const std::string& session, bool view_only = false) {
        site.gateways.looking_on.push_back(
            {GatewayId("gate1"), SessionId(session), pc_address, view_only, false});
    }

    std::vector<std::string> told(const std::string& kind) {
        std::vector<std::string> texts;
        const auto events = site.get(site.admin, "/v1/events?limit=1000");
        for (const json::value& event : events.at("events").as_array())
            if (event.at("kind").as_string() == kind)
                texts.emplace_back(event.at("text").as_string());
        return texts;
    }

    /// A session that somebody opened at a viewer, by name and password.
    std::string at_work(const std::string& name) {
        std::string id;
        site.api->admit(UserName(name), "correct horse", pc_address,
                        [&](const Result<Admitted>& admitted) {
                            ASSERT_TRUE(admitted) << admitted.error().message();
                            id = admitted->session.row.id.value;
                        });
        site.clock.run();
        return id;
    }
};

// ---- started beforehand -------------------------------------------------------------------------

struct PrestartTest : UnattendedTest {
    void SetUp() override {
        UnattendedTest::SetUp();
        site.person("kim");
        up();
        assign({{"user", "kim"}});
    }
};

TEST_F(PrestartTest, TheSignalStartsTheDesktopOfWhoseItIs) {
    up();
    ASSERT_EQ(site.engine.opened.size(), 1);
    EXPECT_EQ(site.engine.opened[0].user.value, "kim");
    EXPECT_EQ(site.engine.opened[0].route, RouteKind::gateway);
    EXPECT_FALSE(site.engine.opened[0].without_desk);
    EXPECT_EQ(show().at("prestarted").as_string(), "s-00000001");
    EXPECT_THAT(told("client.prestarted"), ElementsAre(HasSubstr("kim")));
}

TEST_F(PrestartTest, ItIsNeverStartedTwice) {
    up();
    up();
    EXPECT_EQ(site.engine.opened.size(), 1);
    const std::string other = "52:54:00:99:00:02";
    up(other);
    assign({{"user", "kim"}}, other);
    up(other);
    EXPECT_EQ(site.engine.opened.size(), 1);
    EXPECT_EQ(site.engine.sessions().size(), 1);
}

TEST_F(PrestartTest, APcThatOnlySaysItAgainHasNotStarted) {
    up(pc_mac, true);
    EXPECT_THAT(site.engine.opened, IsEmpty());
}

TEST_F(PrestartTest, TheDesktopsImageIsThePcs) {
    site.images.ids = {"tiny-1", "desktop-1"};
    assign({{"os_image", "desktop-1"}});
    up();
    ASSERT_EQ(site.engine.opened.size(), 1);
    EXPECT_EQ(site.engine.opened[0].image.value, "desktop-1");
}

TEST_F(PrestartTest, ItEndsWhenNobodyComes) {
    up();
    site.clock.advance(minutes(14));
    EXPECT_THAT(site.engine.closed, IsEmpty());
    site.clock.advance(minutes(2));
    EXPECT_THAT(site.engine.closed, ElementsAre(SessionId("s-00000001")));
    EXPECT_TRUE(show().at("prestarted").is_null());
    EXPECT_THAT(told("session.unused"), ElementsAre(HasSubstr("nobody has come for 15 min")));
    site.clock.advance(minutes(60));
    EXPECT_EQ(site.engine.closed.size(), 1);
}

TEST_F(PrestartTest, ItStaysWhenThePersonHasLoggedIn) {
    up();
    EXPECT_EQ(at_work("kim"), "s-00000001");
    EXPECT_TRUE(show().at("prestarted").is_null());
    look_on("s-00000001");
    site.clock.advance(minutes(300));
    EXPECT_THAT(site.engine.closed, IsEmpty());
}

TEST_F(PrestartTest, AskingForItByTheApiIsComingToo) {
    up();
    const auto token = site.login("kim", "correct horse");
    EXPECT_EQ(site.ask(token, "POST", "/v1/sessions", R"({"route":"gateway"})").status, 200);
    EXPECT_TRUE(show().at("prestarted").is_null());
    up();
    EXPECT_TRUE(show().at("prestarted").is_null()); // their own session is not taken for one
}

TEST_F(PrestartTest, AnOperatorWhoAsksIsNotThePerson) {
    up();
    site.ask(site.admin, "POST", "/v1/sessions", R"({"user":"kim","route":"gateway"})");
    EXPECT_FALSE(show().at("prestarted").is_null());
}

TEST_F(PrestartTest, WhyItWasNotStartedIsTold) {
    site.engine.refuse = Error{Errc::refused, "all places are taken", "", 0};
    up();
    EXPECT_THAT(told("client.prestart_failed"), ElementsAre(HasSubstr("all places are taken")));
    EXPECT_TRUE(show().at("prestarted").is_null());
    site.engine.refuse.reset();
    site.ask(site.admin, "POST", "/v1/users/kim/disable", "{}");
    up();
    EXPECT_THAT(told("client.prestart_failed"),
                ElementsAre(HasSubstr("all places"), HasSubstr("disabled")));
    EXPECT_EQ(site.engine.opened.size(), 1);
}

TEST_F(PrestartTest, AControllerThatIsStartedAgainEndsItToo) {
    up();
    site.start_again();
    site.clock.advance(minutes(16));
    EXPECT_THAT(site.engine.closed, ElementsAre(SessionId("s-00000001")));
}

TEST_F(PrestartTest, ARoomIsStartedSixteenAtATime) {
    site.engine.serve_at_once = false;
    const auto signal = [&](int i) {
        up(fmt::format("52:54:00:98:00:{:02x}", i), false, fmt::format("10.98.1.{}", i));
    };
    for (int i = 0; i < 20; ++i) {
        const auto name = fmt::format("user{}", i);
        store::Change change;
        change.users.push_back({UserName(name), Role::user, "", false, {}});
        ASSERT_TRUE(site.store->commit(change));
        ASSERT_TRUE(site.api->load());
        signal(i);
        assign({{"user", name}}, fmt::format("52:54:00:98:00:{:02x}", i));
    }
    for (int i = 0; i < 20; ++i)
        signal(i);
    EXPECT_EQ(site.engine.opened.size(), 16);
    site.engine.serve(SessionId("s-00000001"));
    site.clock.run();
    EXPECT_EQ(site.engine.opened.size(), 17);
}

TEST(Prestart, NothingIsStartedWhereItIsNotWanted) {
    Site site;
    site.person("kim");
    auto request = Site::request("", "POST", "/v1/clients/up",
                                 R"({"mac":"52:54:00:99:00:01","memory_mib":971,)"
                                 R"("image":"client-1","firmware":"bios"})");
    site.begin(request);
    site.ask(site.admin, "POST", "/v1/clients/" + pc_mac + "/assign", R"({"user":"kim"})");
    site.begin(request);
    EXPECT_THAT(site.engine.opened, IsEmpty());
}

// ---- kept without a viewer ----------------------------------------------------------------------

TEST_F(UnattendedTest, ASessionIsKeptAfterAPowerCutAndPickedUpElsewhere) {
    site.person("kim");
    const auto session = at_work("kim");
    look_on(session);
    site.clock.advance(minutes(120));
    site.gateways.looking_on.clear(); // power cut
    site.clock.advance(minutes(59));
    EXPECT_THAT(site.engine.closed, IsEmpty());
    EXPECT_EQ(at_work("kim"), session);
    look_on(session);
    site.clock.advance(minutes(59));
    site.gateways.looking_on.clear();
    site.clock.advance(minutes(59));
    EXPECT_THAT(site.engine.closed, IsEmpty()) << "the time is counted anew";
    site.clock.advance(minutes(2));
    EXPECT_THAT(site.engine.closed, ElementsAre(SessionId(session)));
    EXPECT_THAT(told("session.unused"),
                ElementsAre("the session of kim ends: nobody looked on for 1 h"));
}

TEST_F(UnattendedTest, WhoOnlyLooksOnKeepsNoSession) {
    site.person("kim");
    const auto session = at_work("kim");
    look_on(session, true);
    site.clock.advance(minutes(61));
    EXPECT_THAT(site.engine.closed, ElementsAre(SessionId(session)));
}

TEST_F(UnattendedTest, NothingEndsWhileNobodyCanBeSeen) {
    site.person("kim");
    at_work("kim");
    const auto gate = site.gateways.now;
    site.gateways.now.clear();
    site.clock.advance(minutes(600));
    EXPECT_THAT(site.engine.closed, IsEmpty());
    site.gateways.now = gate;
    site.clock.advance(minutes(59));
    EXPECT_THAT(site.engine.closed, IsEmpty());
    site.clock.advance(minutes(2));
    EXPECT_EQ(site.engine.closed.size(), 1);
}

TEST_F(UnattendedTest, ASessionOfTheRouteNatIsNotEndedSo) {
    const auto token = site.person("kim");
    site.ask(token, "POST", "/v1/sessions", R"({"client":"10.98.0.20"})");
    site.clock.advance(minutes(600));
    EXPECT_THAT(site.engine.closed, IsEmpty());
}

TEST(SessionKeeper, SessionsAreKeptForEverWhenNothingIsSaid) {
    Site site;
    site.gateways.now.push_back(a_gateway());
    const auto token = site.person("kim");
    site.ask(token, "POST", "/v1/sessions", R"({"route":"gateway"})");
    site.clock.advance(std::chrono::hours(24 * 365) / 100);
    EXPECT_THAT(site.engine.closed, IsEmpty());
}

// ---- guests -------------------------------------------------------------------------------------

struct GuestTest : UnattendedTest {
    void SetUp() override {
        UnattendedTest::SetUp();
        up();
        EXPECT_EQ(assign({{"guest", true}}).status, 200);
    }

    Result<Admitted> admit(const std::string& secret, const std::string& address = pc_address,
                           const std::string& name = "guest-525400990001") {
        Result<Admitted> result = fail(Errc::internal, "not answered");
        site.api->admit(UserName(name), secret, address,
                        [&](const Result<Admitted>& admitted) { result = admitted; });
        site.clock.run();
        return result;
    }

    static std::string token_in(const json::object& answer) {
        return std::string(answer.at("token").as_string());
    }
};

TEST_F(GuestTest, ThePcOpensASessionWithoutADesk) {
    const auto answer = up();
    EXPECT_EQ(answer.at("guest").as_string(), "guest-525400990001");
    const auto admitted = admit(token_in(answer));
    ASSERT_TRUE(admitted) << admitted.error().message();
    ASSERT_EQ(site.engine.opened.size(), 1);
    EXPECT_TRUE(site.engine.opened[0].without_desk);
    EXPECT_EQ(site.engine.opened[0].user.value, "guest-525400990001");
    EXPECT_TRUE(admitted->session.row.desk.empty());
    EXPECT_TRUE(admit(token_in(answer))) << "as often as it is started, until it says up again";
}

TEST_F(GuestTest, NobodyElseOpensIt) {
    const auto token = token_in(up());
    EXPECT_EQ(admit(token, "10.98.0.102").error().code, Errc::unauthenticated);
    EXPECT_EQ(admit("wrong").error().code, Errc::unauthenticated);
    up();
    EXPECT_EQ(admit(token).error().code, Errc::unauthenticated);
    EXPECT_EQ(site.login("guest-525400990001", "correct horse"), "");
    for (int i = 0; i < 40; ++i)
        (void)admit("wrong");
    EXPECT_EQ(admit("wrong").error().code, Errc::busy);
    EXPECT_THAT(site.engine.opened, IsEmpty());
}

TEST_F(GuestTest, ItsTokenOpensNoPersonsSession) {
    site.person("kim");
    EXPECT_EQ(admit(token_in(up()), pc_address, "kim").error().code, Errc::unauthenticated);
}

TEST_F(GuestTest, APcIsAPersonsOrForGuests) {
    site.person("kim");
    EXPECT_EQ(assign({{"user", "kim"}, {"guest", true}}).status, 400);
    const auto token = token_in(up());
    EXPECT_TRUE(admit(token));
    EXPECT_EQ(assign({{"user", "kim"}}).status, 200);
    EXPECT_FALSE(show().at("guest").as_bool());
    EXPECT_EQ(site.engine.closed.size(), 1) << "the guest is gone";
    EXPECT_EQ(admit(token).error().code, Errc::unauthenticated);
    EXPECT_EQ(assign({{"guest", true}}).status, 200);
    EXPECT_TRUE(show().at("user").is_null());
}

TEST_F(GuestTest, APersonOfThatNameIsNotTakenForIt) {
    site.person("guest-525400990002");
    up("52:54:00:99:00:02");
    EXPECT_EQ(assign({{"guest", true}}, "52:54:00:99:00:02").status, 409);
    EXPECT_TRUE(admit("correct horse", pc_address, "guest-525400990002"));
}

TEST_F(GuestTest, ItEndsWhenNobodyLooksAtIt) {
    ASSERT_TRUE(admit(token_in(up())));
    look_on("s-00000001");
    site.clock.advance(minutes(100));
    EXPECT_THAT(site.engine.closed, IsEmpty());
    site.gateways.looking_on.clear();
    site.clock.advance(minutes(16));
    EXPECT_EQ(site.engine.closed.size(), 1);
}

} // namespace
} // namespace baton::api::testing
