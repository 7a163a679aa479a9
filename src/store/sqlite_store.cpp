#include "store/names.h"
#include "store/rows.h"
#include "store/schema.h"
#include "store/sqlite.h"
#include "store/sqlite_prune.h"
#include "store/store.h"

#include <fmt/format.h>

#include <map>
#include <mutex>
#include <string>
#include <utility>

namespace baton::store {
namespace {

using sqlite::Database;
using sqlite::Statement;
using sqlite::Transaction;

// ---- one field to and from a column ---------------------------------------------------

template <class Tag>
Result<void> put(Statement& statement, int index, const Id<Tag>& value) {
    return statement.bind(index, std::string_view(value.value));
}

Result<void> put(Statement& statement, int index, const std::string& value) {
    return statement.bind(index, std::string_view(value));
}

Result<void> put(Statement& statement, int index, Mebibytes value) {
    return statement.bind(index, value.count);
}

Result<void> put(Statement& statement, int index, FencingNumber value) {
    return statement.bind(index, static_cast<std::int64_t>(value.value));
}

Result<void> put(Statement& statement, int index, WallTime value) {
    return statement.bind(index, static_cast<std::int64_t>(value.time_since_epoch().count()));
}

template <std::integral Integer>
Result<void> put(Statement& statement, int index, Integer value) {
    return statement.bind(index, static_cast<std::int64_t>(value));
}

template <class Enum>
    requires std::is_enum_v<Enum>
Result<void> put(Statement& statement, int index, Enum value) {
    return statement.bind(index, to_string(value));
}

template <class Tag>
bool get(const Statement& statement, int column, Id<Tag>& value) {
    value.value = statement.text(column);
    return true;
}

bool get(const Statement& statement, int column, std::string& value) {
    value = statement.text(column);
    return true;
}

bool get(const Statement& statement, int column, Mebibytes& value) {
    value = Mebibytes(statement.integer(column));
    return true;
}

bool get(const Statement& statement, int column, FencingNumber& value) {
    value.value = static_cast<std::uint64_t>(statement.integer(column));
    return true;
}

bool get(const Statement& statement, int column, WallTime& value) {
    value = WallTime(std::chrono::milliseconds(statement.integer(column)));
    return true;
}

template <std::integral Integer>
bool get(const Statement& statement, int column, Integer& value) {
    value = static_cast<Integer>(statement.integer(column));
    return true;
}

template <class Enum>
    requires std::is_enum_v<Enum>
bool get(const Statement& statement, int column, Enum& value) {
    const auto found = from_name<Enum>(statement.text(column));
    value = found.value_or(value);
    return found.has_value();
}

// ---- SQL from the list of columns -----------------------------------------------------

template <class Row>
std::string columns_of() {
    std::string names;
    Row row;
    each_column(row, [&](const char* name, auto&) {
        names += names.empty() ? "" : ", ";
        names += name;
    });
    return names;
}

/// Insert or replace by `key`. `guard` may forbid the replacing.
template <class Row>
std::string upsert_sql(const char* table, std::string_view key, const char* guard = "") {
    std::string marks;
    std::string assignments;
    Row row;
    each_column(row, [&](const char* name, auto&) {
        marks += marks.empty() ? "?" : ", ?";
        if (name != key)
            assignments +=
                fmt::format("{}{} = excluded.{}", assignments.empty() ? "" : ", ", name, name);
    });
    return fmt::format("INSERT INTO {} ({}) VALUES ({}) ON CONFLICT ({}) DO UPDATE SET {}{}", table,
                       columns_of<Row>(), marks, key, assignments, guard);
}

template <class Row>
std::string select_sql(const char* table, const char* rest = "") {
    return fmt::format("SELECT {} FROM {} {}", columns_of<Row>(), table, rest);
}

class SqliteStore final : public Store {
  public:
    explicit SqliteStore(Database database) : database_(std::move(database)) {}

    Result<void> commit(Change& change) override;

    Result<Pruned> prune(const Bounds& bounds) override {
        const std::lock_guard lock(mutex_);
        return store::prune(database_, bounds);
    }

    Result<std::vector<UserRow>> users() override {
        return read<UserRow>(select_sql<UserRow>("users", "ORDER BY name"));
    }

    Result<std::optional<UserRow>> user(const UserName& name) override {
        return first(read<UserRow>(select_sql<UserRow>("users", "WHERE name = ?"), name));
    }

    Result<std::vector<HostRow>> hosts() override {
        return read<HostRow>(select_sql<HostRow>("hosts", "ORDER BY id"));
    }

    Result<std::vector<GatewayRow>> gateways() override {
        return read<GatewayRow>(select_sql<GatewayRow>("gateways", "ORDER BY id"));
    }

    Result<std::vector<ClientRow>> clients() override {
        return read<ClientRow>(select_sql<ClientRow>("clients", "ORDER BY mac"));
    }

    Result<std::vector<DeskRow>> desks() override {
        return read<DeskRow>(select_sql<DeskRow>("desks", "ORDER BY name"));
    }

    Result<std::optional<DeskRow>> desk(const DeskName& name) override {
        return first(read<DeskRow>(select_sql<DeskRow>("desks", "WHERE name = ?"), name));
    }

    Result<std::vector<SessionRow>> sessions(bool closed_too) override {
        return read<SessionRow>(select_sql<SessionRow>(
            "sessions",
            closed_too ? "ORDER BY joined, id" : "WHERE phase <> 'closed' ORDER BY joined, id"));
    }

    Result<std::vector<DesktopRow>> desktops() override {
        return read<DesktopRow>(select_sql<DesktopRow>("desktops", "ORDER BY id"));
    }

    Result<std::vector<MoveRow>> moves(bool ended_too) override {
        return read<MoveRow>(select_sql<MoveRow>(
            "moves",
            ended_too ? "ORDER BY id" : "WHERE phase NOT IN ('done', 'failed') ORDER BY id"));
    }

    Result<std::vector<EventRow>> events(std::uint64_t after, std::size_t limit) override {
        return read<EventRow>(select_sql<EventRow>("events", "WHERE seq > ? ORDER BY seq LIMIT ?"),
                              after, limit);
    }

    Result<std::vector<TokenRow>> tokens() override {
        return read<TokenRow>(select_sql<TokenRow>("tokens", "ORDER BY token_sha256"));
    }

    Result<std::optional<std::string>> setting(const std::string& key) override;

  private:
    Result<Statement*> prepared(const std::string& sql);

    template <class Row, class... Arguments>
    Result<std::vector<Row>> read(const std::string& sql, const Arguments&... arguments);

    template <class Row>
    static Result<std::optional<Row>> first(Result<std::vector<Row>> rows) {
        if (!rows)
            return tl::unexpected(std::move(rows).error());
        return rows->empty() ? std::nullopt : std::optional(std::move(rows->front()));
    }

    template <class Row>
    Result<void> write(const std::string& sql, const std::vector<Row>& rows);
    Result<void> write_desks(const std::vector<DeskRow>& desks);
    /// Rows whose 0 key SQLite fills in; the numbers come back in `given`.
    template <class Row, class Key>
    Result<void> append(const char* table, const char* key_name, Key Row::* key,
                        const std::vector<Row>& rows, std::vector<std::uint64_t>& given);
    template <class Key>
    Result<void> remove(const char* table, const char* key_name, const std::vector<Key>& keys);
    Result<void> write_settings(const Change& change);

    std::mutex mutex_;
    Database database_;
    // After the database, so that they are finalized before it closes.
    std::map<std::string, Statement> statements_;
};

Result<Statement*> SqliteStore::prepared(const std::string& sql) {
    auto found = statements_.find(sql);
    if (found == statements_.end()) {
        auto made = database_.prepare(sql);
        if (!made)
            return tl::unexpected(std::move(made).error());
        found = statements_.emplace(sql, *std::move(made)).first;
    }
    found->second.reset();
    return &found->second;
}

template <class Row, class... Arguments>
Result<std::vector<Row>> SqliteStore::read(const std::string& sql, const Arguments&... arguments) {
    const std::lock_guard lock(mutex_);
    const auto statement = prepared(sql);
    if (!statement)
        return tl::unexpected(statement.error());
    int index = 0;
    Result<void> bound;
    ((bound = bound ? put(**statement, ++index, arguments) : bound), ...);
    if (!bound)
        return tl::unexpected(bound.error());
    std::vector<Row> rows;
    for (;;) {
        const auto more = (*statement)->step();
        if (!more || !*more) {
            (*statement)->reset();
            if (!more)
                return tl::unexpected(more.error());
            return rows;
        }
        int column = 0;
        const char* unreadable = nullptr;
        each_column(rows.emplace_back(), [&](const char* name, auto& field) {
            if (!get(**statement, column++, field))
                unreadable = name;
        });
        if (unreadable != nullptr) {
            (*statement)->reset();
            return fail(Errc::corrupt,
                        fmt::format("the state database has an unknown word in the column '{}'",
                                    unreadable),
                        "it was changed by hand or by another version: restore a backup");
        }
    }
}

template <class Row>
Result<void> SqliteStore::write(const std::string& sql, const std::vector<Row>& rows) {
    for (const auto& row : rows) {
        const auto statement = prepared(sql);
        if (!statement)
            return tl::unexpected(statement.error());
        int index = 0;
        Result<void> bound;
        each_column(row, [&](const char*, const auto& field) {
            if (bound)
                bound = put(**statement, ++index, field);
        });
        BATON_TRY(bound);
        const auto stepped = (*statement)->step();
        (*statement)->reset();
        BATON_TRY(stepped);
    }
    return {};
}

Result<void> SqliteStore::write_desks(const std::vector<DeskRow>& desks) {
    static const std::string sql =
        upsert_sql<DeskRow>("desks", "name", " WHERE excluded.fence >= desks.fence");
    for (const auto& desk : desks) {
        BATON_TRY(write(sql, std::vector{desk}));
        if (database_.changes() != 1)
            return fail(Errc::conflict,
                        fmt::format("the desk '{}' has been given a larger fencing number than {} "
                                    "meanwhile",
                                    desk.name.value, desk.fence.value),
                        "read it again and repeat the change");
    }
    return {};
}

template <class Row, class Key>
Result<void> SqliteStore::append(const char* table, const char* key_name, Key Row::* key,
                                 const std::vector<Row>& rows, std::vector<std::uint64_t>& given) {
    const auto replacing = upsert_sql<Row>(table, key_name);
    // NULL for the key makes SQLite give the next number.
    auto adding = fmt::format("INSERT INTO {} ({}) VALUES (NULLIF(?, 0)", table, columns_of<Row>());
    int columns = 0;
    Row empty;
    each_column(empty, [&](const char*, auto&) { ++columns; });
    for (int column = 1; column < columns; ++column)
        adding += ", ?";
    adding += ")";
    for (const auto& row : rows) {
        BATON_TRY(write(row.*key == 0 ? adding : replacing, std::vector{row}));
        given.push_back(row.*key == 0 ? static_cast<std::uint64_t>(database_.last_row_id())
                                      : row.*key);
    }
    return {};
}

template <class Key>
Result<void> SqliteStore::remove(const char* table, const char* key_name,
                                 const std::vector<Key>& keys) {
    const auto sql = fmt::format("DELETE FROM {} WHERE {} = ?", table, key_name);
    for (const auto& key : keys) {
        const auto statement = prepared(sql);
        if (!statement)
            return tl::unexpected(statement.error());
        BATON_TRY(put(**statement, 1, key));
        const auto stepped = (*statement)->step();
        (*statement)->reset();
        BATON_TRY(stepped);
    }
    return {};
}

Result<void> SqliteStore::write_settings(const Change& change) {
    for (const auto& [key, value] : change.settings) {
        const auto statement = prepared("INSERT INTO settings (key, value) VALUES (?, ?) ON "
                                        "CONFLICT (key) DO UPDATE SET value = excluded.value");
        if (!statement)
            return tl::unexpected(statement.error());
        BATON_TRY(put(**statement, 1, key));
        BATON_TRY(put(**statement, 2, value));
        const auto stepped = (*statement)->step();
        (*statement)->reset();
        BATON_TRY(stepped);
    }
    return {};
}

Result<void> SqliteStore::commit(Change& change) {
    static const std::string user_sql = upsert_sql<UserRow>("users", "name");
    static const std::string host_sql = upsert_sql<HostRow>("hosts", "id");
    static const std::string gateway_sql = upsert_sql<GatewayRow>("gateways", "id");
    static const std::string client_sql = upsert_sql<ClientRow>("clients", "mac");
    static const std::string session_sql = upsert_sql<SessionRow>("sessions", "id");
    static const std::string desktop_sql = upsert_sql<DesktopRow>("desktops", "id");
    static const std::string token_sql = upsert_sql<TokenRow>("tokens", "token_sha256");

    const std::lock_guard lock(mutex_);
    std::vector<std::uint64_t> move_ids;
    std::vector<std::uint64_t> event_ids;
    auto transaction = Transaction::begin(database_);
    if (!transaction)
        return tl::unexpected(transaction.error());
    BATON_TRY(write(user_sql, change.users));
    BATON_TRY(write(host_sql, change.hosts));
    BATON_TRY(write(gateway_sql, change.gateways));
    BATON_TRY(write(client_sql, change.clients));
    BATON_TRY(write_desks(change.desks));
    BATON_TRY(write(session_sql, change.sessions));
    BATON_TRY(write(desktop_sql, change.desktops));
    BATON_TRY(append("moves", "id", &MoveRow::id, change.moves, move_ids));
    BATON_TRY(append("events", "seq", &EventRow::seq, change.events, event_ids));
    BATON_TRY(write(token_sql, change.tokens));
    BATON_TRY(write_settings(change));
    BATON_TRY(remove("hosts", "id", change.removed_hosts));
    BATON_TRY(remove("gateways", "id", change.removed_gateways));
    BATON_TRY(remove("clients", "mac", change.removed_clients));
    BATON_TRY(remove("desks", "name", change.removed_desks));
    BATON_TRY(remove("desktops", "id", change.removed_desktops));
    BATON_TRY(remove("moves", "id", change.removed_moves));
    BATON_TRY(remove("tokens", "token_sha256", change.removed_tokens));
    BATON_TRY(transaction->commit());

    for (std::size_t i = 0; i < move_ids.size(); ++i)
        change.moves[i].id = move_ids[i];
    for (std::size_t i = 0; i < event_ids.size(); ++i)
        change.events[i].seq = event_ids[i];
    return {};
}

Result<std::optional<std::string>> SqliteStore::setting(const std::string& key) {
    const std::lock_guard lock(mutex_);
    const auto statement = prepared("SELECT value FROM settings WHERE key = ?");
    if (!statement)
        return tl::unexpected(statement.error());
    BATON_TRY(put(**statement, 1, key));
    const auto row = (*statement)->step();
    if (!row)
        return tl::unexpected(row.error());
    auto value = *row ? std::optional((*statement)->text(0)) : std::nullopt;
    (*statement)->reset();
    return value;
}

} // namespace

Result<std::unique_ptr<Store>> open_sqlite(const std::string& path) {
    auto database = Database::open(path);
    if (!database)
        return tl::unexpected(std::move(database).error());
    // Exclusive: two controllers on one state would both be the only one.
    for (const auto* pragma : {"PRAGMA locking_mode = EXCLUSIVE", "PRAGMA trusted_schema = OFF",
                               "PRAGMA cell_size_check = ON", "PRAGMA foreign_keys = ON"})
        if (auto set = database->execute(pragma); !set)
            return tl::unexpected(set.error().in(path));
    const auto mode = database->ask("PRAGMA journal_mode = WAL");
    if (!mode)
        return tl::unexpected(mode.error().in(path));
    if (*mode != "wal")
        return fail(Errc::unsupported,
                    fmt::format("the file system of {} cannot hold a write-ahead log", path),
                    "put the state database on a local file system");
    BATON_TRY(database->execute("PRAGMA synchronous = FULL"));
    BATON_TRY(migrate(*database, path));
    return std::make_unique<SqliteStore>(*std::move(database));
}

} // namespace baton::store
