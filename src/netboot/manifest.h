#pragma once

#include "model/error.h"
#include "model/size.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// Client images: what a PC without a disk runs. On disk a folder named by its id,
/// <netboot>/images/client-HASH/, with manifest.json and the three files, described in
/// docs/formats/client-image.md.
namespace baton::netboot {

inline constexpr std::string_view kernel_name = "kernel";
inline constexpr std::string_view initrd_name = "initrd";
inline constexpr std::string_view root_name = "root.squashfs";
inline constexpr std::array<std::string_view, 3> image_files{kernel_name, initrd_name, root_name};

/// Bytes of a manifest.json, at most.
inline constexpr std::size_t longest_manifest = 65'536;

struct File {
    std::string name;
    std::int64_t size_bytes = 0;
    std::string sha256; ///< lower-case hex
    bool operator==(const File&) const = default;
};

struct Manifest {
    std::string id;               ///< "client-0123456789ab": of its files' hashes
    std::string created;          ///< RFC 3339, UTC
    std::string description;      ///< one line for people
    std::string kernel_arguments; ///< without what the site adds
    Mebibytes minimum_memory{512};
    std::string inputs_sha256; ///< of what the recipe made it from
    std::vector<File> files;   ///< the three of image_files, in that order

    [[nodiscard]] const File* file(std::string_view name) const;
    bool operator==(const Manifest&) const = default;
};

/// "client-" and the first 12 digits of the SHA-256 over the files' names and hashes and the
/// kernel's arguments: what boots differently has another name.
std::string id_of(const Manifest& manifest);
/// "client-" and 12 digits of lower-case hex.
bool is_image_id(std::string_view text);

std::string to_json(const Manifest& manifest);
/// Errc::corrupt with the field's name; an id that is not that of its content is one, too.
Result<Manifest> manifest_from_json(std::string_view text);

} // namespace baton::netboot
