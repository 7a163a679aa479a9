#include "store/sqlite_prune.h"

#include <initializer_list>
#include <string>

namespace baton::store {
namespace {

// The index of migration 2 that has these very words serves each of the two.
constexpr const char* erase_moves =
    "DELETE FROM moves WHERE id IN (SELECT id FROM moves WHERE phase IN ('done', 'failed') AND "
    "started < ? LIMIT ?)";
constexpr const char* erase_sessions =
    "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE phase = 'closed' AND "
    "created < ? AND NOT EXISTS (SELECT 1 FROM moves WHERE moves.session = sessions.id) AND "
    "id NOT IN (SELECT session FROM desktops) AND id NOT IN (SELECT holder FROM desks) LIMIT ?)";

std::int64_t milliseconds_of(WallTime time) {
    return static_cast<std::int64_t>(time.time_since_epoch().count());
}

Result<sqlite::Statement> prepare(sqlite::Database& database, const std::string& sql,
                                  std::initializer_list<std::int64_t> values) {
    auto statement = database.prepare(sql);
    int index = 0;
    for (const auto value : values)
        if (statement)
            if (auto bound = statement->bind(++index, value); !bound)
                return tl::unexpected(bound.error());
    return statement;
}

/// How many rows are gone.
Result<std::size_t> erase(sqlite::Database& database, const std::string& sql,
                          std::initializer_list<std::int64_t> values) {
    auto statement = prepare(database, sql, values);
    if (!statement)
        return tl::unexpected(statement.error());
    if (const auto stepped = statement->step(); !stepped)
        return tl::unexpected(stepped.error());
    return static_cast<std::size_t>(database.changes());
}

Result<std::int64_t> newest_event(sqlite::Database& database) {
    auto statement = prepare(database, "SELECT max(seq) FROM events", {});
    if (!statement)
        return tl::unexpected(statement.error());
    if (const auto row = statement->step(); !row)
        return tl::unexpected(row.error());
    return statement->integer(0);
}

/// The number of the last event that may go; 0: none. Looks at one more than it takes.
Result<std::int64_t> last_old_event(sqlite::Database& database, const Bounds& bounds) {
    auto newest = newest_event(database);
    if (!newest)
        return newest;
    // Numbers are given without a hole: the newest so many are those after this one.
    const auto surplus =
        bounds.events_kept > 0 ? *newest - static_cast<std::int64_t>(bounds.events_kept) : 0;
    const auto before = milliseconds_of(bounds.events_before);
    auto oldest = prepare(database, "SELECT seq, at FROM events WHERE seq < ? ORDER BY seq LIMIT ?",
                          {*newest, static_cast<std::int64_t>(bounds.rows)});
    if (!oldest)
        return tl::unexpected(oldest.error());
    std::int64_t last = 0;
    for (;;) {
        const auto row = oldest->step();
        if (!row)
            return tl::unexpected(row.error());
        if (!*row || (oldest->integer(0) > surplus && oldest->integer(1) >= before))
            return last;
        last = oldest->integer(0);
    }
}

} // namespace

Result<Pruned> prune(sqlite::Database& database, const Bounds& bounds) {
    auto transaction = sqlite::Transaction::begin(database);
    if (!transaction)
        return tl::unexpected(transaction.error());
    const auto last = last_old_event(database, bounds);
    if (!last)
        return tl::unexpected(last.error());
    Pruned pruned;
    auto left = static_cast<std::int64_t>(bounds.rows);
    const auto take = [&](std::size_t& count, const Result<std::size_t>& erased) -> Result<void> {
        if (!erased)
            return tl::unexpected(erased.error());
        count = *erased;
        left -= static_cast<std::int64_t>(*erased);
        return {};
    };
    const auto before = milliseconds_of(bounds.sessions_before);
    BATON_TRY(take(pruned.events, erase(database, "DELETE FROM events WHERE seq <= ?", {*last})));
    BATON_TRY(take(pruned.moves, erase(database, erase_moves, {before, left})));
    BATON_TRY(take(pruned.sessions, erase(database, erase_sessions, {before, left})));
    BATON_TRY(transaction->commit());
    pruned.more = left == 0;
    return pruned;
}

} // namespace baton::store
