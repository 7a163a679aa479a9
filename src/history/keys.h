#pragma once

#include "history/samples.h"

/// The keys of the tables: one number each, so that both databases keep the rows of one subject
/// (or, of the last minute, of one second) side by side.
namespace baton::history {

constexpr int subject_bits = 24;

/// recent.id
constexpr std::int64_t recent_key(Seconds at, std::int64_t subject) {
    return at << subject_bits | subject;
}

constexpr Seconds second_of_recent(std::int64_t key) {
    return key >> subject_bits;
}

constexpr std::int64_t subject_of_recent(std::int64_t key) {
    return key & ((std::int64_t{1} << subject_bits) - 1);
}

/// seconds.id and minutes.id (unit: 60 s), hours.id (unit: 3600 s): `period` since 1970.
constexpr std::int64_t period_key(std::int64_t subject, std::int64_t period) {
    return subject << 32 | period;
}

constexpr std::int64_t period_of(std::int64_t key) {
    return key & ((std::int64_t{1} << 32) - 1);
}

} // namespace baton::history
