#include "api/client_orders.h"
#include "unit/api_test/site.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace baton::api::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::HasSubstr;

const std::string mac = "52:54:00:99:00:01";
const std::string own_address = "10.98.0.101";

struct ClientOrdersTest : ::testing::Test {
    Site site;
    std::string token = up();

    std::string up(bool again = false, const std::string& address = own_address) {
        return std::string(site.client_up(mac, address, again).at("token").as_string());
    }

    std::shared_ptr<std::optional<net::Response>> asks(const std::string& query,
                                                       const std::optional<std::string>& with = {},
                                                       const std::string& address = own_address,
                                                       const std::string& of = mac) {
        auto request =
            Site::request(with.value_or(token), "GET", "/v1/clients/" + of + "/orders" + query);
        request.peer.address = address;
        return site.begin(request);
    }

    std::string given(const std::string& query) {
        const auto response = asks(query);
        return *response ? fmt::format("{} {}", (*response)->status, (*response)->body) : "nothing";
    }

    std::shared_ptr<std::optional<net::Response>> order(const std::string& what,
                                                        const json::object& body = {}) {
        return site.begin(Site::request(site.admin, "POST", "/v1/clients/" + mac + "/" + what,
                                        json::serialize(body)));
    }
};

TEST_F(ClientOrdersTest, WaitUntilThePcHasAskedAndSaidThatTheyCame) {
    EXPECT_EQ((*order("message", {{"text", "back in five minutes"}}))->status, 200);
    EXPECT_EQ((*order("reboot"))->status, 200);
    EXPECT_EQ(given("?after=0&wait=50"), "200 1 message back in five minutes\n2 reboot \n");
    EXPECT_EQ(given("?after=0"), "200 1 message back in five minutes\n2 reboot \n"); // was lost
    EXPECT_EQ(given("?after=1"), "200 2 reboot \n");
    EXPECT_EQ(given("?after=2"), "200 ");
}

TEST_F(ClientOrdersTest, AQuestionIsHeldUntilThereIsSomething) {
    const auto question = asks("?after=0&wait=50");
    ASSERT_FALSE(*question);
    order("reboot");
    site.clock.run();
    ASSERT_TRUE(*question);
    EXPECT_EQ((*question)->body, "1 reboot \n");
    const auto next = asks("?after=1&wait=50");
    ASSERT_FALSE(*next);
    site.clock.advance(seconds(50));
    ASSERT_TRUE(*next);
    EXPECT_EQ((*next)->body, "");
}

TEST_F(ClientOrdersTest, OfOnePcOneQuestionIsHeld) {
    const auto first = asks("?wait=50");
    const auto second = asks("?wait=50");
    ASSERT_TRUE(*first);
    EXPECT_EQ((*first)->body, "");
    EXPECT_FALSE(*second);
    site.clock.advance(seconds(60));
    EXPECT_TRUE(*second);
}

TEST_F(ClientOrdersTest, AnOperatorIsToldWhenThePcHasIt) {
    const auto waiting = order("reboot?wait=20");
    ASSERT_FALSE(*waiting);
    EXPECT_EQ(given("?after=0&wait=50"), "200 1 reboot \n");
    ASSERT_FALSE(*waiting); // sent is not come
    given("?after=1");
    ASSERT_TRUE(*waiting);
    EXPECT_TRUE(body_of(**waiting).at("taken").as_bool());
    const auto vain = order("message?wait=20", {{"text", "x"}});
    site.clock.advance(seconds(20));
    ASSERT_TRUE(*vain);
    EXPECT_FALSE(body_of(**vain).at("taken").as_bool());
}

TEST_F(ClientOrdersTest, OnlyWhoSaidUpFromThereMayAsk) {
    EXPECT_EQ((*asks("", "wrong"))->status, 401);
    EXPECT_EQ((*asks("", token, "10.98.0.102"))->status, 401);
    EXPECT_EQ((*asks("", token, own_address, "52:54:00:99:00:02"))->status, 401);
    EXPECT_EQ((*asks("", site.admin))->status, 401);
    EXPECT_EQ((*asks("", token, own_address, "nothing"))->status, 401);
    const auto former = token;
    token = up();
    EXPECT_EQ((*asks("", former))->status, 401);
    EXPECT_EQ((*asks(""))->status, 200);
}

TEST_F(ClientOrdersTest, WhoGuessesIsAskedToWait) {
    int looked_at = 0;
    for (int i = 0; i < 100; ++i)
        looked_at += (*asks("", fmt::format("guess {}", i)))->status == 401 ? 1 : 0;
    EXPECT_LT(looked_at, 30);
    const auto refused = asks("");
    EXPECT_EQ((*refused)->status, 429);
    EXPECT_TRUE((*refused)->headers.contains("Retry-After"));
    EXPECT_EQ((*asks("", token, "10.98.0.102"))->status, 401); // others are looked at
}

TEST_F(ClientOrdersTest, NobodyStartsAgainForHavingStarted) {
    order("reboot");
    order("message", {{"text", "stays"}});
    token = up();
    EXPECT_EQ(given(""), "200 2 message stays\n");
    order("reboot");
    token = up(true); // the controller was started again, the PC was not
    EXPECT_EQ(given("?after=2"), "200 3 reboot \n");
}

TEST_F(ClientOrdersTest, SayingItAgainIsNoStart) {
    const auto before = site.get(site.admin, "/v1/clients/" + mac);
    site.clock.advance(seconds(5));
    up(true);
    const auto after = site.get(site.admin, "/v1/clients/" + mac);
    EXPECT_EQ(after.at("boots"), before.at("boots"));
    EXPECT_EQ(after.at("timings"), before.at("timings"));
    EXPECT_NE(after.at("last_seen"), before.at("last_seen"));
}

TEST_F(ClientOrdersTest, OrdersEndAndAreFew) {
    for (std::size_t i = 0; i < ClientOrders::most_orders; ++i)
        EXPECT_EQ((*order("message", {{"text", "x"}}))->status, 200);
    EXPECT_EQ((*order("reboot"))->status, 507);
    site.clock.advance(ClientOrders::life);
    EXPECT_EQ(given(""), "200 ");
    EXPECT_EQ((*order("reboot"))->status, 200);
}

TEST_F(ClientOrdersTest, AMessageIsOneShortLine) {
    const auto refused = [&](const std::string& text) {
        return (*order("message", {{"text", text}}))->status;
    };
    EXPECT_EQ(refused("two\nlines"), 400);
    EXPECT_EQ(refused("\x1b[2J"), 400);
    EXPECT_EQ(refused(std::string(201, 'x')), 400);
    EXPECT_EQ((*order("message"))->status, 400);
    EXPECT_EQ((*order("reboot", {{"text", "x"}}))->status, 400);
    EXPECT_EQ(given(""), "200 ");
    EXPECT_EQ(refused(""), 200); // takes one away
    EXPECT_EQ(refused("점심시간입니다"), 200);
}

TEST_F(ClientOrdersTest, APcIsSwitchedOnThatHasBeenUp) {
    EXPECT_EQ((*order("wake"))->status, 200);
    EXPECT_EQ(site.woken, std::vector<std::string>{mac});
    const auto unknown = site.ask(site.admin, "POST", "/v1/clients/52:54:00:99:00:02/wake", "{}");
    EXPECT_EQ(unknown.status, 404);
    site.not_woken = Error{Errc::refused, "network boot is not enabled", "", 0};
    EXPECT_THAT(error_of(**order("wake")), HasSubstr("not enabled"));
}

TEST_F(ClientOrdersTest, TheViewerTellsWhenTheLoginAndTheDesktopWereShown) {
    const auto tell = [&](const std::string& body, const std::string& with) {
        auto request = Site::request(with, "POST", "/v1/clients/" + mac + "/phase", body);
        request.peer.address = own_address;
        return (**site.begin(request)).status;
    };
    EXPECT_EQ(tell(R"({"login_ms":5200})", token), 200);
    EXPECT_EQ(tell(R"({"login_ms":5200})", token), 429);
    site.clock.advance(seconds(1));
    EXPECT_EQ(tell(R"({"entered_ms":9000,"first_frame_ms":11500})", token), 200);
    const auto timings = site.get(site.admin, "/v1/clients/" + mac).at("timings").as_object();
    EXPECT_EQ(timings.at("up_ms").as_int64(), 99);
    EXPECT_EQ(timings.at("login_ms").as_int64(), 5200);
    EXPECT_EQ(timings.at("first_frame_ms").as_int64(), 11500);
    site.clock.advance(seconds(1));
    EXPECT_EQ(tell(R"({"up_ms":1})", token), 400);
    site.clock.advance(seconds(1));
    EXPECT_EQ(tell(R"({"login_ms":-1})", token), 400);
    EXPECT_EQ(tell(R"({"login_ms":1})", "wrong"), 401);
    token = up();
    const auto next = site.get(site.admin, "/v1/clients/" + mac).at("timings").as_object();
    EXPECT_FALSE(next.contains("login_ms")) << "of the start before";
}

TEST(ClientOrders, WhoWasHeardLongestAgoGivesWay) {
    ClientOrders orders;
    const auto name = [](std::size_t i) { return fmt::format("pc {}", i); };
    std::vector<std::string> tokens;
    for (std::size_t i = 0; i <= ClientOrders::most_pcs; ++i)
        tokens.push_back(orders.up(name(i), own_address, true));
    EXPECT_EQ(orders.size(), ClientOrders::most_pcs);
    EXPECT_FALSE(orders.knows(name(0), own_address, tokens[0]));
    EXPECT_TRUE(orders.knows(name(1), own_address, tokens[1]));
}

} // namespace
} // namespace baton::api::testing
