#include "model/ids.h"

#include <fmt/format.h>

#include <algorithm>

namespace baton {

Result<void> check_name(std::string_view kind, std::string_view name) {
    const auto bad = [&](std::string_view why) {
        return fail(Errc::invalid_argument, fmt::format("'{}' cannot be a {}: {}", name, kind, why),
                    "use 1 to 63 lower-case letters, digits, '-' and '.', beginning with a letter "
                    "or digit");
    };
    const auto is_alnum = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
    if (name.empty())
        return bad("it is empty");
    if (name.size() > 63)
        return bad("it is longer than 63 characters");
    if (!is_alnum(name.front()))
        return bad("its first character is neither a lower-case letter nor a digit");
    if (name.find("..") != std::string_view::npos)
        return bad("it has two dots in a row");
    if (!std::ranges::all_of(name, [&](char c) { return is_alnum(c) || c == '-' || c == '.'; }))
        return bad("it has a character that is not allowed");
    return {};
}

} // namespace baton
