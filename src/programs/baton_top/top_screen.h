#pragma once

#include "monitor/top_view.h"

#include <chrono>
#include <functional>
#include <vector>

namespace baton::cli {

/// The live screen of `baton top`, until q. `read` may throw CommandFailed: the screen goes on with
/// what it has, and says so.
void run_top_screen(const std::function<std::vector<monitor::Seen>()>& read,
                    monitor::TopOptions options, std::chrono::milliseconds interval);

} // namespace baton::cli
