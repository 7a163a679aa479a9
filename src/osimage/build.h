#pragma once

#include "osimage/library.h"
#include "process/run.h"

#include <functional>
#include <string>
#include <string_view>

namespace baton::osimage {

/// 0 to 100, and what is being done.
using BuildProgress = std::function<void(int percent, const std::string& text)>;

/// What a build is made of. Recipes and their contract: docs/formats/os-image.md.
struct BuildSettings {
    std::string recipe;         ///< "tiny"
    std::string recipes_folder; ///< where the recipes are
    std::string guest_binary;   ///< the baton-guest that goes into the image
    std::string cache_folder;   ///< Debian packages and the like are kept here
    bool again = false;         ///< build also when nothing has changed
    int cancel_fd = -1;         ///< readable: give up (process::Command)
    std::chrono::minutes deadline{45};
    BuildProgress progress;
    std::function<void()> waiting; ///< another build is at work: told once
};

struct Built {
    Manifest manifest;
    bool unchanged = false; ///< nothing to do: this image is made from the same inputs
};

/// Runs a recipe and publishes what it made. One at a time per library. Given up, failed or killed:
/// nothing is published and nothing of it stays (after a kill -9: until the next build).
/// Errc::not_found: no such recipe, with those there are; Errc::forbidden: not root.
Result<Built> build(Library& library, const BuildSettings& settings);

/// The names of the recipes in a folder, sorted.
Result<std::vector<std::string>> recipes_in(const std::string& folder);

/// SHA-256 over everything that a recipe makes its image from: its own text, what recipes share,
/// and the guest binary. (What Debian's mirror holds is not part of it: see BuildSettings::again.)
Result<std::string> inputs_of(const BuildSettings& settings);

/// A recipe, without its arguments, in a mount and PID namespace of its own: its mounts are seen by
/// nobody else, and when we die so does all that it started.
process::Command contained_recipe(const std::string& recipe);

/// With the arguments of an OS image's recipe.
process::Command recipe_command(const BuildSettings& settings, const std::string& output,
                                const std::string& version);

/// "progress: 40 installing packages" as 40 and the text; false for any other line.
bool parse_progress(std::string_view line, int& percent, std::string& text);

/// recipe.json. Errc::corrupt names the field that is wrong.
Result<Draft> draft_from_recipe_json(std::string_view text);

} // namespace baton::osimage
