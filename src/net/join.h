#pragma once

#include "model/error.h"
#include "net/join_token.h"

#include <boost/json/object.hpp>

#include <string>

namespace baton::net {

/// A machine that joins a controller with its one-time token.
struct JoinRequest {
    JoinToken token;
    std::string path;             ///< "/v1/hosts/join"
    std::string name;             ///< by which it was invited
    std::string certificate_name; ///< the CN that its certificate must have
    boost::json::object facts;    ///< what else the request says of it
    std::string folder;           ///< for client-cert.pem, client-key.pem and ca-cert.pem
};

/// Makes a key, has it certified and keeps the three files (mode 0600, the folder 0700; the
/// certificate last: it says that all is there). The controller proves who it is by the token's
/// fingerprint. Blocking, within the client's timeouts. Errc::corrupt: the answer does not fit the
/// token; and what the controller says.
Result<void> join_site(const JoinRequest& request);

/// The token, for a controller that is seen under `controller` from here ("": as the token says).
/// Errc::invalid_argument: no token, or an address that is not https.
Result<JoinToken> read_join_token(const std::string& text, const std::string& controller);

} // namespace baton::net
