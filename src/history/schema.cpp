#include "history/schema.h"

#include <fmt/format.h>

#include <vector>

namespace baton::history {
namespace {

// The numbers in keys are docs/formats/samples.md's. A migration that has been released is never
// edited: add the next one.
constexpr std::int64_t schema_version = 1;

/// {big}: a whole number of 64 bits; {text}: a short text that can be a key; {blob}: bytes.
constexpr const char* tables = R"sql(
CREATE TABLE subject (
    id {serial},
    kind {big} NOT NULL,
    identity {text} NOT NULL,
    name {text} NOT NULL,
    host {text} NOT NULL,
    handle {text} NOT NULL,
    state {text} NOT NULL,
    first_seen {big} NOT NULL,
    last_seen {big} NOT NULL,
    rolled {big} NOT NULL,
    UNIQUE (kind, identity)
){options};
CREATE TABLE stay (
    session {text} NOT NULL,
    subject {big} NOT NULL,
    since {big} NOT NULL,
    until {big} NOT NULL,
    PRIMARY KEY (session, subject)
){options};
CREATE TABLE person (
    session {text} NOT NULL PRIMARY KEY,
    user_name {text} NOT NULL,
    image {text} NOT NULL,
    connected {big} NOT NULL
){options};
CREATE TABLE recent (
    id {key},
    cpu {big},
    memory {big},
    disk {big},
    network {big},
    data {blob} NOT NULL
){options};
CREATE TABLE seconds (id {key}, data {blob} NOT NULL){options};
CREATE TABLE minutes (id {key}, data {blob} NOT NULL){options};
CREATE TABLE hours (id {key}, data {blob} NOT NULL){options};
CREATE TABLE slot (second {key}){options};
)sql";

std::string filled(std::string text, Dialect dialect) {
    const bool lite = dialect == Dialect::sqlite;
    const std::vector<std::pair<std::string, std::string>> words{
        {"{serial}", lite ? "INTEGER PRIMARY KEY" : "BIGINT PRIMARY KEY AUTO_INCREMENT"},
        {"{key}", lite ? "INTEGER PRIMARY KEY" : "BIGINT PRIMARY KEY"},
        {"{big}", lite ? "INTEGER" : "BIGINT"},
        {"{text}", lite ? "TEXT" : "VARCHAR(190)"},
        {"{blob}", lite ? "BLOB" : "MEDIUMBLOB"},
        {"{options}",
         lite ? " STRICT" : " ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"}};
    for (const auto& [from, to] : words)
        for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at))
            text.replace(at, from.size(), to);
    return text;
}

/// `count` bytes of `data` from `at` (an expression, 1 = the first) as a number.
std::string number_in_sql(Dialect dialect, const std::string& at, int count) {
    if (dialect == Dialect::mariadb)
        return fmt::format("CAST(CONV(HEX(SUBSTR(data,{},{})),16,10) AS SIGNED)", at, count);
    std::string sum;
    for (int i = 0; i < count; ++i)
        sum += fmt::format("{}(instr((SELECT codes FROM codec),substr(data,{}+{},1))-1)*{}",
                           i > 0 ? "+" : "", at, i, std::int64_t{1} << (8 * (count - 1 - i)));
    return "(" + sum + ")";
}

std::string width_in_sql(Dialect dialect, int metric) {
    return number_in_sql(dialect, std::to_string(11 + 7 * metric), 1);
}

} // namespace

std::string value_in_sql(Dialect dialect, int metric) {
    std::string at = fmt::format("11+7*{}", number_in_sql(dialect, "2", 1));
    for (int before = 0; before < metric; ++before)
        at += fmt::format("+60*{}", width_in_sql(dialect, before));
    std::string code = fmt::format("CASE {} WHEN 0 THEN 1", width_in_sql(dialect, metric));
    for (int width = 1; width <= 6; ++width)
        code += fmt::format(
            " WHEN {} THEN {}", width,
            number_in_sql(dialect, fmt::format("({}+{}*slot.second)", at, width), width));
    const std::string base = number_in_sql(dialect, std::to_string(12 + 7 * metric), 6);
    return fmt::format("(NULLIF({},0)+NULLIF({} END,0)-2)", base, code);
}

namespace {

/// "subject, at, cpu, memory, disk, network" of every second that is kept, of one kind.
std::string samples_in_sql(Dialect dialect, const std::string& key, int kind) {
    const auto time = [&](const std::string& at) {
        return dialect == Dialect::sqlite
                   ? fmt::format("datetime({},'unixepoch')", at)
                   : fmt::format("TIMESTAMPADD(SECOND,{},'1970-01-01 00:00:00')", at);
    };
    // the eight bytes from the third on have one bit a second, the last byte's lowest is second 0
    const std::string there = fmt::format(
        "(({} >> (slot.second % 8)) & 1) = 1",
        number_in_sql(
            dialect,
            dialect == Dialect::sqlite ? "(10 - slot.second / 8)" : "(10 - slot.second DIV 8)", 1));
    return fmt::format(
        "SELECT s.identity AS {0}, {1}/100.0 AS CPU, {2}/100.0 AS memory, {3} AS disk, "
        "{4} AS network, {5} AS time "
        "FROM subject s JOIN seconds b ON b.id >= s.id * 4294967296 "
        "AND b.id < (s.id + 1) * 4294967296 JOIN slot ON {6} WHERE s.kind = {7} "
        "UNION ALL SELECT s.identity, r.cpu/100.0, r.memory/100.0, r.disk, r.network, {8} "
        "FROM recent r JOIN subject s ON s.id = (r.id & 16777215) WHERE s.kind = {7}",
        key, value_in_sql(dialect, 0), value_in_sql(dialect, 1), value_in_sql(dialect, 2),
        value_in_sql(dialect, 3), time("((b.id & 4294967295)*60 + slot.second)"), there, kind,
        time("(r.id >> 24)"));
}

std::string views(Dialect dialect) {
    const std::string connected = dialect == Dialect::sqlite
                                      ? "datetime(max(p.connected),'unixepoch')"
                                      : "TIMESTAMPADD(SECOND,max(p.connected),"
                                        "'1970-01-01 00:00:00')";
    return fmt::format(
        "CREATE VIEW T1 AS SELECT h.identity AS HostIP, h.name AS HostName, "
        "(SELECT count(*) FROM subject v WHERE v.kind = 1 AND v.host = h.identity AND "
        "v.state <> 'gone') AS VMC FROM subject h WHERE h.kind = 0;\n"
        "CREATE VIEW T2 AS {};\n"
        "CREATE VIEW T3 AS SELECT v.identity AS UUID, v.host AS HostIP, v.name AS name, "
        "v.state AS state, (SELECT {} FROM stay y JOIN person p ON p.session = y.session "
        "WHERE y.subject = v.id AND p.connected > 0) AS LCT FROM subject v WHERE v.kind = 1;\n"
        "CREATE VIEW T4 AS {};\n",
        samples_in_sql(dialect, "HostIP", 0), connected, samples_in_sql(dialect, "UUID", 1));
}

std::string fixed_rows(Dialect dialect) {
    std::string seconds;
    for (int second = 0; second < 60; ++second)
        seconds += fmt::format("{}({})", second > 0 ? "," : "", second);
    std::string sql = fmt::format("INSERT INTO slot (second) VALUES {};\n", seconds);
    if (dialect == Dialect::sqlite) {
        std::string codes;
        for (int byte = 0; byte < 256; ++byte)
            codes += fmt::format("{:02x}", byte);
        sql += fmt::format("CREATE TABLE codec (codes BLOB NOT NULL) STRICT;\n"
                           "INSERT INTO codec VALUES (x'{}');\n",
                           codes);
    }
    return sql;
}

Result<std::int64_t> version_of(Sql& sql) {
    std::int64_t version = 0;
    BATON_TRY(sql.run("SELECT value FROM meta WHERE name = 'version'", {},
                      [&](const Answer& row) { version = row.integer(0); }));
    return version;
}

tl::unexpected<Error> newer(std::int64_t version) {
    return fail(Errc::conflict,
                fmt::format("the samples database was made by a newer Baton (schema {}, this one "
                            "knows {})",
                            version, schema_version),
                "install that Baton, or name another database");
}

} // namespace

Result<void> migrate(Sql& sql) {
    const Dialect dialect = sql.dialect();
    BATON_TRY(sql.script(filled("CREATE TABLE IF NOT EXISTS meta (name {text} NOT NULL PRIMARY "
                                "KEY, value {big} NOT NULL){options}",
                                dialect)));
    const auto version = version_of(sql);
    if (!version)
        return tl::unexpected(version.error());
    if (*version > schema_version)
        return newer(*version);
    if (*version == schema_version)
        return {};
    // MariaDB commits every CREATE by itself: what an interrupted migration left is taken away
    if (dialect == Dialect::mariadb)
        BATON_TRY(sql.script("DROP VIEW IF EXISTS T1, T2, T3, T4;\nDROP TABLE IF EXISTS subject, "
                             "stay, person, recent, seconds, minutes, hours, slot"));
    BATON_TRY(sql.begin());
    const auto made = [&]() -> Result<void> {
        BATON_TRY(sql.script(filled(tables, dialect)));
        BATON_TRY(sql.script(fixed_rows(dialect)));
        BATON_TRY(sql.script(views(dialect)));
        BATON_TRY(sql.run("REPLACE INTO meta (name, value) VALUES ('version', ?)",
                          {Value{schema_version}}));
        return sql.commit();
    }();
    if (!made)
        sql.roll_back();
    return made;
}

Result<void> check_schema(Sql& sql) {
    const auto version = version_of(sql);
    if (!version)
        return fail(Errc::corrupt, "this is not a samples database: " + version.error().what,
                    "name the database that baton-hostd or batond keeps samples in");
    if (*version > schema_version)
        return newer(*version);
    if (*version < schema_version)
        return fail(Errc::conflict, "the samples database is of an older Baton",
                    "let the program that keeps it open it once");
    return {};
}

} // namespace baton::history
