#pragma once

#include "model/error.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace baton::player {

/// The ids of the PC that an open desk's users stand for: 0 inside is `first` outside. Never 0:
/// root inside is nobody on the PC.
struct IdRange {
    std::uint32_t first = 0;
    static constexpr std::uint32_t count = 65536;
    bool operator==(const IdRange&) const = default;
};

/// A range that belongs to somebody: a line of /etc/subuid or /etc/subgid.
struct TakenIds {
    std::uint64_t first = 0;
    std::uint64_t count = 0;
};

/// Lines "name:first:count"; others are passed over. Pure.
std::vector<TakenIds> parse_subordinate_ids(std::string_view text);

/// The range for the desk on loop device `number`. One device carries one desk at a time, so that
/// no two open desks share a range and nothing has to be written down. From 0x70000000 on, which
/// systemd leaves alone; away from `taken`. Pure. Errc::refused: nothing is left.
Result<IdRange> choose_ids(unsigned number, const std::vector<TakenIds>& taken);

/// choose_ids away from this PC's /etc/subuid and /etc/subgid.
Result<IdRange> ids_for(unsigned number);

} // namespace baton::player
