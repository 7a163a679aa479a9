#pragma once

#include "history/sql.h"

namespace baton::history {

/// Brings the tables and the paper's four views up to date. Errc::conflict: made by a newer Baton.
Result<void> migrate(Sql& sql);

/// Errc::conflict or corrupt unless the schema is the one that this Baton reads.
Result<void> check_schema(Sql& sql);

/// An expression that takes metric number `metric` (0 to 3) at second `slot` out of the minute
/// `data`, NULL when there is none: the same bytes that unpack_minute reads, in plain SQL.
std::string value_in_sql(Dialect dialect, int metric);

} // namespace baton::history
