#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace baton {

/// How busy a host is, as coarsely as a plan can use it: where several hosts have a free slot, the
/// one with the lower load gets the desktop. Nothing known of a host is "usual": better than one
/// that is known to be busy, not as good as one that is known to be idle.
enum class Load : std::uint8_t { idle, usual, busy, swamped };

inline constexpr std::size_t load_count = 4;

/// "idle", "usual", "busy", "swamped".
std::string_view to_string(Load load);
std::optional<Load> load_from(std::string_view word);

} // namespace baton
