#pragma once

#include "model/error.h"

#include <array>
#include <cstdint>
#include <string_view>

namespace baton::net {

/// The answer of somebody who knows `password` to a VNC challenge (RFC 6143, 7.2.2): DES in ECB
/// mode, keyed with the password's first 8 bytes, each with its bits in reverse order. It protects
/// next to nothing: use it only inside TLS, or where the screen is on this machine alone.
/// Errc::unsupported: OpenSSL was built without DES. Thread-safe.
Result<std::array<std::uint8_t, 16>>
answer_vnc_challenge(std::string_view password, const std::array<std::uint8_t, 16>& challenge);

} // namespace baton::net
