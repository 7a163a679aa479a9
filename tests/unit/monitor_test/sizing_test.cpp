#include "monitor/sizing.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>

namespace baton::monitor {
namespace {

// SETMOV, Figure 13: reading 2 GB at three sizes of memory
const std::vector<CurvePoint> figure_13{{2_GiB, 107.1}, {4_GiB, 2473.9}, {8_GiB, 2548.4}};
const std::vector<Mebibytes> sizes{512_MiB, 1_GiB, 2_GiB, 4_GiB, 8_GiB};

TEST(MonitorSizing, Figure13ChoosesFourGigabytes) {
    EXPECT_EQ(from_curve(figure_13, Mebibytes(0), 0.05).value(), 4_GiB);
    EXPECT_EQ(from_curve(figure_13, 5_GiB, 0.05).value(), 8_GiB); // never under the need
}

TEST(MonitorSizing, TheToleranceHasToBe293PercentAtLeast) {
    EXPECT_EQ(from_curve(figure_13, Mebibytes(0), 0.0293).value(), 4_GiB);
    EXPECT_EQ(from_curve(figure_13, Mebibytes(0), 0.0292).value(), 8_GiB);
}

TEST(MonitorSizing, ACurveIsReadFromText) {
    const auto curve = parse_curve("# Figure 13\n2GiB, 107.1\n4GiB,2473.9 # cached\n\n8GiB,2548.4");
    ASSERT_TRUE(curve) << curve.error().message();
    EXPECT_EQ(from_curve(*curve, Mebibytes(0), 0.05).value(), 4_GiB);
    for (const char* wrong : {"4GiB", "4GiB,fast", "much,3", "4GiB,3,4"})
        EXPECT_FALSE(parse_curve(wrong)) << wrong;
    EXPECT_FALSE(from_curve({{2_GiB, 1}}, Mebibytes(0), 0.05));
    EXPECT_FALSE(from_curve({{2_GiB, 1}, {4_GiB, -1}}, Mebibytes(0), 0.05));
}

TEST(MonitorSizing, ThePercentileIsOneThatAPersonWouldFind) {
    DecayingHistogram histogram;
    EXPECT_FALSE(histogram.percentile(0.9));
    for (int i = 1; i <= 100; ++i)
        histogram.add(0, i * 10);
    EXPECT_NEAR(*histogram.percentile(0.9), 900, 900 * 0.05); // buckets grow by 5 %
    EXPECT_NEAR(*histogram.percentile(0.5), 500, 500 * 0.05);
}

TEST(MonitorSizing, WhatIsOldCountsHalfAfterADay) {
    DecayingHistogram histogram;
    histogram.add(0, 4000);
    histogram.add(24, 1000); // 1 against 0.5
    EXPECT_NEAR(*histogram.percentile(0.66), 1000, 50);
    EXPECT_NEAR(*histogram.percentile(0.68), 4000, 200);
    DecayingHistogram backwards; // the order does not matter
    backwards.add(24, 1000);
    backwards.add(0, 4000);
    EXPECT_NEAR(*backwards.percentile(0.66), 1000, 50);
    EXPECT_NEAR(*backwards.percentile(0.68), 4000, 200);
}

TEST(MonitorSizing, TheBaseIsThePeakAndFifteenPercent) {
    Sizing sizing(sizes);
    EXPECT_FALSE(sizing.advise(0, 1_GiB).size);
    for (int day = 0; day < 10; ++day)
        for (int hour = 9; hour < 17; ++hour)
            sizing.observe({.hour = day * 24.0 + hour, .need_mebibytes = hour == 12 ? 1000 : 400});
    const auto advice = sizing.advise(240, std::nullopt);
    EXPECT_NEAR(advice.base_mebibytes, 1150, 1150 * 0.05);
    EXPECT_EQ(advice.size, 2_GiB);
    EXPECT_NE(advice.why.find("90 %"), std::string::npos);
}

TEST(MonitorSizing, ACurveThatEndsBelowTheNeedDoesNotHideIt) {
    Sizing sizing({2_GiB, 4_GiB, 8_GiB, 16_GiB});
    sizing.set_curve(figure_13);
    sizing.observe({.hour = 1, .need_mebibytes = 300});
    EXPECT_EQ(sizing.advise(2, std::nullopt).size, 4_GiB);
    sizing.observe({.hour = 3, .need_mebibytes = 10'000});
    EXPECT_EQ(sizing.advise(4, std::nullopt).size, 16_GiB);
    sizing.observe({.hour = 5, .need_mebibytes = 20'000});
    EXPECT_FALSE(sizing.advise(6, std::nullopt).size);
}

TEST(MonitorSizing, AShortageOfCacheAsksForOneSizeMoreAtOnce) {
    Sizing sizing(sizes);
    sizing.observe({.hour = 10, .need_mebibytes = 300});
    EXPECT_EQ(sizing.advise(10, 1_GiB).shortage, false);
    sizing.observe({.hour = 10.1, .need_mebibytes = 300, .pressure_percent = 20});
    const auto advice = sizing.advise(10.2, 1_GiB);
    EXPECT_TRUE(advice.shortage);
    EXPECT_EQ(advice.size, 2_GiB);
    // a guest whose kernel tells no pressure
    Sizing other(sizes);
    other.observe({.hour = 10, .need_mebibytes = 300, .swap_in_bytes_per_second = 1e6});
    EXPECT_EQ(other.advise(10.2, 1_GiB).size, 2_GiB);
}

TEST(MonitorSizing, LessComesAfterADayAndOneSizeAtATime) {
    Sizing sizing(sizes);
    sizing.observe({.hour = 0, .need_mebibytes = 3000});
    for (double hour = 1; hour < 24 * 12; hour += 0.5)
        sizing.observe({.hour = hour, .need_mebibytes = 200});
    const auto soon = sizing.advise(20, 8_GiB); // 4 GiB was needed (with 10 % to spare) at hour 0
    EXPECT_EQ(soon.size, 8_GiB);
    EXPECT_TRUE(soon.waits_quietly);
    EXPECT_EQ(sizing.advise(24 * 12, 8_GiB).size, 4_GiB); // not 512 MiB in one step
    EXPECT_EQ(sizing.advise(24 * 12, 4_GiB).size, 2_GiB);
    Sizing fresh(sizes); // what was not watched for a day is not quiet
    fresh.observe({.hour = 0, .need_mebibytes = 200});
    EXPECT_EQ(fresh.advise(1, 8_GiB).size, 8_GiB);
}

TEST(MonitorSizing, AbsurdNeedsAreNotBelieved) {
    Sizing sizing(sizes);
    for (const double absurd : {-5.0, std::nan(""), HUGE_VAL})
        sizing.observe({.hour = 1, .need_mebibytes = absurd});
    EXPECT_FALSE(sizing.advise(2, 1_GiB).size);
}

TEST(MonitorSizing, MoreNeedNeverAsksForLess) {
    EXPECT_TRUE(rc::check([] {
        const double need = *rc::gen::inRange(1, 8000);
        const double more = need + *rc::gen::inRange(0, 4000);
        const auto base = [](double peak) {
            Sizing sizing(sizes);
            for (int day = 0; day < 5; ++day)
                sizing.observe({.hour = day * 24.0, .need_mebibytes = peak});
            return sizing.advise(120, std::nullopt).base_mebibytes;
        };
        RC_ASSERT(base(more) >= base(need));
        RC_ASSERT(base(need) >= need * 1.149 && base(need) <= need * 1.151);
    }));
}

TEST(MonitorSizing, HowDifferentlyPeopleNeedIsTold) {
    const Spread spread = spread_of({400, 800, 600, 2200});
    EXPECT_EQ(spread.people, 4U);
    EXPECT_DOUBLE_EQ(spread.median, 700);
    EXPECT_DOUBLE_EQ(spread.greatest_to_least, 5.5);
    EXPECT_NEAR(spread.variation, 0.707, 0.01);
    EXPECT_EQ(spread_of({}).people, 0U);
}

} // namespace
} // namespace baton::monitor
