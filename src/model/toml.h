#pragma once

#include "model/error.h"

#include <string>
#include <string_view>

/// toml++ as all of Baton's settings are read: through read_toml, and included from here alone.
/// Its 3.3 asserts what it has not checked (a heading that begins with no key, "[!"): here that
/// is thrown instead, and read_toml makes a sentence of it. Settings are written by people, those
/// of a desk's services by anybody.
namespace baton {

[[noreturn]] void toml_is_broken(const char* rule);

} // namespace baton

#ifdef NDEBUG
#error "toml++ takes its assertions for granted with NDEBUG: build without it"
#endif
#define TOML_ASSERT(rule)                                                                          \
    (static_cast<bool>(rule) ? static_cast<void>(0) : ::baton::toml_is_broken(#rule))
#include <toml++/toml.h>

namespace baton {

/// Errc::invalid_argument with "FILE:LINE: what is wrong" and `hint`.
Result<toml::table> read_toml(std::string_view text, const std::string& file,
                              const std::string& hint);

} // namespace baton
