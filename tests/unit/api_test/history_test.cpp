#include "history/codec.h"
#include "history/recorder.h"
#include "support/readings.h"
#include "support/temporary_directory.h"
#include "unit/api_test/site.h"

#include <gmock/gmock.h>

/// What was measured before: who may see what of it, and how it is asked for.
namespace baton::api::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr history::Seconds now = 1'800'000'000; ///< of the site's clock

/// Five minutes up to now: host1, d-0 with Una's session, d-1 with another one.
struct HistoryRoutes : ::testing::Test {
    baton::testing::TemporaryDirectory directory;
    Site site;
    std::string una = site.person("una");
    std::string otto = site.person("otto", "operator");

    void SetUp() override {
        site.kept.samples = history::open_sqlite(directory.file("samples.db")).value();
        for (history::Seconds at = now - 299; at <= now; ++at) {
            auto reading = baton::testing::reading_at(at, 2, "s-una");
            reading.desktops[1].who.session = SessionId("s-otto");
            for (auto& desktop : reading.desktops)
                desktop.rates.memory_given_bytes = 2147483648.0;
            const auto batch = history::samples_of(*site.kept.samples, reading).value();
            ASSERT_TRUE(site.kept.samples->append(batch));
        }
        ASSERT_TRUE(site.kept.samples->annotate({"s-una", "una", "tiny-1", now - 299}));
        ASSERT_TRUE(site.kept.samples->tend(now + 10, 100));
        store::Change change;
        for (const auto& [id, user] :
             std::map<std::string, std::string>{{"s-una", "una"}, {"s-otto", "otto"}}) {
            store::SessionRow row;
            row.id = SessionId(id);
            row.user = UserName(user);
            row.phase = store::SessionPhase::closed;
            change.sessions.push_back(row);
        }
        ASSERT_TRUE(site.store->commit(change));
    }

    std::size_t points(const std::string& token, const std::string& target) {
        return site.get(token, target).at("points").as_array().size();
    }

    std::string refusal(const std::string& token, const std::string& target, int status) {
        const auto response = site.ask(token, "GET", target);
        EXPECT_EQ(response.status, status) << response.body;
        return response.status == 200 ? "" : error_of(response);
    }
};

TEST_F(HistoryRoutes, AnOperatorSeesEverything) {
    for (const char* who : {"host1", "10.0.0.11", "d-1", "baton-d-0", "s-una", "s-otto"})
        EXPECT_EQ(points(otto, "/v1/history/" + std::string(who) + "?last=10m"), 300U) << who;
    EXPECT_EQ(points(otto, "/v1/history/host1?last=1m"), 60U);
    EXPECT_EQ(points(otto, "/v1/history/host1?last=1m&until=1799999900"), 60U);
    EXPECT_EQ(points(otto, "/v1/history/host1?every=1m"), 5U);
    const auto subjects = site.get(otto, "/v1/history").at("subjects").as_array();
    ASSERT_EQ(subjects.size(), 3U);
    EXPECT_EQ(subjects[1].at("kind").as_string(), "desktop");
    EXPECT_EQ(subjects[1].at("desktop").as_string(), "d-0");
}

TEST_F(HistoryRoutes, AUserSeesOwnSessionsAlone) {
    EXPECT_EQ(points(una, "/v1/history/s-una"), 300U);
    EXPECT_EQ(points(una, "/v1/history/d-0"), 300U);
    for (const char* who : {"host1", "d-1", "s-otto", "baton-d-1", "otto"})
        EXPECT_THAT(refusal(una, "/v1/history/" + std::string(who), 404),
                    Not(HasSubstr("baton-d-0")));
    refusal(una, "/v1/history", 403);
    refusal(una, "/v1/advice", 403);
}

TEST_F(HistoryRoutes, TheSameAsCsv) {
    const auto response = site.ask(una, "GET", "/v1/history/s-una?last=10m&format=csv");
    EXPECT_EQ(response.status, 200);
    EXPECT_THAT(response.content_type, HasSubstr("text/csv"));
    EXPECT_THAT(response.body, ::testing::StartsWith("time,cpu_percent,"));
    EXPECT_EQ(std::ranges::count(response.body, '\n'), 301);
}

TEST_F(HistoryRoutes, AdviceIsTheRuleOverWhatWasKept) {
    const auto advice = site.get(site.admin, "/v1/advice?last=1d&sizes=512,1024,2048");
    const auto& people = advice.at("people").as_array();
    ASSERT_EQ(people.size(), 2U);
    EXPECT_EQ(people[1].at("who").as_string(), "una");
    EXPECT_EQ(people[1].at("advised_mib").as_int64(), 2048); // no 24 quiet hours yet
    EXPECT_EQ(site.get(site.admin, "/v1/advice?session=s-una").at("people").as_array().size(), 1U);
}

TEST_F(HistoryRoutes, WhatCannotBeMeantIsSaid) {
    const auto wrong = [&](const std::string& target) { return refusal(site.admin, target, 400); };
    EXPECT_THAT(wrong("/v1/history/host1?last=soon"), HasSubstr("no length of time"));
    EXPECT_THAT(wrong("/v1/history/host1?last=1d&every=1s"), HasSubstr("10000"));
    EXPECT_THAT(wrong("/v1/history/host1?format=xml"), HasSubstr("json nor csv"));
    EXPECT_THAT(wrong("/v1/history/host1?since=1"), HasSubstr("since"));
    EXPECT_THAT(wrong("/v1/advice?sizes=1024,512"), HasSubstr("ascending"));
    EXPECT_THAT(wrong("/v1/advice?sizes=512,"), HasSubstr("ascending"));
    EXPECT_THAT(wrong("/v1/advice?tolerance=nan"), HasSubstr("percent"));
    EXPECT_THAT(wrong("/v1/advice?curve=2GiB,107.1"), HasSubstr("two sizes or more"));
    EXPECT_THAT(refusal(site.admin, "/v1/history/nobody", 404), HasSubstr("baton-d-0"));
    EXPECT_TRUE(site.kept.sound); // a wrong question is no fault of the database's
}

TEST_F(HistoryRoutes, ADatabaseThatFailsIsToldToWhoMayKnow) {
    site.kept.broken = Error{Errc::io, "cannot open /var/lib/secret/samples.db", "", 0};
    EXPECT_THAT(refusal(site.admin, "/v1/history/host1", 500), HasSubstr("secret"));
    EXPECT_FALSE(site.kept.sound);
    EXPECT_THAT(refusal(una, "/v1/history/s-una", 503), Not(HasSubstr("secret")));
    EXPECT_THAT(site.log.back(), HasSubstr("secret"));
    site.kept.busy = true;
    refusal(una, "/v1/history/s-una", 409);
}

TEST_F(HistoryRoutes, TheStatusSaysHowKeepingGoes) {
    auto& figures = site.kept.told.figures;
    figures.written = 12;
    auto samples = site.get(site.admin, "/v1/status").at("samples").as_object();
    EXPECT_EQ(samples.at("where").as_string(), "samples.db");
    EXPECT_EQ(samples.at("written").to_number<int>(), 12);
    EXPECT_TRUE(samples.at("why").is_null());
    EXPECT_TRUE(samples.at("used_bytes").is_null()); // nobody has looked yet
    figures.failing = figures.sized = true;
    figures.why = "the disk is full";
    figures.since = now;
    figures.size.used_bytes = 4096;
    samples = site.get(site.admin, "/v1/status").at("samples").as_object();
    EXPECT_EQ(samples.at("why").as_string(), "the disk is full");
    EXPECT_EQ(samples.at("since").as_string(), "2027-01-15T08:00:00.000Z");
    EXPECT_EQ(samples.at("used_bytes").as_int64(), 4096);
}

} // namespace
} // namespace baton::api::testing
