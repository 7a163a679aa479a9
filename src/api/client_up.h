#pragma once

#include "model/error.h"
#include "store/store.h"

#include <array>
#include <string>
#include <string_view>

namespace baton::api {

/// The phases of a client's start, in order: milliseconds since its kernel began.
inline constexpr std::array<std::string_view, 7> client_phases{
    "kernel", "modules", "address", "root", "verified", "mounted", "up"};

/// And those that its viewer tells of later: the login page is shown, a person has entered their
/// name and password, the first picture of their desktop is shown. The last two of the last login.
inline constexpr std::array<std::string_view, 3> viewer_phases{"login", "entered", "first_frame"};

/// Most clients that are kept; the one that has been silent for longest gives way.
inline constexpr std::size_t most_clients = 4096;

/// "52:54:00:99:00:01" in lower case; Errc::invalid_argument for anything else, and for addresses
/// that no card has (all zero, multicast).
Result<std::string> mac_address(std::string_view text);

/// What a PC says of itself, nothing of which is proved. Times and numbers of boots are the
/// caller's to fill in. `again`: whether it has said so before, since it started.
Result<store::ClientRow> client_from_json(std::string_view body, bool* again = nullptr);

} // namespace baton::api
