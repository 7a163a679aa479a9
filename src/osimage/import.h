#pragma once

#include "osimage/library.h"
#include "process/run.h"

#include <functional>
#include <string>

namespace baton::osimage {

/// Somebody's own image. What its guest must have is in docs/guest-contract.md.
struct ImportSettings {
    std::string disk;   ///< a qcow2 file; nothing of it is trusted, its format is not guessed
    std::string kernel; ///< empty: the image boots by its firmware
    std::string initrd; ///< may be empty
    Draft draft;
    int cancel_fd = -1;
    std::function<void(int percent, const std::string& text)> progress;
    std::function<void()> waiting; ///< another build or import is at work: told once
};

/// Checks, copies (what the disk does not use is left out) and publishes. Errc::unsupported: a
/// backing file, external data, encryption; Errc::corrupt: not qcow2, or QEMU finds it damaged.
/// Nothing is left behind when it fails.
Result<Manifest> import_image(Library& library, const ImportSettings& settings);

/// QEMU's own opinion of an image, in bounds of memory and time: a hostile image can make it eat
/// either.
process::Command check_command(const std::string& disk);
process::Command copy_command(const std::string& from, const std::string& to);

/// What `qemu-img check --output=json` said, with its exit status, as a verdict.
Result<void> judge_check(int status, const std::string& out, const std::string& error);

} // namespace baton::osimage
