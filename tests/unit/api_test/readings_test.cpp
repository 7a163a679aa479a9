#include "api/latest.h"
#include "monitor/codec.h"
#include "unit/api_test/site.h"

#include <boost/json/parse.hpp>
#include <gmock/gmock.h>

/// What the monitors said last, for operators.
namespace baton::api::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(LatestReadings, AreThoseOfEveryHostOnce) {
    Latest latest;
    auto reading = std::make_shared<monitor::Reading>();
    reading->host = HostId("host1");
    latest.put(reading, {5});
    latest.put(reading, {7});
    ASSERT_EQ(latest.all().size(), 1U);
    EXPECT_EQ(latest.all()[0].heard.nanoseconds, 7);
    latest.forget(HostId("host1"));
    EXPECT_TRUE(latest.all().empty());
}

TEST(ReadingRoutes, AnswerBeforeAnythingWasMeasured) {
    Site site;
    site.add_host("host1");
    const auto list = site.ask(site.admin, "GET", "/v1/readings");
    EXPECT_EQ(list.status, 200);
    EXPECT_EQ(list.body, "{\"readings\":[]}\n");
    EXPECT_EQ(site.ask(site.admin, "GET", "/v1/readings/host1").status, 404);
    const auto metrics = site.ask(site.admin, "GET", "/metrics");
    EXPECT_EQ(metrics.status, 200);
    EXPECT_THAT(metrics.content_type, HasSubstr("text/plain"));
    EXPECT_THAT(metrics.body, HasSubstr("baton_host_up{host=\"host1\"} 0\n"));
}

TEST(ReadingRoutes, TellWhoseADesktopIsAndItsLevel) {
    Site site;
    site.add_host("host1");
    const auto opened = site.ask(site.person("una"), "POST", "/v1/sessions?wait=5");
    ASSERT_LT(opened.status, 300) << opened.body;
    const auto session = body_of(opened);
    auto reading = std::make_shared<monitor::Reading>();
    reading->host = HostId("host1");
    reading->desktops.resize(2); // hers, and one that is nobody's
    reading->desktops[0].who.uuid = "u-1";
    reading->desktops[0].who.session = SessionId(std::string(session.at("id").as_string()));
    reading->desktops[0].who.desktop =
        DesktopId(std::string(session.at("desktop").at("id").as_string()));
    reading->desktops[1].who.uuid = "u-2";
    site.latest.put(reading, {site.clock.monotonic().count()});
    const auto shown = site.get(site.admin, "/v1/readings/host1");
    const auto& desktops = shown.at("desktops").as_array();
    EXPECT_EQ(desktops[0].at("user").as_string(), "una");
    EXPECT_EQ(desktops[0].at("level").as_int64(), 2); // 2 GiB of at most 8
    EXPECT_TRUE(desktops[1].at("user").is_null());
    EXPECT_TRUE(desktops[1].at("level").is_null());
}

TEST(ReadingRoutes, SayWhatWasMeasuredAndHowLongAgo) {
    Site site;
    site.add_host("host1");
    auto reading = std::make_shared<monitor::Reading>();
    reading->host = HostId("host1");
    reading->rates.cpu_percent.corrected = 25;
    reading->desktops.resize(1);
    reading->desktops[0].who.uuid = "u-1";
    site.latest.put(reading, {site.clock.monotonic().count()});
    const auto shown = site.ask(site.admin, "GET", "/v1/readings/host1");
    ASSERT_EQ(shown.status, 200) << shown.body;
    const auto object = boost::json::parse(shown.body).as_object();
    EXPECT_EQ(object.at("age_ms").as_int64(), 0);
    EXPECT_TRUE(monitor::reading_from_json(object)); // for `baton top`
    EXPECT_TRUE(object.at("desktops").as_array()[0].as_object().at("user").is_null());
    EXPECT_THAT(site.ask(site.admin, "GET", "/metrics").body,
                HasSubstr("baton_host_cpu_usage_ratio{host=\"host1\"} 0.25\n"));
    site.latest.put(reading, {site.clock.monotonic().count() - 31'000'000'000});
    const auto late = site.ask(site.admin, "GET", "/metrics").body;
    EXPECT_THAT(late, HasSubstr("baton_host_up{host=\"host1\"} 0\n"));
    EXPECT_THAT(late, Not(HasSubstr("cpu_usage")));
}

} // namespace
} // namespace baton::api::testing
