/// How loaded a host is, out of simulated readings.
#include "monitor/load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace baton::monitor {
namespace {

using testing::DoubleNear;
using testing::Optional;

HostRates busy(double cpu) {
    HostRates rates;
    rates.cpu_percent.corrected = cpu;
    return rates;
}

Moment at(int seconds) {
    return {std::int64_t{seconds} * 1'000'000'000};
}

TEST(LoadPercent, IsTheLargestOfWhatIsUsedAndWhatIsWaitedFor) {
    EXPECT_THAT(load_percent(busy(30)), Optional(30));
    HostRates rates = busy(30);
    rates.disks.resize(2); // of the other one nothing is known
    rates.disks[0].busy_percent = 55.0;
    EXPECT_THAT(load_percent(rates), Optional(55));
    rates.pressure.cpu_some_percent = 30; // a third of the time somebody waited for a CPU
    EXPECT_THAT(load_percent(rates), Optional(60));
    rates.pressure.io_some_percent = 35;
    EXPECT_THAT(load_percent(rates), Optional(70));
    rates.pressure.memory_some_percent = 20;
    EXPECT_THAT(load_percent(rates), Optional(80));
    rates.pressure.memory_some_percent = 90;
    EXPECT_THAT(load_percent(rates), Optional(100));
}

TEST(LoadPercent, CannotBeToldWithoutTheCpu) {
    HostRates rates;
    rates.pressure.io_some_percent = 50;
    EXPECT_EQ(load_percent(rates), std::nullopt);
    EXPECT_EQ(LoadMeter().take(rates, at(1)), std::nullopt);
    EXPECT_EQ(LoadMeter().take(busy(10), Moment{}), std::nullopt);
}

TEST(LoadMeter, TheFirstReadingCountsAtOnce) {
    EXPECT_EQ(LoadMeter().take(busy(0), at(1)), Load::idle);
    EXPECT_EQ(LoadMeter().take(busy(39.9), at(1)), Load::idle);
    EXPECT_EQ(LoadMeter().take(busy(40), at(1)), Load::usual);
    EXPECT_EQ(LoadMeter().take(busy(70), at(1)), Load::busy);
    EXPECT_EQ(LoadMeter().take(busy(100), at(1)), Load::swamped);
}

TEST(LoadMeter, AShortPeakIsNotALoad) {
    LoadMeter meter;
    int second = 1;
    meter.take(busy(5), at(second));
    for (int i = 0; i < 3; ++i)
        EXPECT_EQ(meter.take(busy(100), at(++second)), Load::idle);
    for (int i = 0; i < 60; ++i)
        meter.take(busy(100), at(++second));
    EXPECT_EQ(meter.take(busy(100), at(++second)), Load::swamped);
    for (int i = 0; i < 60; ++i)
        meter.take(busy(5), at(++second));
    EXPECT_EQ(meter.take(busy(5), at(++second)), Load::idle);
}

TEST(LoadMeter, AHostAtABoundaryDoesNotGoToAndFro) {
    LoadMeter meter;
    EXPECT_EQ(meter.take(busy(71), at(1)), Load::busy);
    for (int second = 2; second < 100; ++second)
        EXPECT_EQ(meter.take(busy(second % 2 == 0 ? 66 : 71), at(second)), Load::busy);
    for (int second = 100; second < 200; ++second)
        meter.take(busy(64), at(second));
    EXPECT_EQ(meter.take(busy(64), at(200)), Load::usual);
}

// Ten readings a second say as much as one.
TEST(LoadMeter, TheIntervalDoesNotMatter) {
    LoadMeter fast;
    LoadMeter slow;
    fast.take(busy(0), at(1));
    slow.take(busy(0), at(1));
    for (int i = 1; i <= 100; ++i)
        fast.take(busy(80), {1'000'000'000 + i * 100'000'000LL});
    slow.take(busy(80), at(11));
    EXPECT_THAT(fast.percent(), Optional(DoubleNear(*slow.percent(), 0.01)));
}

TEST(LoadMeter, ItBeginsAnewAfterAGapAndAfterAReboot) {
    LoadMeter meter;
    meter.take(busy(95), at(1000));
    EXPECT_EQ(meter.take(busy(0), at(1061)), Load::idle);
    meter.take(busy(95), at(1062));
    EXPECT_EQ(meter.take(busy(95), at(3)), Load::swamped); // its clock began anew
    EXPECT_EQ(meter.take(busy(0), at(3)), Load::swamped);  // the same moment: nothing new
}

} // namespace
} // namespace baton::monitor
