#include "unit/api_test/site.h"

namespace baton::api::testing {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

struct AccountsTest : ::testing::Test {
    Site site;

    net::Response try_login(const std::string& name, const std::string& password,
                            const std::string& address = "10.0.0.1") {
        net::Request request =
            Site::request("", "POST", "/v1/login",
                          json::serialize(json::object{{"name", name}, {"password", password}}));
        request.peer.address = address;
        return **site.begin(request);
    }
};

TEST_F(AccountsTest, APersonIsAddedLogsInAndOut) {
    const std::string token = site.person("kim");
    ASSERT_FALSE(token.empty());
    const json::object me = site.get(token, "/v1/whoami");
    EXPECT_EQ(me.at("name").as_string(), "kim");
    EXPECT_EQ(me.at("role").as_string(), "user");
    EXPECT_FALSE(me.contains("password_hash"));
    EXPECT_EQ(site.ask(token, "POST", "/v1/logout").status, 200);
    EXPECT_EQ(site.ask(token, "GET", "/v1/whoami").status, 401);
}

TEST_F(AccountsTest, NeitherPasswordsNorTokensAreKept) {
    const std::string token = site.person("kim");
    const auto users = site.store->users().value();
    const auto tokens = site.store->tokens().value();
    for (const store::UserRow& row : users)
        EXPECT_EQ(row.password_hash.find("correct horse"), std::string::npos);
    for (const store::TokenRow& row : tokens) {
        EXPECT_EQ(row.token_sha256.size(), 64U);
        EXPECT_NE(row.token_sha256, token);
    }
}

TEST_F(AccountsTest, ATokenExpiresAndSurvivesARestartUntilThen) {
    const std::string token = site.person("kim");
    ASSERT_TRUE(site.api->load());
    EXPECT_EQ(site.ask(token, "GET", "/v1/whoami").status, 200);
    site.clock.advance(hours(13));
    EXPECT_EQ(site.ask(token, "GET", "/v1/whoami").status, 401);
    EXPECT_EQ(site.ask(site.admin, "GET", "/v1/whoami").status, 200) << "the file's never does";
}

TEST_F(AccountsTest, TheTokenFileIsKeptWhileItIsGoodAndReplacedWhenItIsLost) {
    EXPECT_EQ(site.api->local_admin_token(site.admin).value(), "");
    const std::string fresh = site.api->local_admin_token("").value();
    EXPECT_EQ(site.ask(fresh, "GET", "/v1/whoami").status, 200);
    EXPECT_EQ(site.ask(site.admin, "GET", "/v1/whoami").status, 401) << "the lost one is void";
    site.admin = fresh;
    const std::string user = site.person("kim");
    EXPECT_NE(site.api->local_admin_token(user).value(), "") << "a user's token is not good enough";
}

TEST_F(AccountsTest, ADisabledAdminGetsNoTokenFile) {
    const std::string second = site.person("second", "admin");
    ASSERT_EQ(site.ask(second, "POST", "/v1/users/admin/disable").status, 200);
    EXPECT_EQ(site.api->local_admin_token(site.admin).error().code, Errc::refused);
}

TEST_F(AccountsTest, BadPeopleAreRefusedWithAReason) {
    const auto add = [&](const std::string& body) {
        return site.ask(site.admin, "POST", "/v1/users", body);
    };
    EXPECT_EQ(add(R"({"name":"Kim!","password":"correct horse"})").status, 400);
    EXPECT_NE(error_of(add(R"({"name":"kim","password":"short"})")).find("8"), std::string::npos);
    EXPECT_NE(error_of(add(R"({"name":"kim","role":"king"})")).find("operator"), std::string::npos);
    EXPECT_NE(error_of(add(R"({"name":"kim","paswort":"x"})")).find("'paswort'"),
              std::string::npos);
    EXPECT_NE(error_of(add(R"({"name":7})")).find("'name' is not text"), std::string::npos);
    EXPECT_EQ(add("[]").status, 400);
    EXPECT_EQ(add("{").status, 400);
    EXPECT_EQ(add(R"({"name":"kim"})").status, 201);
    EXPECT_EQ(add(R"({"name":"kim","password":"correct horse"})").status, 409);
}

TEST_F(AccountsTest, WhoHasNoPasswordCannotLogIn) {
    EXPECT_EQ(site.ask(site.admin, "POST", "/v1/users", R"({"name":"kim"})").status, 201);
    EXPECT_EQ(site.login("kim", ""), "");
    EXPECT_EQ(site.login("admin", ""), "");
}

TEST_F(AccountsTest, GuessingOneNameIsSlowedDown) {
    (void)site.person("kim");
    for (int i = 0; i < 4; ++i)
        EXPECT_EQ(try_login("kim", "wrong wrong").status, 401) << i;
    const net::Response held = try_login("kim", "correct horse");
    EXPECT_EQ(held.status, 429);
    EXPECT_EQ(held.headers.at("Retry-After"), "1");
    site.clock.advance(seconds(1));
    EXPECT_EQ(try_login("kim", "wrong wrong").status, 401);
    site.clock.advance(seconds(1));
    EXPECT_EQ(try_login("kim", "correct horse").status, 429) << "the pause doubles";
    site.clock.advance(seconds(1));
    EXPECT_EQ(try_login("kim", "correct horse").status, 200);
    EXPECT_EQ(try_login("kim", "wrong wrong").status, 401) << "a success forgets";
}

TEST_F(AccountsTest, GuessingManyNamesFromOneAddressIsSlowedDown) {
    int looked_at = 0;
    for (int i = 0; i < 100; ++i)
        looked_at += try_login("guess" + std::to_string(i), "some password").status == 401 ? 1 : 0;
    EXPECT_EQ(looked_at, 21);
    EXPECT_EQ(try_login("kim", "some password", "10.0.0.2").status, 401) << "others are not held";
}

TEST_F(AccountsTest, AnOwnLoginDoesNotWashAnAddressClean) {
    (void)site.person("mallory");
    int looked_at = 0;
    for (int i = 0; i < 100; ++i) {
        (void)try_login("mallory", "correct horse");
        looked_at += try_login("guess" + std::to_string(i), "some password").status == 401 ? 1 : 0;
    }
    EXPECT_LE(looked_at, 21);
}

TEST_F(AccountsTest, UnknownNamesCostAHashToo) {
    class Counting : public Hasher {
      public:
        int calls = 0;

        Result<std::string> hash(const std::string&) override {
            ++calls;
            return std::string("x");
        }

        bool verify(const std::string&, const std::string&) override {
            ++calls;
            return false;
        }
    };

    auto counting = std::make_unique<Counting>();
    Counting& counter = *counting;
    const Services services{*site.store,
                            site.engine,
                            site.clock,
                            counter,
                            site.desks,
                            site.images,
                            site.authority,
                            [](const std::function<void()>& work) { work(); },
                            [](const std::string&) {}};
    Api api(services, Settings{});
    ASSERT_TRUE(api.load());
    int status = 0;
    api.handle(Site::request("", "POST", "/v1/login", R"({"name":"no","password":"whatever"})"),
               [&](const net::Response& response) { status = response.status; });
    site.clock.run();
    EXPECT_EQ(status, 401);
    EXPECT_EQ(counter.calls, 1);
}

TEST_F(AccountsTest, HashingIsBoundedAndOffTheExecutor) {
    site.background_at_once = false;
    int busy = 0;
    std::vector<std::shared_ptr<std::optional<net::Response>>> begun;
    for (int i = 0; i < 20; ++i) {
        net::Request request =
            Site::request("", "POST", "/v1/login",
                          R"({"name":"n)" + std::to_string(i) + R"(","password":"whatever"})");
        request.peer.address = "10.0.1." + std::to_string(i);
        begun.push_back(site.begin(request));
        busy += begun.back()->has_value() ? 1 : 0;
    }
    EXPECT_EQ(busy, 4) << "16 wait for their hash, the others are told to come back";
    site.run_background();
    site.clock.run();
    for (const auto& response : begun)
        EXPECT_TRUE(response->has_value());
}

TEST_F(AccountsTest, APersonChangesTheirOwnPasswordWithTheOldOne) {
    std::string token = site.person("kim");
    const std::string target = "/v1/users/kim/password";
    EXPECT_EQ(site.ask(token, "POST", target, R"({"password":"battery staple"})").status, 400);
    EXPECT_EQ(site.ask(token, "POST", target,
                       R"({"password":"battery staple","old_password":"no no no"})")
                  .status,
              401);
    EXPECT_EQ(site.ask(token, "POST", target,
                       R"({"password":"battery staple","old_password":"correct horse"})")
                  .status,
              200);
    EXPECT_EQ(site.ask(token, "GET", "/v1/whoami").status, 401) << "old tokens are void";
    EXPECT_EQ(site.login("kim", "correct horse"), "");
    EXPECT_NE(site.login("kim", "battery staple"), "");
    EXPECT_EQ(site.ask(site.admin, "POST", target, R"({"password":"set by admin"})").status, 200);
    EXPECT_NE(site.login("kim", "set by admin"), "");
}

TEST_F(AccountsTest, OthersPasswordsAndLivesAreNoBusinessOfAUsers) {
    const std::string kim = site.person("kim");
    const std::string otto = site.person("otto", "operator");
    (void)site.person("lee");
    const std::string body = R"({"password":"battery staple","old_password":"correct horse"})";
    EXPECT_EQ(site.ask(kim, "POST", "/v1/users/lee/password", body).status, 403);
    EXPECT_EQ(site.ask(otto, "POST", "/v1/users/lee/password", body).status, 403);
    EXPECT_EQ(site.ask(kim, "GET", "/v1/users/lee").status, 403);
    EXPECT_EQ(site.ask(otto, "GET", "/v1/users/lee").status, 200);
    EXPECT_EQ(site.ask(otto, "GET", "/v1/users/none").status, 404);
}

TEST_F(AccountsTest, DisablingEndsTokensAndTheSession) {
    const std::string kim = site.person("kim");
    EXPECT_EQ(site.ask(kim, "POST", "/v1/sessions?wait=1").status, 200);
    EXPECT_EQ(site.ask(site.admin, "POST", "/v1/users/kim/disable").status, 200);
    EXPECT_EQ(site.ask(kim, "GET", "/v1/whoami").status, 401);
    EXPECT_EQ(site.login("kim", "correct horse"), "");
    EXPECT_EQ(site.engine.closed.size(), 1U);
    EXPECT_EQ(site.ask(site.admin, "POST", "/v1/sessions", R"({"user":"kim"})").status, 422);
    EXPECT_EQ(site.ask(site.admin, "POST", "/v1/users/kim/enable").status, 200);
    EXPECT_NE(site.login("kim", "correct horse"), "");
}

TEST_F(AccountsTest, TheLastAdminCannotBeLockedOut) {
    EXPECT_EQ(site.ask(site.admin, "POST", "/v1/users/admin/disable").status, 422);
    (void)site.person("second", "admin");
    EXPECT_EQ(site.ask(site.admin, "POST", "/v1/users/admin/disable").status, 200);
}

TEST_F(AccountsTest, TokensOfOnePersonAreBounded) {
    (void)site.person("kim");
    for (int i = 0; i < 100; ++i)
        ASSERT_NE(site.login("kim", "correct horse"), "");
    const auto tokens = site.store->tokens().value();
    EXPECT_LE(std::ranges::count_if(tokens, [](const auto& row) { return row.subject == "kim"; }),
              64);
}

} // namespace
} // namespace baton::api::testing
