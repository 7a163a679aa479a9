#include "model/error.h"

#include <array>
#include <cerrno>
#include <system_error>

namespace baton {

namespace {

constexpr std::array<std::pair<Errc, std::string_view>, 16> names{{
    {Errc::invalid_argument, "invalid_argument"},
    {Errc::not_found, "not_found"},
    {Errc::already_exists, "already_exists"},
    {Errc::busy, "busy"},
    {Errc::refused, "refused"},
    {Errc::unauthenticated, "unauthenticated"},
    {Errc::forbidden, "forbidden"},
    {Errc::unavailable, "unavailable"},
    {Errc::timeout, "timeout"},
    {Errc::io, "io"},
    {Errc::full, "full"},
    {Errc::corrupt, "corrupt"},
    {Errc::conflict, "conflict"},
    {Errc::unsupported, "unsupported"},
    {Errc::cancelled, "cancelled"},
    {Errc::internal, "internal"},
}};

Errc code_of(int native) {
    switch (native) {
    case ENOSPC:
    case EDQUOT:
        return Errc::full;
    case ENOENT:
        return Errc::not_found;
    case EEXIST:
        return Errc::already_exists;
    case EACCES:
    case EPERM:
        return Errc::forbidden;
    case EBUSY:
        return Errc::busy;
    default:
        return Errc::io;
    }
}

} // namespace

std::string_view to_string(Errc code) {
    for (const auto& [value, name] : names)
        if (value == code)
            return name;
    return "internal";
}

Errc errc_from_string(std::string_view text) {
    for (const auto& [value, name] : names)
        if (name == text)
            return value;
    return Errc::internal;
}

std::string Error::message() const {
    if (hint.empty())
        return what;
    const bool ends = !what.empty() && (what.back() == '.' || what.back() == '\n');
    return what + (ends ? " " : ". ") + hint;
}

Error Error::in(std::string_view context) const {
    Error outer = *this;
    outer.what = std::string(context) + ": " + what;
    return outer;
}

tl::unexpected<Error> fail_errno(int native, std::string what, std::string hint) {
    what += ": " + std::generic_category().message(native);
    return tl::unexpected<Error>(Error{code_of(native), std::move(what), std::move(hint), native});
}

} // namespace baton
