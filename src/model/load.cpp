#include "model/load.h"

#include <algorithm>
#include <array>

namespace baton {

namespace {

constexpr std::array<std::string_view, load_count> words{"idle", "usual", "busy", "swamped"};

} // namespace

std::string_view to_string(Load load) {
    return words[static_cast<std::size_t>(load)];
}

std::optional<Load> load_from(std::string_view word) {
    const auto* const found = std::ranges::find(words, word);
    if (found == words.end())
        return std::nullopt;
    return static_cast<Load>(found - words.begin());
}

} // namespace baton
