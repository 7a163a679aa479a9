#pragma once

#include "net/http.h"

#include <boost/asio/ssl/context.hpp>

#include <memory>
#include <string>

/// Inside net/ alone: TLS contexts and what OpenSSL's verdicts mean for a person.
namespace baton::net {

Result<std::unique_ptr<boost::asio::ssl::context>> server_tls(const TlsFiles& files,
                                                              bool require_client_certificate);

/// `pinned_sha256` not empty: the server is trusted when its chain leads to a CA certificate of
/// that fingerprint, sent by the server itself; `files.authority` is then not needed.
Result<std::unique_ptr<boost::asio::ssl::context>> client_tls(const TlsFiles& files,
                                                              const std::string& pinned_sha256);

/// The name (or address) that the server's certificate must be for. Also sets SNI.
void expect_name(SSL* ssl, const std::string& host);

/// Why the handshake with `whom` failed ("https://10.0.0.1:8443").
Error handshake_error(SSL* ssl, const boost::system::error_code& error, const std::string& whom);

/// CN and fingerprint of the peer's certificate, if it was verified.
void read_certificate(SSL* ssl, Peer& peer);

} // namespace baton::net
