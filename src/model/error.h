#pragma once

#include <tl/expected.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace baton {

/// What kind of thing went wrong; decides exit codes (docs/cli.md) and HTTP statuses (api/).
enum class Errc : std::uint8_t {
    invalid_argument, ///< the caller's words do not make sense; nothing was tried
    not_found,        ///< no such thing
    already_exists,   ///< a thing of that name is there
    busy,             ///< in use by somebody else now; may go through later
    refused,          ///< understood, and no: capacity, policy
    unauthenticated,  ///< no or wrong credentials
    forbidden,        ///< known, but may not
    unavailable,      ///< the other side cannot be reached now
    timeout,          ///< a deadline passed
    io,               ///< the operating system said no; `native` is its errno
    full,             ///< no space left
    corrupt,          ///< data does not match its checksum or its format
    conflict,         ///< the state is not the one the call assumes (a stale fencing number)
    unsupported,      ///< not on this machine, not with this version
    cancelled,        ///< given up before it was done, by request
    internal,         ///< a fault of ours
};

/// "invalid_argument", ...: stable, used on the wire.
std::string_view to_string(Errc code);
/// The inverse; unknown text is Errc::internal.
Errc errc_from_string(std::string_view text);

/// An error as a value. A person reads `message()`; programs look at `code`.
struct Error {
    Errc code = Errc::internal;
    std::string what; ///< what failed, on what: "cannot open the desk image /srv/desks/kim.desk"
    std::string hint; ///< what to do about it; may be empty
    int native = 0;   ///< errno, libvirt code, ...; 0 = none

    /// "what: reason. hint", one or two sentences, for a person.
    [[nodiscard]] std::string message() const;
    /// Prepends what was being done: "starting desktop d-12: " + what.
    [[nodiscard]] Error in(std::string_view context) const;

    bool operator==(const Error&) const = default;
};

template <class T>
using Result = tl::expected<T, Error>;

/// return fail(Errc::not_found, "no desk is called 'kim'", "see them with: baton desk list");
inline tl::unexpected<Error> fail(Errc code, std::string what, std::string hint = {},
                                  int native = 0) {
    return tl::unexpected<Error>(Error{code, std::move(what), std::move(hint), native});
}

/// An errno as an error; ENOSPC and EDQUOT become Errc::full, ENOENT not_found, EEXIST
/// already_exists, EACCES and EPERM forbidden, EBUSY busy, everything else io.
tl::unexpected<Error> fail_errno(int native, std::string what, std::string hint = {});

} // namespace baton

/// BATON_TRY(call()): return the error of a Result<T> to the caller, drop its value.
#define BATON_TRY(expression)                                                                      \
    do {                                                                                           \
        if (auto baton_try_result = (expression); !baton_try_result)                               \
            return tl::unexpected(std::move(baton_try_result).error());                            \
    } while (false)
