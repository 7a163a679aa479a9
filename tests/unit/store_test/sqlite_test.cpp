#include "store/store.h"
#include "support/temporary_directory.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <fstream>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

// What only the store on SQLite can be asked: files, power cuts, full disks, other versions.
namespace baton::store {
namespace {

using testing::TemporaryDirectory;

void run_sql(const std::string& path, const char* sql) {
    sqlite3* handle = nullptr;
    ASSERT_EQ(sqlite3_open(path.c_str(), &handle), SQLITE_OK);
    char* message = nullptr;
    EXPECT_EQ(sqlite3_exec(handle, sql, nullptr, nullptr, &message), SQLITE_OK) << message;
    sqlite3_free(message);
    sqlite3_close(handle);
}

Change numbered(std::uint64_t number) {
    Change change;
    change.users = {{UserName("kim"), Role::user, std::to_string(number), false, {}}};
    change.settings = {{"number", std::to_string(number)}};
    for (int i = 0; i < 40; ++i)
        change.events.push_back({0, {}, "tick", std::to_string(number), std::string(200, 'x'), ""});
    return change;
}

TEST(SqliteStore, KeepsEverythingWhenOpenedAgain) {
    const TemporaryDirectory directory;
    const auto path = directory.file("state.db");
    {
        auto store = open_sqlite(path).value();
        auto change = numbered(3);
        ASSERT_TRUE(store->commit(change));
    }
    auto store = open_sqlite(path).value();
    EXPECT_EQ(store->setting("number").value(), "3");
    EXPECT_EQ(store->events(0, 100).value().size(), 40U);
}

TEST(SqliteStore, IsReadableByItsOwnerAlone) {
    const TemporaryDirectory directory;
    const auto path = directory.file("state.db");
    const auto store = open_sqlite(path).value();
    struct stat status{};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600U);
}

TEST(SqliteStore, RefusesAForeignFile) {
    const TemporaryDirectory directory;
    const auto text = directory.file("text");
    std::ofstream(text) << std::string(5000, 'n');
    EXPECT_EQ(open_sqlite(text).error().code, Errc::corrupt);

    const auto foreign = directory.file("foreign.db");
    run_sql(foreign, "CREATE TABLE songs (title TEXT)");
    const auto result = open_sqlite(foreign);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::corrupt);
    EXPECT_NE(result.error().message().find("not Baton's"), std::string::npos);
}

TEST(SqliteStore, NamesADamagedFileAndWhatToDo) {
    const TemporaryDirectory directory;
    const auto path = directory.file("state.db");
    {
        auto store = open_sqlite(path).value();
        for (std::uint64_t i = 0; i < 20; ++i) {
            auto change = numbered(i);
            ASSERT_TRUE(store->commit(change));
        }
    }
    // Everything after the first page, which says that it is a database of ours.
    const auto size = std::filesystem::file_size(path);
    ASSERT_GT(size, 100'000U);
    {
        std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(20'000);
        file << std::string(60'000, '\x5a');
    }
    const auto result = open_sqlite(path);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::corrupt);
    EXPECT_NE(result.error().message().find(path), std::string::npos);
    EXPECT_NE(result.error().hint.find("backup"), std::string::npos);
}

TEST(SqliteStore, RefusesANewerSchema) {
    const TemporaryDirectory directory;
    const auto path = directory.file("state.db");
    static_cast<void>(open_sqlite(path).value());
    run_sql(path, "PRAGMA user_version = 999");
    const auto result = open_sqlite(path);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::conflict);
    EXPECT_NE(result.error().message().find("newer"), std::string::npos);
}

TEST(SqliteStore, NamesAWordThatItDoesNotKnow) {
    const TemporaryDirectory directory;
    const auto path = directory.file("state.db");
    {
        auto store = open_sqlite(path).value();
        auto change = numbered(1);
        ASSERT_TRUE(store->commit(change));
    }
    run_sql(path, "UPDATE users SET role = 'wizard'");
    auto store = open_sqlite(path).value();
    const auto users = store->users();
    ASSERT_FALSE(users);
    EXPECT_EQ(users.error().code, Errc::corrupt);
    EXPECT_NE(users.error().what.find("role"), std::string::npos);
}

TEST(SqliteStore, SaysWhichDirectoryIsMissing) {
    const TemporaryDirectory directory;
    const auto result = open_sqlite(directory.file("no/such/state.db"));
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::not_found);
    EXPECT_NE(result.error().message().find("no/such/state.db"), std::string::npos);
}

/// Runs `body` in a child process; its exit status is the number it returns.
template <class Body>
pid_t in_child(Body body) {
    const pid_t child = ::fork();
    if (child == 0)
        ::_exit(body());
    return child;
}

int exit_status(pid_t child) {
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

TEST(SqliteStore, OnlyOneProcessHasIt) {
    const TemporaryDirectory directory;
    const auto path = directory.file("state.db");
    const auto store = open_sqlite(path).value();
    const pid_t child = in_child([&] {
        const auto second = open_sqlite(path);
        return !second && second.error().code == Errc::busy && !second.error().hint.empty() ? 0 : 1;
    });
    EXPECT_EQ(exit_status(child), 0);
}

// The disk is really full: a tmpfs of 600 KiB, mounted where only this child sees it.
TEST(SqliteStore, AFullDiskIsSaidAndChangesNothing) {
    const TemporaryDirectory directory;
    const pid_t child = in_child([&] {
        if (::unshare(CLONE_NEWNS) != 0 ||
            ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
            ::mount("tmpfs", directory.path().c_str(), "tmpfs", 0, "size=600k") != 0)
            return 2;
        auto opened = open_sqlite(directory.file("state.db"));
        if (!opened)
            return 3;
        auto& store = **opened;
        std::uint64_t number = 0;
        for (;; ++number) {
            auto change = numbered(number);
            const auto result = store.commit(change);
            if (result && number < 1000)
                continue;
            if (result || result.error().code != Errc::full || result.error().hint.empty())
                return 4;
            break;
        }
        if (number == 0)
            return 5;
        const auto events = store.events(0, 100'000);
        if (!events || events->size() != number * 40)
            return 6;
        if (store.setting("number").value() != std::to_string(number - 1))
            return 7;
        return 0;
    });
    EXPECT_EQ(exit_status(child), 0);
}

std::int64_t number_in(const std::string& path, const char* sql) {
    sqlite3* handle = nullptr;
    sqlite3_stmt* statement = nullptr;
    EXPECT_EQ(sqlite3_open(path.c_str(), &handle), SQLITE_OK);
    EXPECT_EQ(sqlite3_prepare_v2(handle, sql, -1, &statement, nullptr), SQLITE_OK);
    EXPECT_EQ(sqlite3_step(statement), SQLITE_ROW);
    const auto count = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(handle);
    return count;
}

// The file does not shrink, and it does not grow either while as much goes as comes.
TEST(SqliteStore, UsesThePagesOfPrunedRowsAgain) {
    const TemporaryDirectory directory;
    const auto path = directory.file("state.db");
    const auto fill = [&] {
        auto store = open_sqlite(path).value();
        for (std::uint64_t number = 0; number < 50; ++number) {
            auto change = numbered(number);
            EXPECT_TRUE(store->commit(change));
        }
        for (bool more = true; more;) {
            const auto pruned = store->prune({{}, 10, {}, 500});
            ASSERT_TRUE(pruned) << pruned.error().message();
            more = pruned->more;
        }
        EXPECT_EQ(store->events(0, 10'000).value().size(), 10U);
    };
    fill();
    const auto after_one = number_in(path, "PRAGMA page_count");
    EXPECT_GT(number_in(path, "PRAGMA freelist_count"), after_one / 2);
    for (int i = 0; i < 3; ++i)
        fill();
    EXPECT_LE(number_in(path, "PRAGMA page_count"), after_one + 4);
}

TEST(SqliteStore, BringsTheFirstSchemaUpToDate) {
    const TemporaryDirectory directory;
    const auto path = directory.file("state.db");
    {
        auto store = open_sqlite(path).value();
        auto change = numbered(1);
        ASSERT_TRUE(store->commit(change));
    }
    run_sql(
        path,
        "DROP INDEX moves_of_a_session; DROP INDEX ended_moves_by_start;"
        "DROP INDEX closed_sessions_by_start; ALTER TABLE sessions DROP COLUMN route;"
        "ALTER TABLE desktops DROP COLUMN screen_ticket; DROP TABLE gateways; DROP TABLE clients;"
        "ALTER TABLE desks DROP COLUMN away_to; ALTER TABLE desks DROP COLUMN away_by;"
        "ALTER TABLE desks DROP COLUMN away_since;"
        "PRAGMA user_version = 1");
    EXPECT_EQ(open_sqlite(path).value()->setting("number").value(), "1");
    EXPECT_EQ(number_in(path, "PRAGMA user_version"), 6);
    EXPECT_EQ(number_in(path,
                        "SELECT count(*) FROM sqlite_schema WHERE name IN ('moves_of_a_session', "
                        "'ended_moves_by_start', 'closed_sessions_by_start')"),
              3);
}

// kill -9 at any moment: what was confirmed is there, and no change is there by half.
TEST(SqliteStore, SurvivesBeingKilledInTheMidstOfACommit) {
    const TemporaryDirectory directory;
    const auto path = directory.file("state.db");
    std::uint64_t confirmed = 0;
    for (int round = 0; round < 12; ++round) {
        int pipe_ends[2];
        ASSERT_EQ(::pipe2(pipe_ends, O_CLOEXEC), 0);
        const pid_t child = in_child([&] {
            auto opened = open_sqlite(path);
            if (!opened)
                return 1;
            for (auto number = confirmed + 1;; ++number) {
                auto change = numbered(number);
                if (!(*opened)->commit(change))
                    return 2;
                if (::write(pipe_ends[1], &number, sizeof number) != sizeof number)
                    return 3;
            }
        });
        ::close(pipe_ends[1]);
        // Wait for some confirmations, then kill at a moment that differs from round to round.
        for (int i = 0; i <= round % 4; ++i)
            ASSERT_EQ(::read(pipe_ends[0], &confirmed, sizeof confirmed),
                      static_cast<ssize_t>(sizeof confirmed));
        ::usleep(static_cast<useconds_t>(round * 137));
        ASSERT_EQ(::kill(child, SIGKILL), 0);
        std::uint64_t number = 0;
        while (::read(pipe_ends[0], &number, sizeof number) == sizeof number)
            confirmed = number;
        ::close(pipe_ends[0]);
        EXPECT_EQ(exit_status(child), 1000 + SIGKILL);

        auto store = open_sqlite(path);
        ASSERT_TRUE(store) << store.error().message();
        const auto written = std::stoull((*store)->setting("number").value().value());
        EXPECT_GE(written, confirmed);
        EXPECT_LE(written, confirmed + 1);
        EXPECT_EQ((*store)->user(UserName("kim")).value()->password_hash, std::to_string(written));
        EXPECT_EQ((*store)->events(0, 1'000'000).value().size(), written * 40);
        confirmed = written;
    }
}

} // namespace
} // namespace baton::store
