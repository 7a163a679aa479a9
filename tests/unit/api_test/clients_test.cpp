#include "api/client_up.h"
#include "unit/api_test/site.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

namespace baton::api::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

json::object up_of(const std::string& mac) {
    return {{"mac", mac},          {"uuid", "564D1F2C-0001-4000-8000-0000000000AB"},
            {"memory_mib", 971},   {"image", "client-0123456789ab"},
            {"firmware", "bios"},  {"kernel_ms", 900},
            {"address_ms", 2100},  {"root_ms", 3000},
            {"verified_ms", 3400}, {"up_ms", 4120}};
}

struct ClientsTest : ::testing::Test {
    Site site;

    net::Response up(const json::object& body, const std::string& address = "10.98.0.101") {
        auto request = Site::request("", "POST", "/v1/clients/up", json::serialize(body));
        request.peer.address = address;
        return **site.begin(request);
    }

    json::array list() { return site.get(site.admin, "/v1/clients").at("clients").as_array(); }

    json::object show(const std::string& mac) { return site.get(site.admin, "/v1/clients/" + mac); }
};

TEST_F(ClientsTest, APcSaysThatItIsUpWithoutASecret) {
    site.fetches.fetched["10.98.0.101"] = {
        {"boot.ipxe", milliseconds(0)}, {"kernel", milliseconds(40)}, {"up", milliseconds(9000)}};
    EXPECT_EQ(up(up_of("52:54:00:99:00:0A")).status, 200);
    const auto client = show("52:54:00:99:00:0a");
    EXPECT_EQ(client.at("address").as_string(), "10.98.0.101");
    EXPECT_EQ(client.at("uuid").as_string(), "564d1f2c-0001-4000-8000-0000000000ab");
    EXPECT_EQ(client.at("memory_mib").as_int64(), 971);
    EXPECT_EQ(client.at("boots").to_number<int>(), 1);
    EXPECT_EQ(client.at("timings").at("up_ms").as_int64(), 4120);
    EXPECT_EQ(client.at("timings").at("boot_server").as_array().size(), 3);
    EXPECT_EQ(client.at("timings").at("boot_server").as_array()[1].at("at_ms").to_number<int>(),
              40);
}

TEST_F(ClientsTest, StartsAreCountedAndTheFirstIsRemembered) {
    up(up_of("52:54:00:99:00:01"));
    const auto first = show("52:54:00:99:00:01");
    site.clock.advance(seconds(60));
    up(up_of("52:54:00:99:00:01"), "10.98.0.102");
    const auto second = show("52:54:00:99:00:01");
    EXPECT_EQ(second.at("boots").to_number<int>(), 2);
    EXPECT_EQ(second.at("address").as_string(), "10.98.0.102");
    EXPECT_EQ(second.at("first_seen"), first.at("first_seen"));
    EXPECT_NE(second.at("last_seen"), first.at("last_seen"));
    EXPECT_EQ(list().size(), 1);
}

TEST_F(ClientsTest, WhatAPcCannotBeIsRefusedByName) {
    const auto refused = [&](const char* field, const json::value& value) {
        auto body = up_of("52:54:00:99:00:01");
        body[field] = value;
        const auto response = up(body);
        return fmt::format("{} {}", response.status, error_of(response));
    };
    EXPECT_THAT(refused("mac", "52:54:00:99:00"), ::testing::HasSubstr("MAC"));
    EXPECT_THAT(refused("mac", "01:00:5e:00:00:01"), ::testing::HasSubstr("MAC")); // a group
    EXPECT_THAT(refused("mac", "00:00:00:00:00:00"), ::testing::HasSubstr("MAC"));
    EXPECT_THAT(refused("uuid", "x"), ::testing::HasSubstr("uuid"));
    EXPECT_THAT(refused("memory_mib", 0), ::testing::HasSubstr("memory_mib"));
    EXPECT_THAT(refused("image", "../x"), ::testing::HasSubstr("image"));
    EXPECT_THAT(refused("firmware", "coreboot"), ::testing::HasSubstr("firmware"));
    EXPECT_THAT(refused("up_ms", -1), ::testing::HasSubstr("up_ms"));
    EXPECT_THAT(refused("user", "admin"), ::testing::HasSubstr("user"));
    EXPECT_TRUE(list().empty());
}

TEST_F(ClientsTest, OneAddressIsHeardLessAndLess) {
    int heard = 0;
    for (int i = 0; i < 40; ++i) {
        site.clock.advance(milliseconds(100));
        const auto response = up(up_of("52:54:00:99:00:01"));
        heard += response.status == 200 ? 1 : 0;
        EXPECT_EQ(response.status == 429, response.headers.contains("Retry-After"));
    }
    EXPECT_GE(heard, 30);
    EXPECT_LT(heard, 34);
    EXPECT_EQ(up(up_of("52:54:00:99:00:02"), "10.98.0.102").status, 200); // others are
}

TEST_F(ClientsTest, AllTogetherAreHeardFiftyTimesASecond) {
    int heard = 0;
    for (int i = 0; i < 80; ++i)
        heard += up(up_of(fmt::format("52:54:00:99:00:{:02x}", i)), fmt::format("10.98.0.{}", i))
                             .status == 200
                     ? 1
                     : 0;
    EXPECT_EQ(heard, 50);
    site.clock.advance(seconds(1));
    EXPECT_EQ(up(up_of("52:54:00:99:01:00"), "10.98.1.1").status, 200);
}

TEST_F(ClientsTest, TheLongestSilentGivesWayButNeverOneThatIsTiedToSomebody) {
    store::Change change;
    for (std::size_t i = 0; i < most_clients; ++i) {
        store::ClientRow row;
        row.mac = fmt::format("52:54:01:00:{:02x}:{:02x}", i / 256, i % 256);
        row.timings_json = "{}";
        row.last_seen = WallTime(milliseconds(static_cast<std::int64_t>(i)));
        if (i == 0)
            row.user = UserName("kim");
        change.clients.push_back(row);
    }
    ASSERT_TRUE(site.store->commit(change));
    EXPECT_EQ(up(up_of("52:54:00:99:00:01")).status, 200);
    const auto rows = site.store->clients().value();
    EXPECT_EQ(rows.size(), most_clients);
    const auto there = [&](const std::string& mac) {
        return std::ranges::find(rows, mac, &store::ClientRow::mac) != rows.end();
    };
    EXPECT_TRUE(there("52:54:01:00:00:00"));
    EXPECT_FALSE(there("52:54:01:00:00:01"));
    EXPECT_TRUE(there("52:54:01:00:00:02"));
}

TEST_F(ClientsTest, APcIsTiedToAPersonAndAnImageThatThereAre) {
    site.person("kim");
    up(up_of("52:54:00:99:00:01"));
    const auto assign = [&](const json::object& body) {
        return site.ask(site.admin, "POST", "/v1/clients/52:54:00:99:00:01/assign",
                        json::serialize(body));
    };
    EXPECT_EQ(assign({{"user", "nobody"}}).status, 404);
    EXPECT_EQ(assign({{"os_image", "none"}}).status, 404);
    EXPECT_EQ(assign({{"user", "kim"}, {"os_image", "tiny"}}).status, 200);
    up(up_of("52:54:00:99:00:01")); // a start changes nothing of it
    EXPECT_EQ(show("52:54:00:99:00:01").at("user").as_string(), "kim");
    EXPECT_EQ(show("52:54:00:99:00:01").at("os_image").as_string(), "tiny");
    EXPECT_EQ(assign({{"user", ""}}).status, 200);
    EXPECT_TRUE(show("52:54:00:99:00:01").at("user").is_null());
    EXPECT_EQ(show("52:54:00:99:00:01").at("os_image").as_string(), "tiny");
    EXPECT_EQ(site.ask(site.admin, "DELETE", "/v1/clients/52:54:00:99:00:01").status, 200);
    EXPECT_EQ(site.ask(site.admin, "GET", "/v1/clients/52:54:00:99:00:01").status, 404);
}

RC_GTEST_PROP(ClientUp, WhatIsTakenIsWhatAPcCanBe, (const std::string& body)) {
    const auto row = client_from_json(body);
    if (row)
        RC_ASSERT(mac_address(row->mac).value() == row->mac);
}

} // namespace
} // namespace baton::api::testing
