#pragma once

#include "history/samples.h"
#include "history/sql.h"

namespace baton::history {

/// The samples over one connection, whatever database it is of.
Result<std::unique_ptr<Samples>> open_samples(std::unique_ptr<Sql> sql, const Retention& retention,
                                              bool read_only);

} // namespace baton::history
