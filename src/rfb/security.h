#pragma once

#include "rfb/pixel_format.h"

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What both ends of a handshake share (RFC 6143, 7.1 and 7.2; VeNCrypt: rfbproto).
namespace baton::rfb {

/// Kinds of login: security types of RFC 6143, and VeNCrypt's sub-types, in one list.
enum class Login : std::uint32_t {
    none = 1,
    vnc = 2,
    plain = 256, ///< VeNCrypt without TLS: the password goes in the clear
    tls_none = 257,
    tls_vnc = 258,
    tls_plain = 259,
    x509_none = 260,
    x509_vnc = 261,
    x509_plain = 262,
};

namespace security_type {
inline constexpr std::uint8_t none = 1;
inline constexpr std::uint8_t vnc = 2;
inline constexpr std::uint8_t vencrypt = 19;
} // namespace security_type

inline bool is_vencrypt(Login login) {
    return login >= Login::plain;
}

/// TLS without a certificate (anonymous Diffie-Hellman), or with the server's.
enum class Tls : std::uint8_t { no, anonymous, certificate };
Tls tls_of(Login login);

enum class Proof : std::uint8_t { none, vnc_password, name_and_password };
Proof proof_of(Login login);

/// "X509Plain", ...
std::string_view name_of(Login login);

/// A VeNCrypt sub-type that is spoken here.
std::optional<Login> vencrypt_login(std::uint32_t number);

/// What a gateway tells whose name or password it does not accept, as the reason of its refusal:
/// every other reason may pass, and a viewer tries again.
inline constexpr std::string_view wrong_credentials = "the name or the password is wrong";

using Challenge = std::array<std::uint8_t, 16>;

/// The answer to a server's challenge (RFC 6143, 7.2.2): DES in ECB mode, keyed with the password's
/// first 8 bytes, each with its bits in reverse order. Made outside, where a cipher library is.
using AnswerChallenge = std::function<Challenge(const Challenge&)>;

struct Credentials {
    std::string user;
    std::string password;
};

/// ServerInit (RFC 6143, 7.3.2).
struct ServerInit {
    std::uint16_t width = 0;
    std::uint16_t height = 0;
    PixelFormat format;
    std::string name;
};

void write(std::string& out, const ServerInit& init);

/// The minor version of "RFB 003.008\n" and its like: 3, 7 or 8. nullopt: more bytes are needed.
/// Errc::corrupt: something else. `who` begins the sentence: "the viewer".
Result<std::optional<int>> read_version(std::string_view input, std::string_view who);
inline constexpr std::size_t version_bytes = 12;
std::string version_line(int minor);

} // namespace baton::rfb
