#include "model/toml.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <vector>

namespace baton {

namespace {

class Broken : public std::logic_error {
  public:
    using std::logic_error::logic_error;
};

bool breaks(std::string_view text) {
    try {
        (void)toml::parse(text);
        return false;
    } catch (const Broken&) {
        return true;
    } catch (const toml::parse_error&) {
        return false; // it ends too early
    }
}

/// The first line without which the rest would not have been broken.
std::size_t broken_line(std::string_view text) {
    std::vector<std::size_t> ends;
    for (std::size_t at = 0; at < text.size(); ++at)
        if (text[at] == '\n')
            ends.push_back(at + 1);
    const auto found = std::ranges::partition_point(
        ends, [&](std::size_t end) { return !breaks(text.substr(0, end)); });
    return static_cast<std::size_t>(found - ends.begin()) + 1;
}

} // namespace

void toml_is_broken(const char* rule) {
    throw Broken(rule);
}

Result<toml::table> read_toml(std::string_view text, const std::string& file,
                              const std::string& hint) {
    try {
        return toml::parse(text, file);
    } catch (const toml::parse_error& error) {
        return fail(Errc::invalid_argument,
                    fmt::format("{}:{}: {}", file, error.source().begin.line, error.description()),
                    hint);
    } catch (const Broken&) {
        return fail(
            Errc::invalid_argument,
            fmt::format("{}:{}: this is not TOML; a key was expected", file, broken_line(text)),
            hint);
    }
}

} // namespace baton
