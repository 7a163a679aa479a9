#include "guest/facts.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <system_error>

namespace baton::guest {

namespace {

namespace fs = std::filesystem;

std::string first_line(const fs::path& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

/// The entry of `folder` whose `attribute` reads `wanted`, as a path in /dev.
std::optional<std::string> find_by(const fs::path& folder, std::string_view attribute,
                                   std::string_view wanted) {
    std::error_code error;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
         entry.increment(error))
        if (first_line(entry->path() / attribute) == wanted)
            return "/dev/" + entry->path().filename().string();
    return std::nullopt;
}

std::uint64_t little_endian(std::span<const std::byte> bytes, std::size_t at, std::size_t size) {
    std::uint64_t value = 0;
    for (std::size_t i = size; i-- > 0;)
        value = value << 8 | std::to_integer<std::uint64_t>(bytes[at + i]);
    return value;
}

} // namespace

std::optional<std::string> find_disk(const fs::path& sys, std::string_view serial) {
    if (serial.empty())
        return std::nullopt;
    return find_by(sys / "block", "serial", serial);
}

std::optional<std::string> find_port(const fs::path& sys, std::string_view name) {
    return find_by(sys / "class" / "virtio-ports", "name", name);
}

Mebibytes memory_from_iomem(std::string_view iomem) {
    std::uint64_t bytes = 0;
    while (!iomem.empty()) {
        const std::string_view line = iomem.substr(0, iomem.find('\n'));
        iomem.remove_prefix(std::min(line.size() + 1, iomem.size()));
        const std::size_t colon = line.find(" : ");
        if (colon == std::string_view::npos || !line.substr(colon + 3).starts_with("System RAM"))
            continue;
        std::string_view range = line.substr(0, colon);
        range.remove_prefix(std::min(range.find_first_not_of(' '), range.size()));
        const std::size_t dash = range.find('-');
        if (dash == std::string_view::npos)
            continue;
        std::uint64_t from = 0;
        std::uint64_t to = 0;
        const char* const begin = range.data();
        std::from_chars(begin, begin + dash, from, 16);
        std::from_chars(begin + dash + 1, begin + range.size(), to, 16);
        if (to > from && to - from < std::uint64_t{1} << 50)
            bytes += to - from + 1;
    }
    constexpr std::uint64_t step = 8ULL << 20;
    return Mebibytes(static_cast<std::int64_t>((bytes + step - 1) / step * (step >> 20)));
}

Result<bool> ext4_is_clean(std::span<const std::byte> first_bytes) {
    // the layout of the superblock: the kernel's Documentation/filesystems/ext4/super.rst
    constexpr std::size_t superblock = 1024;
    constexpr std::uint64_t has_extents = 0x40;
    constexpr std::uint64_t needs_recovery = 0x4;
    if (first_bytes.size() < ext4_probe_bytes ||
        little_endian(first_bytes, superblock + 0x38, 2) != 0xEF53)
        return fail(Errc::corrupt, "there is no ext4 file system on the desk's disk");
    const std::uint64_t features = little_endian(first_bytes, superblock + 0x60, 4);
    if ((features & has_extents) == 0)
        return fail(Errc::corrupt,
                    "the file system on the desk's disk is older than ext4 (it has no extents)");
    const std::uint64_t state = little_endian(first_bytes, superblock + 0x3A, 2);
    return state == 1 && (features & needs_recovery) == 0;
}

bool is_hostname(std::string_view name) {
    if (name.empty() || name.size() > 63 || name.front() == '.' || name.front() == '-' ||
        name.back() == '.' || name.back() == '-')
        return false;
    return std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '.';
    });
}

std::optional<std::string> seed_bytes(std::string_view hex) {
    if (hex.size() != 64)
        return std::nullopt;
    std::string bytes;
    for (std::size_t at = 0; at < hex.size(); at += 2) {
        unsigned value = 0;
        const char* const first = hex.data() + at;
        const auto read = std::from_chars(first, first + 2, value, 16);
        if (read.ec != std::errc() || read.ptr != first + 2)
            return std::nullopt;
        bytes += static_cast<char>(value);
    }
    return bytes;
}

} // namespace baton::guest
