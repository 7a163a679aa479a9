#pragma once

#include "model/error.h"

#include <string>
#include <string_view>

/// The one-time token that `baton host invite` prints and `baton-hostd join` takes:
/// base64url(JSON {"c": controller URL, "f": SHA-256 of its CA certificate, "t": secret}). Pure.
/// docs/formats/host-link.md
namespace baton::net {

struct JoinToken {
    std::string controller;       ///< "https://10.99.0.1:8443"
    std::string authority_sha256; ///< of the CA certificate's DER form, lower-case hex
    std::string secret;           ///< worth one join; the controller keeps its SHA-256 alone
    bool operator==(const JoinToken&) const = default;
};

std::string encode(const JoinToken& token);
/// Errc::invalid_argument: not such a token (cut short when it was copied, for example). White
/// space around it is passed over.
Result<JoinToken> decode_join_token(std::string_view text);

} // namespace baton::net
