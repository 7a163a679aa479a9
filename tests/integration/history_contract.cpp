#include "history/recorder.h"
#include "history/samples.h"
#include "support/mariadb_server.h"
#include "support/readings.h"
#include "support/temporary_directory.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <mysql.h>

// What every database of samples must do: the one on SQLite, and the one on a real MariaDB server.
namespace baton::history {
namespace {

using testing::reading_at;

constexpr Seconds start = 1'700'000'040; // a whole minute
static_assert(start % 60 == 0);

testing::MariadbServer& server() {
    static testing::MariadbServer one;
    return one;
}

/// Every row of an answer, its columns with '|' between.
using Rows = std::vector<std::string>;

Rows ask_sqlite(const std::string& path, const std::string& sql) {
    sqlite3* database = nullptr;
    sqlite3_open_v2(path.c_str(), &database, SQLITE_OPEN_READWRITE, nullptr);
    Rows rows;
    char* error = nullptr;
    sqlite3_exec(
        database, sql.c_str(),
        [](void* out, int count, char** values, char**) {
            std::string row;
            for (int i = 0; i < count; ++i)
                row += std::string(i > 0 ? "|" : "") + (values[i] != nullptr ? values[i] : "NULL");
            static_cast<Rows*>(out)->push_back(row);
            return 0;
        },
        &rows, &error);
    if (error != nullptr)
        rows.push_back(std::string("error: ") + error);
    sqlite3_free(error);
    sqlite3_close(database);
    return rows;
}

Rows ask_mariadb(const std::string& url, const std::string& sql) {
    const std::string socket = url.substr(url.find("socket=") + 7);
    const auto name = url.substr(url.find("localhost/") + 10);
    MYSQL* connection = mysql_init(nullptr);
    Rows rows;
    if (mysql_real_connect(connection, nullptr, "root", nullptr,
                           name.substr(0, name.find('?')).c_str(), 0, socket.c_str(),
                           0) == nullptr ||
        mysql_query(connection, sql.c_str()) != 0) {
        rows.push_back(std::string("error: ") + mysql_error(connection));
    } else if (MYSQL_RES* result = mysql_store_result(connection)) {
        while (MYSQL_ROW values = mysql_fetch_row(result)) {
            std::string row;
            for (unsigned i = 0; i < mysql_num_fields(result); ++i)
                row += std::string(i > 0 ? "|" : "") + (values[i] != nullptr ? values[i] : "NULL");
            rows.push_back(row);
        }
        mysql_free_result(result);
    }
    mysql_close(connection);
    return rows;
}

class HistoryContract : public ::testing::TestWithParam<const char*> {
  protected:
    void SetUp() override {
        static int number = 0;
        mariadb_ = std::string_view(GetParam()) == "mariadb";
        where_ = mariadb_ ? server().database("samples" + std::to_string(++number))
                          : directory_.file("samples.db");
        reopen();
    }

    void reopen(const Retention& retention = {}) {
        samples_.reset();
        auto opened = open(where_, retention);
        ASSERT_TRUE(opened) << opened.error().message();
        samples_ = std::move(*opened);
    }

    void keep(const monitor::Reading& reading) {
        const auto batch = samples_of(*samples_, reading);
        ASSERT_TRUE(batch) << batch.error().message();
        const auto written = samples_->append(*batch);
        ASSERT_TRUE(written) << written.error().message();
    }

    void keep(Seconds from, Seconds until, int desktops = 2) {
        for (Seconds at = from; at < until; ++at)
            keep(reading_at(at, desktops));
    }

    Subject subject(const std::string& name) {
        const auto all = samples_->subjects().value();
        for (const Subject& one : all)
            if (one.name == name)
                return one;
        ADD_FAILURE() << "no subject is called " << name;
        return {};
    }

    /// In SQL, as a person asks with the database's own program.
    Rows ask(const std::string& sql) {
        return mariadb_ ? ask_mariadb(where_, sql) : ask_sqlite(where_, sql);
    }

    bool mariadb_ = false;
    testing::TemporaryDirectory directory_;
    std::string where_;
    std::unique_ptr<Samples> samples_;
};

TEST_P(HistoryContract, WhatWasKeptIsReadBackPackedOrNot) {
    keep(start, start + 150);
    for (const bool tended : {false, true}) {
        if (tended) {
            const auto done = samples_->tend(start + 150, 10);
            ASSERT_TRUE(done) << done.error().message();
            EXPECT_EQ(done->minutes_packed, 2);
        }
        const auto points =
            samples_->read(subject("baton-d-1").id, start + 30, start + 140, Resolution::second);
        ASSERT_TRUE(points) << points.error().message();
        ASSERT_EQ(points->size(), 110U);
        for (std::size_t i = 0; i < points->size(); ++i) {
            const Seconds at = start + 30 + static_cast<Seconds>(i);
            const Row expected = row_of(reading_at(at, 2).desktops[1].rates);
            EXPECT_EQ((*points)[i].at, at);
            for (std::size_t m = 0; m < metric_count; ++m)
                EXPECT_EQ((*points)[i].values.of[m].mean, expected.values[m]) << at << " " << m;
        }
    }
}

TEST_P(HistoryContract, MinutesAndHoursAreRolledUp) {
    keep(start, start + 60);
    Seconds at = start + 60;
    // one sixtieth of the subjects is rolled up in each minute: a sample a minute for two hours
    for (; at < start + 2 * 3600; at += 60)
        keep(reading_at(at, 2));
    const auto done = samples_->tend(at + 10, 1000);
    ASSERT_TRUE(done) << done.error().message();
    EXPECT_EQ(done->minutes_packed, 120);
    EXPECT_GT(done->hours_rolled, 0);
    const auto host = subject("host1");
    const auto minutes = samples_->read(host.id, start, start + 60, Resolution::minute).value();
    ASSERT_EQ(minutes.size(), 1U);
    std::vector<Row> rows;
    for (Seconds second = start; second < start + 60; ++second)
        rows.push_back(row_of(reading_at(second, 2).rates));
    EXPECT_EQ(minutes[0].values, roll_up(rows));
    const auto hours =
        samples_->read(host.id, start - 3600, start + 3600, Resolution::hour).value();
    ASSERT_FALSE(hours.empty());
    EXPECT_EQ(hours[0].at % 3600, 0);
    EXPECT_GE(hours[0].values.rows, 60);
}

TEST_P(HistoryContract, ThePapersFourTablesAnswerPlainSql) {
    keep(start, start + 90);
    ASSERT_TRUE(samples_->annotate({"s-kim", "kim", "tiny-1", start + 5}));
    ASSERT_TRUE(samples_->tend(start + 70, 10));
    EXPECT_EQ(ask("SELECT HostIP, HostName, VMC FROM T1"), Rows{"10.0.0.11|host1|2"});
    const std::string uuid = "00000000-0000-4000-8000-000000000000";
    EXPECT_EQ(ask("SELECT UUID, HostIP, name, state, LCT FROM T3 WHERE UUID = '" + uuid + "'"),
              Rows{uuid + "|10.0.0.11|baton-d-0|running|2023-11-14 22:14:05"});
    EXPECT_EQ(ask("SELECT LCT FROM T3 WHERE name = 'baton-d-1'"), Rows{"NULL"});
    // 60 seconds from the packed minute, 30 from the last one
    EXPECT_EQ(ask("SELECT count(*) FROM T4 WHERE UUID = '" + uuid + "'"), Rows{"90"});
    EXPECT_EQ(ask("SELECT count(*) FROM T2 WHERE HostIP = '10.0.0.11'"), Rows{"90"});
    for (const Seconds at : {start + 7, start + 59, start + 61}) {
        const Row row = row_of(reading_at(at, 2).desktops[0].rates);
        const std::string second =
            at < start + 60 ? (at == start + 7 ? "22:14:07" : "22:14:59") : "22:15:01";
        const auto found = ask("SELECT ROUND(CPU * 100), ROUND(memory * 100), disk, network "
                               "FROM T4 WHERE UUID = '" +
                               uuid + "' AND time = '2023-11-14 " + second + "'");
        const std::string dot = mariadb_ ? "" : ".0";
        const std::string disk =
            row[Metric::disk] == none ? "NULL" : std::to_string(row[Metric::disk]);
        EXPECT_EQ(found, Rows{std::to_string(row[Metric::cpu]) + dot + "|" +
                              std::to_string(row[Metric::memory]) + dot + "|" + disk + "|" +
                              std::to_string(row[Metric::network])});
    }
    // what the paper's Figure 8 joins
    EXPECT_EQ(ask("SELECT T1.HostName, count(*) FROM T1 JOIN T3 ON T3.HostIP = T1.HostIP JOIN T4 "
                  "ON T4.UUID = T3.UUID GROUP BY T1.HostName"),
              Rows{"host1|180"});
}

TEST_P(HistoryContract, AnotherProcessOpensItAgainAndGoesOn) {
    keep(start, start + 30);
    reopen();
    keep(start + 30, start + 90);
    ASSERT_TRUE(samples_->tend(start + 100, 10));
    const auto points =
        samples_->read(subject("host1").id, start, start + 90, Resolution::second).value();
    EXPECT_EQ(points.size(), 90U);
    EXPECT_EQ(samples_->subjects().value().size(), 3U);
}

TEST_P(HistoryContract, WhatIsCaughtUpLateJoinsItsMinute) {
    keep(start, start + 20);
    keep(start + 60, start + 70);
    ASSERT_TRUE(samples_->tend(start + 130, 10));
    keep(start + 20, start + 60);
    ASSERT_TRUE(samples_->tend(start + 130, 10));
    const auto points =
        samples_->read(subject("host1").id, start, start + 60, Resolution::second).value();
    EXPECT_EQ(points.size(), 60U);
    const auto minutes =
        samples_->read(subject("host1").id, start, start + 60, Resolution::minute).value();
    ASSERT_EQ(minutes.size(), 1U);
    EXPECT_EQ(minutes[0].values.rows, 60);
}

TEST_P(HistoryContract, OldSecondsAreForgottenAndTheirRoomIsUsedAgain) {
    reopen({.seconds = std::chrono::minutes(10)});
    const auto minute = [&](int number) {
        for (Seconds at = start + number * 60; at < start + number * 60 + 60; at += 10)
            keep(reading_at(at, 40));
        ASSERT_TRUE(samples_->tend(start + number * 60 + 70, 10));
    };
    for (int i = 0; i < 15; ++i)
        minute(i);
    const auto id = subject("host1").id;
    EXPECT_TRUE(samples_->read(id, start, start + 240, Resolution::second).value().empty());
    EXPECT_EQ(samples_->read(id, start, start + 240, Resolution::minute).value().size(), 4U);
    EXPECT_EQ(samples_->read(id, start + 600, start + 900, Resolution::second).value().size(), 30U);
    const auto size = samples_->size().value();
    EXPECT_GT(size.used_bytes, 0);
    EXPECT_GE(size.oldest_second, start + 240);
}

TEST_P(HistoryContract, WhoseDesktopIsForgottenIsForgottenToo) {
    constexpr Seconds three_years_ago = start - Seconds{3} * 365 * 86'400;
    auto reading = reading_at(start, 1, "s-kim");
    keep(reading);
    for (const Person& person : std::vector<Person>{{"s-kim", "kim", "tiny-1", three_years_ago},
                                                    {"s-lee", "lee", "tiny-1", three_years_ago},
                                                    {"s-park", "park", "tiny-1", start}})
        ASSERT_TRUE(samples_->annotate(person));
    for (Seconds at = start + 60; at < start + 3700; at += 60)
        keep(reading_at(at, 1, "s-kim"));
    ASSERT_TRUE(samples_->tend(start + 3800, 100));
    // there are samples of kim's desktop; park may be measured yet
    EXPECT_EQ(samples_->people().value(),
              (std::vector<Person>{{"s-kim", "kim", "tiny-1", three_years_ago},
                                   {"s-park", "park", "tiny-1", start}}));
}

TEST_P(HistoryContract, ASessionIsFollowedThroughItsDesktops) {
    keep(start, start + 30);
    auto moved = reading_at(start + 30, 2);
    moved.desktops[0].who.session = SessionId();
    moved.desktops[1].who.session = SessionId("s-kim");
    keep(moved);
    auto alone = moved;
    alone.desktops.erase(alone.desktops.begin());
    keep(alone);
    const auto stays = samples_->stays().value();
    ASSERT_EQ(stays.size(), 2U);
    EXPECT_EQ(stays[0].subject, subject("baton-d-0").id);
    EXPECT_EQ(stays[1].subject, subject("baton-d-1").id);
    EXPECT_EQ(stays[1].since, start + 30);
    EXPECT_EQ(subject("baton-d-0").state, "gone");
    EXPECT_EQ(ask("SELECT VMC FROM T1"), Rows{"1"});
}

TEST_P(HistoryContract, ItIsNotTakenFromANewerBaton) {
    samples_.reset();
    ask("UPDATE meta SET value = 99 WHERE name = 'version'");
    const auto opened = open(where_);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Errc::conflict);
}

TEST_P(HistoryContract, ReadOnlyReadsWhatAnotherWrites) {
    keep(start, start + 70);
    ASSERT_TRUE(samples_->tend(start + 70, 10));
    auto reader = open(where_, {}, true);
    ASSERT_TRUE(reader) << reader.error().message();
    EXPECT_EQ(
        (*reader)->read(subject("host1").id, start, start + 100, Resolution::second).value().size(),
        70U);
}

INSTANTIATE_TEST_SUITE_P(Adapters, HistoryContract, ::testing::Values("sqlite", "mariadb"),
                         [](const auto& one) { return std::string(one.param); });

// ---- what only a server can do

TEST(HistoryMariadb, AServerThatDiesLosesNothingThatWasKeptAndIsFoundAgain) {
    testing::MariadbServer own;
    const std::string where = own.database("samples");
    auto opened = open(where);
    ASSERT_TRUE(opened) << opened.error().message();
    Samples& samples = **opened;
    const auto keep = [&](Seconds at) -> Result<void> {
        auto batch = samples_of(samples, reading_at(at, 1));
        if (!batch)
            return tl::unexpected(batch.error());
        return samples.append(*batch);
    };
    ASSERT_TRUE(keep(start));
    own.kill();
    const auto refused = keep(start + 1);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::unavailable) << refused.error().message();
    own.start();
    const auto again = keep(start + 2);
    ASSERT_TRUE(again) << again.error().message();
    EXPECT_EQ(samples.read(1, start, start + 10, Resolution::second).value().size(), 2U);
}

} // namespace
} // namespace baton::history
