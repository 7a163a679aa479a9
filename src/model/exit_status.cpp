#include "model/exit_status.h"

namespace baton {

int exit_status(Errc code) {
    switch (code) {
    case Errc::invalid_argument:
        return 2;
    case Errc::not_found:
        return 3;
    case Errc::refused:
    case Errc::full:
        return 4;
    case Errc::busy:
    case Errc::conflict:
    case Errc::already_exists:
        return 5;
    case Errc::unauthenticated:
    case Errc::forbidden:
        return 6;
    case Errc::unavailable:
    case Errc::timeout:
        return 7;
    case Errc::corrupt:
        return 8;
    case Errc::io:
        return 9;
    case Errc::unsupported:
        return 10;
    case Errc::cancelled:
        return 11;
    case Errc::internal:
        break;
    }
    return 1;
}

} // namespace baton
