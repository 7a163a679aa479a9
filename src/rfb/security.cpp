#include "rfb/security.h"

#include "rfb/limits.h"
#include "rfb/wire.h"

#include <fmt/format.h>

#include <algorithm>

namespace baton::rfb {

Tls tls_of(Login login) {
    if (login >= Login::x509_none)
        return Tls::certificate;
    return login >= Login::tls_none ? Tls::anonymous : Tls::no;
}

Proof proof_of(Login login) {
    switch (login) {
    case Login::vnc:
    case Login::tls_vnc:
    case Login::x509_vnc:
        return Proof::vnc_password;
    case Login::plain:
    case Login::tls_plain:
    case Login::x509_plain:
        return Proof::name_and_password;
    default:
        return Proof::none;
    }
}

std::string_view name_of(Login login) {
    switch (login) {
    case Login::none:
        return "None";
    case Login::vnc:
        return "VNC authentication";
    case Login::plain:
        return "Plain";
    case Login::tls_none:
        return "TLSNone";
    case Login::tls_vnc:
        return "TLSVnc";
    case Login::tls_plain:
        return "TLSPlain";
    case Login::x509_none:
        return "X509None";
    case Login::x509_vnc:
        return "X509Vnc";
    case Login::x509_plain:
        return "X509Plain";
    }
    return "unknown";
}

std::optional<Login> vencrypt_login(std::uint32_t number) {
    if (number < static_cast<std::uint32_t>(Login::plain) ||
        number > static_cast<std::uint32_t>(Login::x509_plain))
        return std::nullopt;
    return static_cast<Login>(number);
}

void write(std::string& out, const ServerInit& init) {
    put16(out, init.width);
    put16(out, init.height);
    write(out, init.format);
    put32(out, static_cast<std::uint32_t>(init.name.size()));
    out += init.name;
}

Result<std::optional<int>> read_version(std::string_view input, std::string_view who) {
    constexpr std::string_view start = "RFB 003.";
    const auto given = std::min(input.size(), start.size());
    const auto strange = [&] { return not_rfb(fmt::format("{} does not speak RFB 3", who)); };
    if (input.substr(0, given) != start.substr(0, given))
        return strange();
    if (input.size() < version_bytes)
        return std::nullopt;
    int minor = 0;
    for (std::size_t at = start.size(); at + 1 < version_bytes; ++at) {
        if (input[at] < '0' || input[at] > '9')
            return strange();
        minor = minor * 10 + (input[at] - '0');
    }
    if (input[version_bytes - 1] != '\n')
        return strange();
    // 3.5 and the like were never published and mean 3.3 (RFC 6143, 7.1.1)
    return minor >= 8 ? 8 : minor == 7 ? 7 : 3;
}

std::string version_line(int minor) {
    return fmt::format("RFB 003.{:03}\n", minor);
}

} // namespace baton::rfb
