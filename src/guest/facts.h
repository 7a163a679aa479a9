#pragma once

#include "model/error.h"
#include "model/size.h"

#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>

/// What a guest reads off its kernel and its disks. Pure but for find_disk and find_port, which
/// read a /sys tree given by path.
namespace baton::guest {

/// "/dev/vdb" for the virtio disk that says it has this serial; `sys` is /sys.
std::optional<std::string> find_disk(const std::filesystem::path& sys, std::string_view serial);

/// "/dev/vport1p1" for the virtio-serial port of this name.
std::optional<std::string> find_port(const std::filesystem::path& sys, std::string_view name);

/// The memory of this machine from the text of /proc/iomem: its "System RAM", rounded up to the
/// next 8 MiB, since the firmware keeps a little. 0 when the text says nothing (not root).
Mebibytes memory_from_iomem(std::string_view iomem);

inline constexpr std::size_t ext4_probe_bytes = 2048;

/// Looks at the first bytes of a disk. True: an ext4 in order. False: an ext4 that was not
/// unmounted or has errors noted. Errc::corrupt: no ext4.
Result<bool> ext4_is_clean(std::span<const std::byte> first_bytes);

/// Whether a host name is one ([A-Za-z0-9] and '-' inside, dots between, at most 63).
bool is_hostname(std::string_view name);

/// The 32 bytes of a seed in hex, nothing if it is not one.
std::optional<std::string> seed_bytes(std::string_view hex);

} // namespace baton::guest
