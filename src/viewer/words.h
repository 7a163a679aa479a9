#pragma once

#include "model/error.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace baton::viewer {

enum class Language : std::uint8_t { english, korean };

/// What the viewer itself says on the screen.
enum class Word : std::uint8_t {
    title,
    name,
    password,
    image,
    log_in,
    connecting,
    starting,
    try_again,
    cancel,
    wrong_credentials,
    session_ended,
    name_missing,
    choose_image,
    caps_lock,
    reconnecting,
    status_user,
    status_desktop,
    status_host,
    status_round_trip,
    status_frames,
};

/// UTF-8; valid for ever.
std::string_view word(Word which, Language language);

/// What a person is told of an error: in their language as far as it is a common one, and in its
/// own words, which a technician needs.
std::string sentence(const Error& why, Language language);

} // namespace baton::viewer
