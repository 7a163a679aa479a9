#pragma once

#include <openssl/types.h>

#include <string>
#include <string_view>

/// Fingerprints and encodings on OpenSSL, shared inside net/ and with those who keep secrets as
/// digests.
namespace baton::net {

/// Lower-case hex.
std::string sha256_hex(std::string_view bytes);

/// `bytes` random ones from the system, as lower-case hex: tokens, secrets.
std::string random_hex(std::size_t bytes);

/// Of the certificate's DER form, lower-case hex; "" if it cannot be encoded.
std::string certificate_sha256(const X509* certificate);

/// "" when there is none, or when it holds a NUL.
std::string certificate_common_name(const X509* certificate);

/// RFC 4648 section 5, without padding.
std::string base64url_encode(std::string_view bytes);
/// False for anything that base64url_encode would not have written.
bool base64url_decode(std::string_view text, std::string& bytes);

} // namespace baton::net
