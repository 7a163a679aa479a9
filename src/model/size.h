#pragma once

#include "model/error.h"

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace baton {

/// An amount of memory in MiB. The only unit in which desktops and hosts are sized.
/// Arithmetic is checked by the caller: amounts here are far below 2^63 MiB.
struct Mebibytes {
    std::int64_t count = 0;

    constexpr Mebibytes() = default;

    constexpr explicit Mebibytes(std::int64_t mebibytes) : count(mebibytes) {}

    [[nodiscard]] constexpr std::int64_t bytes() const { return count * 1024 * 1024; }

    [[nodiscard]] constexpr std::int64_t kibibytes() const { return count * 1024; }

    constexpr auto operator<=>(const Mebibytes&) const = default;

    constexpr Mebibytes& operator+=(Mebibytes other) {
        count += other.count;
        return *this;
    }

    constexpr Mebibytes& operator-=(Mebibytes other) {
        count -= other.count;
        return *this;
    }

    friend constexpr Mebibytes operator+(Mebibytes a, Mebibytes b) { return a += b; }

    friend constexpr Mebibytes operator-(Mebibytes a, Mebibytes b) { return a -= b; }

    friend constexpr Mebibytes operator*(Mebibytes a, std::int64_t factor) {
        return Mebibytes(a.count * factor);
    }

    /// a / 2^level, for the sizes C/2^m of the paper (section 3.3).
    [[nodiscard]] constexpr Mebibytes halved(unsigned level) const {
        return Mebibytes(count >> level);
    }
};

constexpr Mebibytes operator""_MiB(unsigned long long n) {
    return Mebibytes(static_cast<std::int64_t>(n));
}

constexpr Mebibytes operator""_GiB(unsigned long long n) {
    return Mebibytes(static_cast<std::int64_t>(n) * 1024);
}

/// "4 GiB", "512 MiB", "1.5 GiB": the shortest exact form, for people.
std::string to_string(Mebibytes size);

/// Reads "4GiB", "4 GiB", "512MiB", "0.5GiB", "4G", "512M", "1TiB". A bare number, a negative one,
/// zero, a fraction of a MiB or more than 1 PiB is Errc::invalid_argument with the reason.
Result<Mebibytes> parse_mebibytes(std::string_view text);

} // namespace baton
