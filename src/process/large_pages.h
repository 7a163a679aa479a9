#pragma once

#include <memory_resource>

namespace baton::process {

/// Memory for large tables that are read anywhere: in pages of 2 MiB, if the kernel has them to
/// give (transparent huge pages, `always` or `madvise`), so that finding the page is no second
/// read from memory. What is smaller than such a page, and all of it where there are none, is
/// ordinary memory. Throws std::bad_alloc, as every resource does. Thread-safe; never ends.
std::pmr::memory_resource& large_pages();

} // namespace baton::process
