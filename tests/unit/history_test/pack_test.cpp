#include "history/pack.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace baton::history {
namespace {

Row any_row() {
    Row row;
    for (std::int64_t& value : row.values) {
        const int kind = *rc::gen::inRange(0, 4);
        if (kind == 1)
            value = *rc::gen::inRange<std::int64_t>(0, 300);
        if (kind == 2)
            value = *rc::gen::inRange<std::int64_t>(0, largest_value + 1);
        if (kind == 3)
            value = 42;
    }
    return row;
}

std::vector<Slot> any_minute() {
    std::vector<Slot> slots;
    for (int second = 0; second < slots_per_minute; ++second)
        if (*rc::gen::inRange(0, 8) != 0)
            slots.push_back({second, any_row()});
    return slots;
}

TEST(HistoryPack, RowsComeBackAsTheyWere) {
    EXPECT_TRUE(rc::check([] {
        const Row row = any_row();
        RC_ASSERT(unpack_row(pack_row(row)).value() == row);
    }));
}

TEST(HistoryPack, MinutesComeBackAsTheyWere) {
    EXPECT_TRUE(rc::check([] {
        const auto slots = any_minute();
        RC_ASSERT(unpack_minute(pack_minute(slots)).value() == slots);
    }));
}

TEST(HistoryPack, RollUpsComeBackAsTheyWere) {
    EXPECT_TRUE(rc::check([] {
        std::vector<Row> rows;
        for (const Slot& slot : any_minute())
            rows.push_back(slot.row);
        const RollUp made = roll_up(rows);
        RC_ASSERT(unpack_roll_up(pack_roll_up(made)).value() == made);
    }));
}

TEST(HistoryPack, AnyCutIsToldAndAnyBytesAreSurvived) {
    EXPECT_TRUE(rc::check([] {
        const std::string whole = pack_minute(any_minute());
        const auto length = *rc::gen::inRange<std::size_t>(0, whole.size());
        RC_ASSERT(unpack_minute(whole.substr(0, length)).error().code == Errc::corrupt);
        std::string broken = whole;
        for (int i = 0; i < 20; ++i)
            broken[*rc::gen::inRange<std::size_t>(0, broken.size())] =
                static_cast<char>(*rc::gen::inRange(0, 256));
        if (const auto slots = unpack_minute(broken))
            for (const Slot& slot : *slots)
                for (const std::int64_t value : slot.row.values)
                    RC_ASSERT(value == none || (value >= 0 && value <= largest_value));
        static_cast<void>(unpack_row(broken));
        static_cast<void>(unpack_roll_up(broken));
    }));
}

TEST(HistoryPack, TheRollUpOfAHundredValuesIsWhatOneReadsByHand) {
    std::vector<Row> rows(100);
    for (std::size_t i = 0; i < rows.size(); ++i)
        rows[i][Metric::cpu] = static_cast<std::int64_t>(i) + 1;
    const RollUp made = roll_up(rows);
    EXPECT_EQ(made.rows, 100);
    EXPECT_EQ(made[Metric::cpu], (Summary{1, 51, 100, 95})); // mean 50.5, rounded
    EXPECT_EQ(made[Metric::disk], Summary{});                // never told: stays untold
}

TEST(HistoryPack, AnIdleMinuteIsSmall) {
    std::vector<Slot> slots;
    for (int second = 0; second < slots_per_minute; ++second) {
        Slot slot{second, {}};
        slot.row.values.fill(7);
        slots.push_back(slot);
    }
    EXPECT_LT(pack_minute(slots).size(), 200U); // 60 rows of 21 values
}

TEST(HistoryPack, ScaledValuesAreNoneWhenTheyCannotBe) {
    EXPECT_EQ(scaled(Metric::cpu, 12.345), 1235);
    EXPECT_EQ(scaled(Metric::memory_used, 2048.0), 2);
    for (const double absurd : {-1.0, 1e300, std::numeric_limits<double>::quiet_NaN()})
        EXPECT_EQ(scaled(Metric::disk, absurd), none);
    EXPECT_EQ(scaled(Metric::disk, std::nullopt), none);
}

TEST(RollUp, AMeanBeyondTheGreatestIsRefused) {
    // one row, the first metric of kind 2: least 5, mean 5 + 3, p95 5, greatest 5
    const std::string bytes{1, 2, 5, 3, 0, 0};
    EXPECT_EQ(unpack_roll_up(bytes).error().code, Errc::corrupt);
    EXPECT_TRUE(unpack_roll_up(std::string{1, 2, 5, 3, 4, 0}));
}

} // namespace
} // namespace baton::history
