#include "model/size.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <utility>

namespace baton {

namespace {

constexpr std::int64_t largest = std::int64_t{1} << 30; // 1 PiB in MiB

constexpr std::array<std::pair<std::string_view, double>, 12> units{{
    {"K", 1.0 / 1024},
    {"KiB", 1.0 / 1024},
    {"M", 1},
    {"MB", 1},
    {"MiB", 1},
    {"Mi", 1},
    {"G", 1024},
    {"GB", 1024},
    {"GiB", 1024},
    {"Gi", 1024},
    {"T", 1024.0 * 1024},
    {"TiB", 1024.0 * 1024},
}};

} // namespace

std::string to_string(Mebibytes size) {
    if (size.count >= 1024 && size.count % 128 == 0)
        return fmt::format("{:g} GiB", static_cast<double>(size.count) / 1024);
    return fmt::format("{} MiB", size.count);
}

Result<Mebibytes> parse_mebibytes(std::string_view text) {
    const auto bad = [&](std::string_view why) {
        return fail(Errc::invalid_argument,
                    fmt::format("'{}' is not an amount of memory: {}", text, why),
                    "write for example 4GiB or 512MiB");
    };
    double number = 0;
    const auto [rest, status] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (status != std::errc{})
        return bad("it does not begin with a number");
    std::string_view unit(rest, static_cast<std::size_t>(text.data() + text.size() - rest));
    while (!unit.empty() && unit.front() == ' ')
        unit.remove_prefix(1);
    if (unit.empty())
        return bad("it has no unit");
    for (const auto& [name, factor] : units) {
        if (name != unit)
            continue;
        const double mebibytes = number * factor;
        if (!(mebibytes > 0))
            return bad("it is not more than zero");
        if (mebibytes > static_cast<double>(largest))
            return bad("it is more than 1 PiB");
        if (mebibytes != std::floor(mebibytes))
            return bad("it is not a whole number of MiB");
        return Mebibytes(static_cast<std::int64_t>(mebibytes));
    }
    return bad(fmt::format("'{}' is no unit that is known here", unit));
}

} // namespace baton
