#pragma once

#include "store/sqlite.h"
#include "store/store.h"

/// Inside store/ alone: Store::prune on SQLite.
namespace baton::store {

/// In a transaction of its own. The caller keeps other threads away.
Result<Pruned> prune(sqlite::Database& database, const Bounds& bounds);

} // namespace baton::store
