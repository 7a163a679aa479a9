#include "unit/api_test/site.h"

/// Hosts, desks, OS images and events.
namespace baton::api::testing {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

struct HostsTest : ::testing::Test {
    Site site;

    std::string invite(const std::string& name) {
        const net::Response response =
            site.ask(site.admin, "POST", "/v1/hosts/invite", R"({"name":")" + name + R"("})");
        EXPECT_EQ(response.status, 201) << response.body;
        const std::string token(body_of(response).at("token").as_string());
        return token.substr(std::string("join:").size());
    }

    net::Response join(const std::string& secret, const std::string& name,
                       std::int64_t memory = 8192) {
        return site.ask("", "POST", "/v1/hosts/join",
                        json::serialize(json::object{{"token_secret", secret},
                                                     {"name", name},
                                                     {"csr_pem", "csr"},
                                                     {"address", "10.99.1.1"},
                                                     {"memory_mib", memory}}));
    }
};

TEST_F(HostsTest, AnInvitedHostJoinsOnce) {
    const std::string secret = invite("host1");
    EXPECT_EQ(site.get(site.admin, "/v1/hosts/host1").at("state").as_string(), "invited");
    const net::Response response = join(secret, "host1");
    ASSERT_EQ(response.status, 200) << response.body;
    EXPECT_EQ(body_of(response).at("host").as_string(), "host1");
    EXPECT_EQ(body_of(response).at("certificate_pem").as_string(), "certificate of host1");
    EXPECT_EQ(body_of(response).at("authority_pem").as_string(), "authority");
    const json::object host = site.get(site.admin, "/v1/hosts/host1");
    EXPECT_EQ(host.at("state").as_string(), "away");
    EXPECT_EQ(host.at("memory_mib").as_int64(), 8192);
    EXPECT_EQ(host.at("reserve_mib").as_int64(), 1024) << "1 GiB is more than 10 % of 8 GiB";
    EXPECT_EQ(join(secret, "host1").status, 401) << "used up";
}

TEST_F(HostsTest, AnInvitationIsForOneNameAndADay) {
    const std::string secret = invite("host1");
    EXPECT_EQ(join(secret, "host2").status, 403);
    site.clock.advance(hours(25));
    EXPECT_EQ(join(secret, "host1").status, 401);
}

TEST_F(HostsTest, ANewInvitationVoidsTheFormer) {
    const std::string first = invite("host1");
    const std::string second = invite("host1");
    EXPECT_EQ(join(first, "host1").status, 401);
    EXPECT_EQ(join(second, "host1").status, 200);
}

TEST_F(HostsTest, GuessingInvitationsIsSlowedDown) {
    int looked_at = 0;
    for (int i = 0; i < 60; ++i)
        looked_at += join("guess", "host1").status == 401 ? 1 : 0;
    EXPECT_EQ(looked_at, 21);
}

TEST_F(HostsTest, ASmallHostIsRefusedAndKeepsItsInvitation) {
    const std::string secret = invite("host1");
    const net::Response response = join(secret, "host1", 1024);
    EXPECT_EQ(response.status, net::http_status(Errc::refused));
    EXPECT_NE(error_of(response).find("1 GiB"), std::string::npos);
    EXPECT_EQ(join(secret, "host1").status, 200);
}

TEST_F(HostsTest, DrainUndrainRemove) {
    site.add_host("host1");
    EXPECT_EQ(site.ask(site.admin, "POST", "/v1/hosts/host1/drain?wait=5").status, 200);
    EXPECT_EQ(site.get(site.admin, "/v1/hosts/host1").at("state").as_string(), "draining");
    EXPECT_EQ(site.ask(site.admin, "POST", "/v1/hosts/host1/undrain").status, 200);
    site.engine.host(HostId("host1")).desktops = 1;
    EXPECT_EQ(site.ask(site.admin, "DELETE", "/v1/hosts/host1").status,
              net::http_status(Errc::busy));
    site.engine.host(HostId("host1")).desktops = 0;
    EXPECT_EQ(site.ask(site.admin, "DELETE", "/v1/hosts/host1").status, 200);
    EXPECT_EQ(site.ask(site.admin, "GET", "/v1/hosts/host1").status, 404);
    EXPECT_EQ(site.ask(site.admin, "POST", "/v1/hosts/host1/drain").status, 404);
}

TEST_F(HostsTest, AConnectedHostIsNotInvitedAgainAndAnInvitationCanBeTakenBack) {
    site.add_host("host1");
    EXPECT_EQ(site.ask(site.admin, "POST", "/v1/hosts/invite", R"({"name":"host1"})").status, 409);
    const std::string secret = invite("host2");
    EXPECT_EQ(site.ask(site.admin, "DELETE", "/v1/hosts/host2").status, 200);
    EXPECT_EQ(join(secret, "host2").status, 401);
}

TEST_F(HostsTest, StatusTellsTheSite) {
    site.add_host("host1");
    const json::object status = site.get(site.admin, "/v1/status");
    EXPECT_EQ(status.at("free_mib").as_int64(), 8192);
    EXPECT_EQ(status.at("sessions").at("open").as_int64(), 0);
    EXPECT_EQ(status.at("hosts").as_array().size(), 1U);
    EXPECT_EQ(site.ask("", "GET", "/v1/health").body, "{\"status\":\"ok\"}\n");
}

struct DesksTest : ::testing::Test {
    Site site;
    std::string kim = site.person("kim");
    std::string lee = site.person("lee");

    net::Response create(const std::string& body) {
        return site.ask(site.admin, "POST", "/v1/desks", body);
    }
};

TEST_F(DesksTest, ADeskIsMadeForThePersonOfItsName) {
    const net::Response response = create(R"({"name":"kim"})");
    ASSERT_EQ(response.status, 201) << response.body;
    EXPECT_EQ(body_of(response).at("owner").as_string(), "kim");
    EXPECT_EQ(body_of(response).at("id").as_string(), "id-of-kim");
    EXPECT_EQ(create(R"({"name":"kim"})").status, 409);
    EXPECT_EQ(create(R"({"name":"kims-second","owner":"kim","size_bytes":67108864})").status, 201);
    EXPECT_EQ(create(R"({"name":"stranger"})").status, 404);
    EXPECT_EQ(create(R"({"name":"x","owner":"stranger"})").status, 404);
    EXPECT_EQ(create(R"({"name":"../etc","owner":"kim"})").status, 400);
    EXPECT_EQ(create(R"({"name":"x","owner":"kim","size_bytes":1})").status, 400);
    EXPECT_EQ(site.get(kim, "/v1/desks").at("desks").as_array().size(), 2U);
    EXPECT_EQ(site.get(lee, "/v1/desks").at("desks").as_array().size(), 0U);
    EXPECT_EQ(site.ask(lee, "GET", "/v1/desks/kim").status, 404);
    EXPECT_EQ(site.ask(lee, "GET", "/v1/desks/kim/image").status, 404);
    EXPECT_EQ(site.ask(kim, "GET", "/v1/desks/kim/image").body, "image of kim");
}

TEST_F(DesksTest, NothingHalfMadeStaysWhenTheServerFails) {
    site.desks.broken = Error{Errc::full, "no space left", "", 0};
    EXPECT_EQ(create(R"({"name":"kim"})").status, net::http_status(Errc::full));
    EXPECT_TRUE(site.store->desks()->empty());
    site.desks.broken.reset();
    EXPECT_EQ(create(R"({"name":"kim"})").status, 201);
    site.desks.broken = Error{Errc::unavailable, "the desk server is away", "", 0};
    EXPECT_EQ(site.ask(site.admin, "DELETE", "/v1/desks/kim").status, 503);
    EXPECT_EQ(site.store->desks()->size(), 1U) << "the desk is still there";
}

TEST_F(DesksTest, AnImageThatNoDeskBelongsToIsNeverGivenToSomebody) {
    site.desks.images[DeskName("kim")] = {DeskId("old"), 1, {}};
    const net::Response response = create(R"({"name":"kim"})");
    EXPECT_EQ(response.status, 409);
    EXPECT_NE(error_of(response).find("baton desk remove kim"), std::string::npos);
    EXPECT_EQ(site.ask(site.admin, "DELETE", "/v1/desks/kim").status, 200);
    EXPECT_EQ(create(R"({"name":"kim"})").status, 201);
    EXPECT_EQ(site.ask(site.admin, "DELETE", "/v1/desks/none").status, 404);
}

TEST_F(DesksTest, APersonKeepsAndRestoresTheirOwnDesk) {
    ASSERT_EQ(create(R"({"name":"kim"})").status, 201);
    const auto ask = [&](const std::string& who, const char* method, const std::string& rest) {
        return site.ask(who, method, "/v1/desks/kim/snapshots" + rest).status;
    };
    EXPECT_EQ(ask(kim, "PUT", "/before"), 201);
    const auto kept = site.get(kim, "/v1/desks/kim/snapshots").at("snapshots").as_array();
    ASSERT_EQ(kept.size(), 1U);
    EXPECT_EQ(kept[0].at("name").as_string(), "before");
    EXPECT_EQ(kept[0].at("generation").to_number<int>(), 7);
    EXPECT_EQ(ask(kim, "POST", "/before/restore"), 200);
    EXPECT_EQ(site.desks.restored, std::vector<std::string>{"kim to before"});
    EXPECT_EQ(ask(kim, "DELETE", "/never"), 404);
    EXPECT_EQ(ask(kim, "DELETE", "/before"), 200);
    EXPECT_EQ(ask(kim, "PUT", "/%2e%2e"), 400);
    for (const auto* method : {"PUT", "DELETE"})
        EXPECT_EQ(ask(lee, method, "/before"), 404) << "somebody else's desk";
    EXPECT_EQ(ask(lee, "GET", ""), 404);
    EXPECT_EQ(ask(lee, "POST", "/before/restore"), 404);
    EXPECT_EQ(ask(site.admin, "PUT", "/by-admin"), 201);
    site.desks.broken = Error{Errc::full, "no space left", "", 0};
    EXPECT_EQ(ask(kim, "PUT", "/full"), net::http_status(Errc::full));
}

TEST_F(DesksTest, ADeskThatWasTakenAwayIsKnownAndComesBack) {
    ASSERT_EQ(create(R"({"name":"kim"})").status, 201);
    const std::string journey = "0c5d1b42-d2f3-4f0c-ba83-83cf4eb5251e";
    const auto out = [&](const std::string& who, const std::string& id, const std::string& to) {
        return site.ask(
            who, "PUT", "/v1/desks/kim/checkout",
            json::serialize(json::object{{"journey", id}, {"generation", 3}, {"to", to}}));
    };
    const auto away = [&] { return site.get(kim, "/v1/desks/kim").at("away"); };
    EXPECT_TRUE(away().is_null());
    EXPECT_EQ(out(lee, journey, "stick").status, 404) << "somebody else's desk";
    EXPECT_EQ(out(kim, journey, "../x").status, 400);
    ASSERT_EQ(out(kim, journey, "stick").status, 200);
    EXPECT_EQ(out(kim, journey, "stick").status, 200) << "an answer that was lost";
    EXPECT_EQ(site.get(kim, "/v1/desks/kim").at("state").as_string(), "checked_out");
    EXPECT_EQ(away().at("to").as_string(), "stick");
    EXPECT_EQ(away().at("by").as_string(), "kim");
    EXPECT_EQ(out(kim, "another", "home").status, net::http_status(Errc::refused));
    const auto where = site.get(kim, "/v1/desks/kim/checkout");
    EXPECT_EQ(where.at("journey").as_string(), journey);
    EXPECT_EQ(where.at("away").at("generation").to_number<int>(), 3);

    const auto in = [&](const std::string& who, const std::string& query) {
        return site.ask(who, "PUT", "/v1/desks/kim/checkin?" + query, "abcd").status;
    };
    EXPECT_EQ(in(lee, "total=4"), 404);
    EXPECT_EQ(in(kim, "total=4&offset=1"), 400);
    EXPECT_EQ(in(kim, "total=9999999999999"), 400) << "more than the desk can hold";
    EXPECT_EQ(in(kim, "total=8"), 202);
    site.desks.broken = Error{Errc::conflict, "it is another desk's", "", 0};
    EXPECT_EQ(in(kim, "total=8&offset=4"), net::http_status(Errc::conflict));
    EXPECT_FALSE(away().is_null()) << "nothing came back";
    site.desks.broken.reset();
    EXPECT_EQ(in(kim, "total=8&offset=4"), 200);
    EXPECT_TRUE(away().is_null());
    EXPECT_EQ(site.get(kim, "/v1/desks/kim").at("fence").to_number<int>(), 9);

    ASSERT_EQ(out(kim, journey, "stick").status, 200);
    EXPECT_EQ(site.ask(kim, "DELETE", "/v1/desks/kim/checkout").status, 403);
    EXPECT_EQ(site.ask(site.admin, "DELETE", "/v1/desks/kim/checkout").status, 200);
    EXPECT_EQ(site.get(kim, "/v1/desks/kim").at("state").as_string(), "ok");
}

TEST_F(DesksTest, WhatTheDeskServerSaysIsTakenOverAlsoWhenACallFails) {
    ASSERT_EQ(create(R"({"name":"kim"})").status, 201);
    auto& place = site.desks.places[DeskName("kim")];
    place.away = {"stick", WallTime(std::chrono::milliseconds(5)), 3}; // the mark is there, the
    site.desks.broken = Error{Errc::timeout, "no answer", "", 0};      // controller did not hear
    const auto body = R"({"journey":"x","generation":3,"to":"stick"})";
    EXPECT_EQ(site.ask(kim, "PUT", "/v1/desks/kim/checkout", body).status,
              net::http_status(Errc::timeout));
    EXPECT_EQ(site.get(kim, "/v1/desks/kim").at("state").as_string(), "checked_out");
    place.away.reset();
    EXPECT_EQ(site.ask(kim, "PUT", "/v1/desks/kim/checkout", body).status,
              net::http_status(Errc::timeout));
    EXPECT_EQ(site.get(kim, "/v1/desks/kim").at("state").as_string(), "ok");
}

TEST_F(DesksTest, ADeskInUseIsLeftAlone) {
    ASSERT_EQ(create(R"({"name":"kim"})").status, 201);
    store::Change change;
    change.desks = site.store->desks().value();
    change.desks[0].holder = SessionId("s-00000001");
    ASSERT_TRUE(site.store->commit(change));
    for (const auto& [method, target] : std::vector<std::pair<const char*, const char*>>{
             {"DELETE", "/v1/desks/kim"},
             {"POST", "/v1/desks/kim/check"},
             {"PUT", "/v1/desks/kim/snapshots/s"},
             {"DELETE", "/v1/desks/kim/snapshots/s"},
             {"POST", "/v1/desks/kim/snapshots/s/restore"},
             {"PUT", "/v1/desks/kim/checkout"},
             {"DELETE", "/v1/desks/kim/checkout"},
             {"PUT", "/v1/desks/kim/checkin"},
             {"GET", "/v1/desks/kim/image"}}) {
        const net::Response response = site.ask(site.admin, method, target);
        EXPECT_EQ(response.status, net::http_status(Errc::busy)) << target;
        EXPECT_NE(error_of(response).find("s-00000001"), std::string::npos);
    }
}

TEST_F(DesksTest, ACheckMarksDamageAndSoundness) {
    ASSERT_EQ(create(R"({"name":"kim"})").status, 201);
    EXPECT_TRUE(body_of(site.ask(kim, "POST", "/v1/desks/kim/check")).at("sound").as_bool());
    EXPECT_EQ(body_of(site.ask(kim, "POST", "/v1/desks/kim/check", R"({"repair":true})"))
                  .at("report")
                  .as_string(),
              "repaired");
    EXPECT_EQ(site.ask(kim, "POST", "/v1/desks/kim/check", R"({"repair":"yes"})").status, 400);
    site.desks.broken = Error{Errc::corrupt, "both headers are damaged", "", 0};
    const json::object check = body_of(site.ask(kim, "POST", "/v1/desks/kim/check"));
    EXPECT_FALSE(check.at("sound").as_bool());
    EXPECT_EQ(site.get(kim, "/v1/desks/kim").at("state").as_string(), "damaged");
    site.desks.broken.reset();
    (void)site.ask(kim, "POST", "/v1/desks/kim/check");
    EXPECT_EQ(site.get(kim, "/v1/desks/kim").at("state").as_string(), "ok");
}

TEST_F(DesksTest, OneThingAtATimeIsDoneWithADesk) {
    ASSERT_EQ(create(R"({"name":"kim"})").status, 201);
    site.background_at_once = false;
    const auto first = site.begin(Site::request(site.admin, "POST", "/v1/desks/kim/check"));
    EXPECT_FALSE(first->has_value());
    EXPECT_EQ(site.ask(site.admin, "POST", "/v1/desks/kim/check").status, 409);
    EXPECT_EQ(site.ask(site.admin, "DELETE", "/v1/desks/kim").status, 409);
    site.run_background();
    site.clock.run();
    EXPECT_TRUE(first->has_value());
}

TEST_F(DesksTest, AnImageIsImportedForItsOwner) {
    const net::Response response =
        site.ask(site.admin, "PUT", "/v1/desks/trip/image?owner=kim", "12345");
    ASSERT_EQ(response.status, 201) << response.body;
    EXPECT_EQ(body_of(response).at("size_bytes").as_int64(), 5);
    EXPECT_EQ(body_of(response).at("owner").as_string(), "kim");
    EXPECT_EQ(body_of(response).at("fence").as_int64(), 7) << "goes on where it was elsewhere";
}

TEST_F(DesksTest, AnImageComesInParts) {
    const std::string target = "/v1/desks/trip/image?owner=kim&total=9&offset=";
    const net::Response first = site.ask(site.admin, "PUT", target + "0", "12345");
    EXPECT_EQ(first.status, 202);
    EXPECT_EQ(body_of(first).at("received").as_int64(), 5);
    EXPECT_TRUE(site.store->desks()->empty());
    EXPECT_EQ(site.ask(site.admin, "PUT", target + "5", "67890").status, 400) << "too much";
    EXPECT_EQ(site.ask(site.admin, "PUT", target + "5", "").status, 400);
    EXPECT_EQ(site.ask(site.admin, "PUT", target + "5", "6789").status, 201);
}

struct EventsTest : ::testing::Test {
    Site site;

    void tell(const std::string& kind, const std::string& subject) {
        store::Change change;
        store::EventRow row;
        row.kind = kind;
        row.subject = subject;
        row.text = "something";
        row.data_json = R"({"ms":5})";
        change.events.push_back(row);
        ASSERT_TRUE(site.store->commit(change));
        site.api->events_grew();
        site.clock.run();
    }

    std::string last() {
        return std::to_string(
            site.get(site.admin, "/v1/events?after=latest").at("last").as_int64());
    }
};

TEST_F(EventsTest, EventsAreReadInPages) {
    for (int i = 0; i < 10; ++i)
        tell("test.page", "x");
    const json::object page = site.get(site.admin, "/v1/events?after=3&limit=4");
    EXPECT_EQ(page.at("events").as_array().size(), 4U);
    EXPECT_EQ(page.at("last").as_int64(), 7);
    EXPECT_EQ(page.at("events").at(0).at("data").at("ms").as_int64(), 5);
    EXPECT_EQ(site.ask(site.admin, "GET", "/v1/events?limit=0").status, 400);
    EXPECT_EQ(site.ask(site.admin, "GET", "/v1/events?after=-1").status, 400);
}

TEST_F(EventsTest, WhatIsNotKeptAnyMoreIsSaid) {
    const auto first = std::stoll(last());
    for (int i = 0; i < 3000; ++i)
        tell("test.page", i == 2999 ? "kim" : "x");
    EXPECT_EQ(std::stoll(last()), first + 3000);
    EXPECT_FALSE(site.get(site.admin, "/v1/events?after=0").contains("pruned"));
    ASSERT_TRUE(site.store->prune({{}, 1000, {}, 100'000}));
    const auto page = [&](const std::string& token, std::int64_t after) {
        return site.get(token, "/v1/events?limit=10&after=" + std::to_string(after));
    };
    EXPECT_EQ(page(site.admin, 0).at("pruned").as_int64(), first + 2000);
    EXPECT_EQ(page(site.admin, first + 1999).at("pruned").as_int64(), 1);
    EXPECT_FALSE(page(site.admin, first + 2000).contains("pruned"));
    EXPECT_EQ(
        page(site.admin, page(site.admin, 0).at("last").as_int64()).at("events").as_array().size(),
        10U);
    const json::object own = page(site.person("kim"), first); // through pages of others' events
    EXPECT_EQ(own.at("pruned").as_int64(), 2000);
    EXPECT_EQ(own.at("events").as_array().size(), 1U);
    EXPECT_EQ(std::stoll(last()), first + 3000 + 1) << "and kim was added";
}

TEST_F(EventsTest, AWaitEndsWithTheNextEvent) {
    const std::string target = "/v1/events?wait=60&after=" + last();
    const auto waiting = site.begin(Site::request(site.admin, "GET", target));
    EXPECT_FALSE(waiting->has_value());
    tell("test.happened", "x");
    ASSERT_TRUE(waiting->has_value());
    EXPECT_EQ(body_of(**waiting).at("events").as_array().size(), 1U);
    site.clock.advance(seconds(120)); // its timer is gone with it
}

TEST_F(EventsTest, AWaitForNothingEndsEmpty) {
    const std::string target = "/v1/events?wait=60&after=" + last();
    const auto waiting = site.begin(Site::request(site.admin, "GET", target));
    site.clock.advance(seconds(61));
    ASSERT_TRUE(waiting->has_value());
    EXPECT_EQ(body_of(**waiting).at("events").as_array().size(), 0U);
}

TEST_F(EventsTest, AUserHearsOfTheirOwnThingsAlone) {
    const std::string kim = site.person("kim");
    const std::string id(
        body_of(site.ask(kim, "POST", "/v1/sessions?wait=1")).at("id").as_string());
    const auto waiting =
        site.begin(Site::request(kim, "GET", "/v1/events?wait=60&after=" + last()));
    tell("session.opened", "s-other");
    tell("host.up", "kim");
    EXPECT_FALSE(waiting->has_value());
    tell("user.disabled", "kim");
    ASSERT_TRUE(waiting->has_value());
    EXPECT_EQ(body_of(**waiting).at("events").as_array().size(), 1U);
    EXPECT_EQ(body_of(**waiting).at("events").at(0).at("kind").as_string(), "user.disabled");
}

TEST_F(EventsTest, PagesOfOtherPeoplesEventsAreSkippedHowManyThereMayBe) {
    const std::string kim = site.person("kim");
    const std::string from = last();
    for (int i = 0; i < 50; ++i)
        tell("session.opened", "s-other");
    tell("user.password", "kim");
    const json::object page = site.get(kim, "/v1/events?limit=1&after=" + from);
    EXPECT_EQ(page.at("events").as_array().size(), 1U);
}

TEST_F(EventsTest, ImagesAreListedAndTheirFilesNeverLeadElsewhere) {
    EXPECT_EQ(site.get(site.admin, "/v1/os-images").at("os_images").as_array().size(), 1U);
    EXPECT_EQ(site.get(site.admin, "/v1/os-images/tiny-1").at("id").as_string(), "tiny-1");
    EXPECT_EQ(site.ask(site.admin, "GET", "/v1/os-images/none-1").status, 404);
    EXPECT_EQ(site.ask(site.admin, "GET", "/v1/os-images/tiny-1/files/disk.qcow2").file,
              "/images/tiny-1/disk.qcow2");
    EXPECT_EQ(site.ask(site.admin, "GET", "/v1/os-images/tiny-1/manifest").file,
              "/images/tiny-1/manifest.json");
    EXPECT_EQ(site.ask(site.admin, "GET", "/v1/os-images/../files/disk.qcow2").status, 400);
    EXPECT_EQ(site.ask(site.admin, "GET", "/v1/os-images/tiny-1/files/..").status, 400);
}

} // namespace
} // namespace baton::api::testing
