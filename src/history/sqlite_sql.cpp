#include "history/sql_samples.h"
#include "store/sqlite.h"

#include <fmt/format.h>

#include <optional>
#include <sys/stat.h>
#include <unordered_map>

namespace baton::history {
namespace {

using store::sqlite::Database;
using store::sqlite::Statement;

const store::sqlite::Words words{
    .what = "the samples database",
    .full = "free some space on its file system; history goes on by itself then",
    .damaged = "put the damaged file aside: a new one is begun; what can be rescued: sqlite3 FILE "
               ".recover",
    .in_use = "another process writes to it: only one program may keep samples in a database",
    .denied = "its directory must exist and be writable by the user that keeps the samples"};

class StepAnswer final : public Answer {
  public:
    explicit StepAnswer(const Statement& statement) : statement_(statement) {}

    [[nodiscard]] std::int64_t integer(int column) const override {
        return statement_.integer(column);
    }

    [[nodiscard]] std::string_view text(int column) const override {
        return statement_.bytes(column);
    }

  private:
    const Statement& statement_;
};

Result<void> bind(Statement& statement, int index, const Value& value) {
    if (const auto* number = std::get_if<std::int64_t>(&value))
        return statement.bind(index, *number);
    if (const auto* text = std::get_if<std::string_view>(&value))
        return statement.bind(index, *text);
    if (const auto* bytes = std::get_if<Bytes>(&value))
        return statement.bind_bytes(index, bytes->view);
    return statement.bind_nothing(index);
}

/// Which file a path names now; nothing: none.
std::optional<std::pair<dev_t, ino_t>> file_at(const std::string& path) {
    struct stat found{};
    if (::stat(path.c_str(), &found) != 0)
        return std::nullopt;
    return std::pair{found.st_dev, found.st_ino};
}

class SqliteSql final : public Sql {
  public:
    SqliteSql(Database database, std::string path)
        : database_(std::move(database)), path_(std::move(path)), file_(file_at(path_)) {}

    [[nodiscard]] Dialect dialect() const override { return Dialect::sqlite; }

    Result<void> script(const std::string& sql) override { return database_.execute(sql); }

    Result<void> run(const std::string& sql, const std::vector<Value>& parameters,
                     const OnRow& on_row) override {
        auto found = statements_.find(sql);
        if (found == statements_.end()) {
            auto prepared = database_.prepare(sql);
            if (!prepared)
                return tl::unexpected(prepared.error());
            found = statements_.emplace(sql, std::move(*prepared)).first;
        }
        Statement& statement = found->second;
        const auto done = [&]() -> Result<void> {
            int index = 0;
            for (const Value& parameter : parameters)
                BATON_TRY(bind(statement, ++index, parameter));
            while (true) {
                const auto row = statement.step();
                if (!row)
                    return tl::unexpected(row.error());
                if (!*row)
                    return {};
                if (on_row)
                    on_row(StepAnswer(statement));
            }
        }();
        statement.reset();
        return done;
    }

    Result<void> begin() override { return database_.execute("BEGIN IMMEDIATE"); }

    Result<void> commit() override { return database_.execute("COMMIT"); }

    void roll_back() override {
        // after some errors (a full disk) SQLite has rolled back by itself
        if (database_.in_transaction())
            static_cast<void>(database_.execute("ROLLBACK"));
    }

    bool reconnected() override { return false; }

    Result<void> tidy() override {
        // freed pages are used again; only when a quarter of the file is free does it shrink
        const auto pages = ask("PRAGMA page_count");
        const auto unused = ask("PRAGMA freelist_count");
        if (!pages || !unused)
            return tl::unexpected(pages ? unused.error() : pages.error());
        if (*unused > 1000 && *unused > *pages / 4)
            return database_.execute("PRAGMA incremental_vacuum(1000)");
        return {};
    }

    Result<std::pair<std::int64_t, std::int64_t>> used_and_file_bytes() override {
        // what is written to a file that has no name any more, nobody finds again
        if (file_at(path_) != file_)
            return fail(Errc::corrupt,
                        fmt::format("the samples database {} was removed or put aside", path_),
                        "a new one is begun");
        const auto pages = ask("PRAGMA page_count");
        const auto unused = ask("PRAGMA freelist_count");
        const auto size = ask("PRAGMA page_size");
        for (const auto* one : {&pages, &unused, &size})
            if (!*one)
                return tl::unexpected(one->error());
        return std::pair{(*pages - *unused) * *size, *pages * *size};
    }

  private:
    Result<std::int64_t> ask(const std::string& sql) {
        std::int64_t answer = 0;
        BATON_TRY(run(sql, {}, [&](const Answer& row) { answer = row.integer(0); }));
        return answer;
    }

    Database database_;
    std::string path_;
    std::optional<std::pair<dev_t, ino_t>> file_;
    std::unordered_map<std::string, Statement> statements_;
};

/// "Bats": what `file` and a second look tell the samples from the state by.
constexpr std::int64_t application_id = 0x42617473;

Result<void> claim(Database& database, const std::string& path, bool read_only) {
    const auto id = database.ask("PRAGMA application_id");
    if (!id)
        return tl::unexpected(id.error());
    if (*id == std::to_string(application_id))
        return {};
    const auto tables = database.ask("SELECT count(*) FROM sqlite_schema");
    if (!tables)
        return tl::unexpected(tables.error());
    if (*id != "0" || *tables != "0" || read_only)
        return fail(Errc::corrupt, fmt::format("{} is not a samples database", path),
                    "name the file that baton-hostd or batond keeps samples in");
    BATON_TRY(database.execute("PRAGMA auto_vacuum = INCREMENTAL"));
    return database.execute(fmt::format("PRAGMA application_id = {}", application_id));
}

} // namespace

Result<std::unique_ptr<Samples>> open_sqlite(const std::string& path, const Retention& retention,
                                             bool read_only) {
    auto opened =
        Database::open(path, words, read_only ? Database::Mode::read_only : Database::Mode::make);
    if (!opened)
        return tl::unexpected(opened.error());
    BATON_TRY(claim(*opened, path, read_only));
    if (!read_only)
        // what was committed survives kill -9; power loss may take what is newer than the last
        // checkpoint, and leaves the rest whole
        BATON_TRY(opened->execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; "
                                  "PRAGMA cache_size = -16384; "
                                  "PRAGMA journal_size_limit = 16777216"));
    return open_samples(std::make_unique<SqliteSql>(std::move(*opened), path), retention,
                        read_only);
}

} // namespace baton::history
