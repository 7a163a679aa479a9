#pragma once

#include "model/error.h"
#include "model/types.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Immutable OS images. On disk an image is a folder named by its id, <library>/<name-version>/,
/// with manifest.json, disk.qcow2 (mode 0444) and, for direct kernel boot, kernel and initrd;
/// described in docs/formats/os-image.md.
namespace baton::osimage {

/// Bytes of a manifest.json, at most.
inline constexpr std::size_t longest_manifest = 262'144;

struct File {
    std::string name; ///< "disk.qcow2", "kernel", "initrd"
    std::int64_t size_bytes = 0;
    std::string sha256; ///< lower-case hex
    bool operator==(const File&) const = default;
};

struct Manifest {
    OsImageId id;
    std::string name;              ///< "tiny"
    std::string version;           ///< "1"
    std::string description;       ///< one line for people
    std::string created;           ///< RFC 3339, UTC
    std::string kernel_arguments;  ///< empty and no "kernel" file: boots by its firmware
    std::string firmware = "bios"; ///< "bios" or "uefi", for images without a kernel file
    Mebibytes minimum_memory{256};
    bool has_guest_agent = true; ///< false: "ready" is never said; started means running
    std::string inputs_sha256;   ///< of what a recipe made it from; empty: imported
    std::vector<File> files;
    bool operator==(const Manifest&) const = default;
};

/// A verified image's files on this machine, as a hypervisor wants them. Absolute paths.
struct LocalImage {
    OsImageId id;
    std::string disk;   ///< qcow2, read-only
    std::string kernel; ///< empty: firmware boot
    std::string initrd; ///< may be empty
    std::string kernel_arguments;
    std::string firmware = "bios";
    Mebibytes minimum_memory{256};
    bool has_guest_agent = true;
    bool operator==(const LocalImage&) const = default;
};

/// The names that an image may have files of; the first is mandatory.
inline constexpr std::array<std::string_view, 3> file_names{"disk.qcow2", "kernel", "initrd"};

/// With a digest of its own, so that a damaged manifest does not boot with other arguments.
std::string to_json(const Manifest& manifest);
/// Errc::corrupt with the field's name for anything that is missing or ill-typed, and for a digest
/// that does not fit. Unknown fields are passed over (they are part of the digest all the same).
Result<Manifest> manifest_from_json(std::string_view text);

/// Of a version or a part of an id; none when it is not a whole number.
std::optional<std::uint64_t> as_number(std::string_view text);

} // namespace baton::osimage
