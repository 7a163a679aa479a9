#pragma once

#include "player/display.h"
#include "player/program.h"

#include <memory>

/// baton-play, and baton-play-desktop, which it becomes for a graphical session: one command line,
/// and only the second loads what speaks with displays.
namespace baton::play_program {

struct Graphics {
    Result<std::unique_ptr<player::Display>> (*prepare)(const player::DisplayOrder&) = nullptr;
    player::DesktopStart desktop = nullptr;
};

int run(int argc, char** argv, const Graphics& graphics);

} // namespace baton::play_program
