#include "store/schema.h"

#include <fmt/format.h>

#include <array>
#include <string_view>

namespace baton::store {
namespace {

/// PRAGMA application_id: "Batn".
constexpr std::int64_t application_id = 0x4261746e;

// docs/formats/state-database.md describes every table. A migration that has been released is
// never edited: add the next one.
constexpr std::array<std::string_view, 6> migrations{R"sql(
CREATE TABLE users (
    name TEXT PRIMARY KEY,
    role TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    disabled INTEGER NOT NULL,
    created INTEGER NOT NULL
) STRICT;

CREATE TABLE hosts (
    id TEXT PRIMARY KEY,
    address TEXT NOT NULL,
    memory_mib INTEGER NOT NULL,
    reserve_mib INTEGER NOT NULL,
    draining INTEGER NOT NULL,
    joined INTEGER NOT NULL,
    certificate_sha256 TEXT NOT NULL,
    facts_json TEXT NOT NULL,
    last_seen INTEGER NOT NULL
) STRICT;

CREATE TABLE desks (
    name TEXT PRIMARY KEY,
    id TEXT NOT NULL,
    owner TEXT NOT NULL REFERENCES users(name) DEFERRABLE INITIALLY DEFERRED,
    size_bytes INTEGER NOT NULL,
    state TEXT NOT NULL,
    fence INTEGER NOT NULL,
    holder TEXT NOT NULL,
    created INTEGER NOT NULL
) STRICT;

CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    user TEXT NOT NULL REFERENCES users(name) DEFERRABLE INITIALLY DEFERRED,
    desk TEXT NOT NULL,
    image TEXT NOT NULL,
    phase TEXT NOT NULL,
    client TEXT NOT NULL,
    listen_port INTEGER NOT NULL,
    desktop TEXT NOT NULL,
    joined INTEGER NOT NULL,
    screen_password TEXT NOT NULL,
    screen_password_until INTEGER NOT NULL,
    grow_wanted INTEGER NOT NULL,
    deferred INTEGER NOT NULL,
    ended_because TEXT NOT NULL,
    created INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX one_session_of_a_person ON sessions(user) WHERE phase <> 'closed';
CREATE UNIQUE INDEX one_session_of_a_route ON sessions(client, listen_port)
    WHERE phase <> 'closed' AND listen_port <> 0;
CREATE INDEX sessions_by_joining ON sessions(joined) WHERE phase <> 'closed';

CREATE TABLE desktops (
    id TEXT PRIMARY KEY,
    session TEXT NOT NULL,
    host TEXT NOT NULL REFERENCES hosts(id) DEFERRABLE INITIALLY DEFERRED,
    memory_mib INTEGER NOT NULL,
    image TEXT NOT NULL,
    phase TEXT NOT NULL,
    screen_address TEXT NOT NULL,
    screen_port INTEGER NOT NULL
) STRICT;

CREATE TABLE moves (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    session TEXT NOT NULL REFERENCES sessions(id) DEFERRABLE INITIALLY DEFERRED,
    kind TEXT NOT NULL,
    phase TEXT NOT NULL,
    from_desktop TEXT NOT NULL,
    to_desktop TEXT NOT NULL,
    fence INTEGER NOT NULL,
    reason TEXT NOT NULL,
    error TEXT NOT NULL,
    started INTEGER NOT NULL
) STRICT;
CREATE INDEX moves_under_way ON moves(id) WHERE phase NOT IN ('done', 'failed');

CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    text TEXT NOT NULL,
    data_json TEXT NOT NULL
) STRICT;

CREATE TABLE tokens (
    token_sha256 TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    expires INTEGER NOT NULL
) STRICT;

CREATE TABLE settings (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
)sql",
                                                     // What prunes old history finds it at once.
                                                     R"sql(
CREATE INDEX moves_of_a_session ON moves(session);
CREATE INDEX ended_moves_by_start ON moves(started) WHERE phase IN ('done', 'failed');
CREATE INDEX closed_sessions_by_start ON sessions(created) WHERE phase = 'closed';
)sql",
                                                     // Routes through gateways.
                                                     R"sql(
ALTER TABLE sessions ADD COLUMN route TEXT NOT NULL DEFAULT 'nat';
ALTER TABLE desktops ADD COLUMN screen_ticket TEXT NOT NULL DEFAULT '';

CREATE TABLE gateways (
    id TEXT PRIMARY KEY,
    address TEXT NOT NULL,
    draining INTEGER NOT NULL,
    certificate_sha256 TEXT NOT NULL,
    joined INTEGER NOT NULL
) STRICT;
)sql",
                                                     // PCs without a disk.
                                                     R"sql(
CREATE TABLE clients (
    mac TEXT PRIMARY KEY,
    uuid TEXT NOT NULL,
    address TEXT NOT NULL,
    memory_mib INTEGER NOT NULL,
    image TEXT NOT NULL,
    firmware TEXT NOT NULL,
    timings_json TEXT NOT NULL,
    boots INTEGER NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    user TEXT NOT NULL,
    os_image TEXT NOT NULL
) STRICT;
)sql",
                                                     // Desktops that are started for such a PC.
                                                     R"sql(
ALTER TABLE clients ADD COLUMN guest INTEGER NOT NULL DEFAULT 0;
ALTER TABLE clients ADD COLUMN prestarted TEXT NOT NULL DEFAULT '';
)sql",
                                                     // Desks that were taken away.
                                                     R"sql(
ALTER TABLE desks ADD COLUMN away_to TEXT NOT NULL DEFAULT '';
ALTER TABLE desks ADD COLUMN away_by TEXT NOT NULL DEFAULT '';
ALTER TABLE desks ADD COLUMN away_since INTEGER NOT NULL DEFAULT 0;
)sql"};

Result<std::int64_t> number(sqlite::Database& database, const std::string& sql) {
    auto statement = database.prepare(sql);
    if (!statement)
        return tl::unexpected(statement.error());
    const auto row = statement->step();
    if (!row)
        return tl::unexpected(row.error());
    return *row ? statement->integer(0) : 0;
}

Result<void> check_ours(sqlite::Database& database, const std::string& path) {
    const auto owner = number(database, "PRAGMA application_id");
    if (!owner)
        return tl::unexpected(owner.error().in(path));
    const auto tables = number(database, "SELECT count(*) FROM sqlite_schema");
    if (!tables)
        return tl::unexpected(tables.error().in(path));
    if (*tables > 0 && *owner != application_id)
        return fail(Errc::corrupt,
                    fmt::format("{} is an SQLite database, but not Baton's state database", path),
                    "give batond another file name, or put this file aside");
    return {};
}

Result<void> check_whole(sqlite::Database& database, const std::string& path) {
    const auto answer = database.ask("PRAGMA integrity_check(1)");
    if (!answer)
        return tl::unexpected(answer.error().in(path));
    if (*answer != "ok")
        return fail(Errc::corrupt,
                    fmt::format("the state database {} is damaged: {}", path, *answer),
                    "stop batond, put the damaged file aside, restore it from a backup (baton "
                    "restore) or rescue it with: sqlite3 FILE .recover");
    return {};
}

} // namespace

const std::int64_t schema_version = static_cast<std::int64_t>(migrations.size());

Result<void> migrate(sqlite::Database& database, const std::string& path) {
    BATON_TRY(check_ours(database, path));
    const auto found = number(database, "PRAGMA user_version");
    if (!found)
        return tl::unexpected(found.error().in(path));
    if (*found > schema_version)
        return fail(Errc::conflict,
                    fmt::format("the state database {} was written by a newer Baton (schema {}, "
                                "this one knows {})",
                                path, *found, schema_version),
                    "install that version again, or restore a backup made before the upgrade");
    BATON_TRY(check_whole(database, path));
    for (auto version = *found; version < schema_version; ++version) {
        auto transaction = sqlite::Transaction::begin(database);
        if (!transaction)
            return tl::unexpected(transaction.error().in(path));
        BATON_TRY(database.execute(std::string(migrations[static_cast<std::size_t>(version)])));
        BATON_TRY(database.execute(fmt::format("PRAGMA application_id = {}", application_id)));
        BATON_TRY(database.execute(fmt::format("PRAGMA user_version = {}", version + 1)));
        BATON_TRY(transaction->commit());
    }
    return {};
}

} // namespace baton::store
