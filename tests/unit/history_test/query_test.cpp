#include "history/advice.h"
#include "history/codec.h"
#include "history/recorder.h"
#include "support/readings.h"
#include "support/temporary_directory.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

namespace baton::history {
namespace {

using testing::reading_at;
using testing::start;

/// A host, d-0 with s-kim all the time, d-1 with s-lee in the first minutes and s-park after that.
class HistoryQuery : public ::testing::Test {
  protected:
    void SetUp() override {
        for (Seconds at = start; at < start + 240; ++at) {
            auto reading = reading_at(at, 2);
            reading.desktops[1].who.session = SessionId(at < start + 120 ? "s-lee" : "s-park");
            const auto batch = samples_of(*samples_, reading).value();
            ASSERT_TRUE(samples_->append(batch));
        }
        ASSERT_TRUE(samples_->annotate({"s-kim", "kim", "tiny-1", start}));
        ASSERT_TRUE(samples_->tend(start + 250, 100));
    }

    Series of(const std::string& who, const Visible& visible = std::nullopt,
              Resolution every = Resolution::second) {
        return series_of(*samples_, who, {start, start + 240, every}, visible).value();
    }

    std::string refusal(const std::string& who, const Visible& visible = std::nullopt) {
        const auto series =
            series_of(*samples_, who, {start, start + 240, Resolution::second}, visible);
        return series ? "" : series.error().message();
    }

    testing::TemporaryDirectory directory_;
    std::unique_ptr<Samples> samples_ = open_sqlite(directory_.file("samples.db")).value();
};

TEST_F(HistoryQuery, AUserSeesOwnSessionsAndDesktopsWhileTheyWereTheirs) {
    const Visible lee{{"s-lee", "s-older"}};
    EXPECT_EQ(of("s-lee", lee).points.size(), 120U);
    const Series desktop = of("d-1", lee);
    EXPECT_EQ(desktop.points, of("s-lee").points);
    EXPECT_EQ(desktop.title, "desktop baton-d-1");
    EXPECT_EQ(of("d-1").points.size(), 240U); // an operator sees the whole desktop
    for (const char* other : {"s-park", "s-kim", "d-0", "host1", "10.0.0.11", "nobody"}) {
        EXPECT_NE(refusal(other, lee).find("no samples of '" + std::string(other)),
                  std::string::npos);
        EXPECT_EQ(refusal(other, lee).find("baton-d"), std::string::npos); // names nobody else
    }
    EXPECT_NE(refusal("nobody").find("baton-d-0"), std::string::npos);
    EXPECT_NE(refusal("d-0", Visible{std::set<std::string>{}}), "");
}

TEST_F(HistoryQuery, JsonTellsTheSameAsItWasMadeOf) {
    for (const Resolution every : {Resolution::second, Resolution::minute}) {
        const Series series = of("d-1", std::nullopt, every);
        ASSERT_FALSE(series.points.empty());
        const auto text = boost::json::serialize(to_json(series));
        EXPECT_EQ(series_from_json(boost::json::parse(text).as_object()).value(), series);
    }
}

TEST(HistorySeries, WhatIsNoSeriesIsRefused) {
    for (
        const char* text :
        {"{}", R"({"every_seconds":7,"points":[]})", R"({"every_seconds":1,"points":{}})",
         R"({"every_seconds":1,"points":[3]})", R"({"every_seconds":1,"points":[{}]})",
         R"({"every_seconds":1,"points":[{"time":"yesterday"}]})",
         R"({"every_seconds":1,"points":[{"time":"2023-11-14T22:14:00Z","cpu_percent":"a"}]})",
         R"({"every_seconds":1,"points":[{"time":"2023-11-14T22:14:00Z","cpu_percent":-1}]})",
         R"({"every_seconds":1,"points":[{"time":"2023-11-14T22:14:00Z","disk_bytes_per_second":1e300}]})"})
        EXPECT_FALSE(series_from_json(boost::json::parse(text).as_object())) << text;
    const auto gap = series_from_json(
        boost::json::parse(R"({"every_seconds":1,"points":[{"time":"2023-11-14T22:14:00Z"}]})")
            .as_object());
    ASSERT_TRUE(gap) << gap.error().message();
    EXPECT_EQ(gap->points[0].at, start);
    EXPECT_EQ(gap->points[0].values[Metric::cpu].mean, none); // a gap, and not 0
}

TEST(HistorySpan, WordsBecomeATimeAndHowFinelyItIsTold) {
    const auto span = [](const char* last, const char* until = "", const char* every = "") {
        return parse_span({last, until, every}, start).value();
    };
    EXPECT_EQ(span("10m"), (Span{start - 599, start + 1, Resolution::second}));
    EXPECT_EQ(span("1d").every, Resolution::minute);
    EXPECT_EQ(span("30d").every, Resolution::hour);
    EXPECT_EQ(span("1d", "", "1s").most_points(), 86'401U);
    EXPECT_EQ(span("60s", "2023-11-14T22:14:00Z"), span("60s", "1700000040"));
    EXPECT_EQ(span("100d", "5").from, 0);
    for (const auto& [last, until, every] :
         std::initializer_list<std::array<const char*, 3>>{{"soon", "", ""},
                                                           {"", "", ""},
                                                           {"-1h", "", ""},
                                                           {"99999999999999999d", "", ""},
                                                           {"1h", "noon", ""},
                                                           {"1h", "99999999999999999", ""},
                                                           {"1h", "", "2s"}})
        EXPECT_FALSE(parse_span({last, until, every}, start)) << last << until << every;
}

TEST_F(HistoryQuery, AdviceIsForPeopleAndForMachinesThatAreNobodys) {
    const auto all = advise(*samples_, {}, {start, start + 300, Resolution::minute}).value();
    std::vector<std::string> who;
    for (const AdviceFor& one : all)
        who.push_back(one.who);
    EXPECT_EQ(who, (std::vector<std::string>{"kim", "s-lee", "s-park"}));
    EXPECT_EQ(all[0].image, "tiny-1");
    EXPECT_NEAR(all[0].advice.base_mebibytes, 562, 30);
    AdviceWanted one;
    one.session = "s-kim";
    EXPECT_EQ(advise(*samples_, one, {start, start + 300, Resolution::minute})->size(), 1U);
    EXPECT_EQ(to_json(all).at("people").as_array().size(), 3U);
}

} // namespace
} // namespace baton::history
