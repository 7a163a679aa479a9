#pragma once

#include "store/sqlite.h"

#include <cstdint>
#include <string>

namespace baton::store {

/// PRAGMA user_version of the schema that this Baton writes.
extern const std::int64_t schema_version;

/// Checks that the database is ours and whole, and brings it to schema_version: one transaction a
/// migration. Errc::corrupt: foreign or damaged; Errc::conflict: made by a newer Baton.
Result<void> migrate(sqlite::Database& database, const std::string& path);

} // namespace baton::store
