#pragma once

#include <CLI/CLI.hpp>

namespace baton::cli {

/// `baton top`. Apart from the other commands: it alone measures by itself, and so links libvirt.
void add_top(CLI::App& app);

} // namespace baton::cli
