#pragma once

#include "netboot/folder.h"
#include "osimage/build.h"
#include "process/run.h"

#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace baton::netboot {

/// What a client image is made of.
struct BuildSettings {
    std::string client_folder;  ///< the recipe: src/netboot/client, share/baton/client
    std::string recipes_folder; ///< of OS images: what recipes share
    std::string cache_folder;   ///< Debian packages are kept here
    /// PEM: the certificate authority that the controller's certificate has to be of.
    std::string authority;
    std::string program; ///< what runs on the client's screen; empty: a status screen
    std::string viewer;  ///< a program to put into /usr/bin, with what SDL2 needs; empty: none
    std::vector<std::string> packages; ///< Debian packages beside, such as firmware
    bool again = false;                ///< build also when nothing has changed
    int cancel_fd = -1;                ///< readable: give up
    std::chrono::minutes deadline{45};
    osimage::BuildProgress progress;
    std::function<void()> waiting; ///< another build is at work: told once
};

struct Built {
    Manifest manifest;
    bool unchanged = false; ///< this image is made from the same inputs
};

/// Runs the recipe and publishes what it made, which the next PC boots. Given up, failed or
/// killed: what was current stays. Errc::refused: the root is larger than `largest_root`;
/// Errc::forbidden: not root.
Result<Built> build(Folder& folder, const BuildSettings& settings);

/// A root is unpacked nowhere and stays in the client's memory as it is: bytes, at most.
inline constexpr std::int64_t largest_root = 100'000'000;

/// The recipe in a mount and PID namespace of its own, as osimage::recipe_command().
process::Command build_command(const BuildSettings& settings, const std::string& output);

/// SHA-256 over everything of ours that the image is made from.
Result<std::string> inputs_of(const BuildSettings& settings);

/// client.json, as the recipe leaves it. Errc::corrupt names the field that is wrong.
Result<Manifest> draft_from_json(std::string_view text);

} // namespace baton::netboot
