#pragma once

#include "net/http.h"

#include <boost/asio/ssl/context.hpp>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

/// For net/ and the rooms that carry streams (gateway, screenrelay): TLS contexts and what
/// OpenSSL's verdicts mean for a person.
namespace baton::net {

Result<std::unique_ptr<boost::asio::ssl::context>> server_tls(const TlsFiles& files,
                                                              bool require_client_certificate);

/// `pinned_sha256` not empty: the server is trusted when its chain leads to a CA certificate of
/// that fingerprint, sent by the server itself; `files.authority` is then not needed.
Result<std::unique_ptr<boost::asio::ssl::context>> client_tls(const TlsFiles& files,
                                                              const std::string& pinned_sha256);

/// The context of files that may be replaced meanwhile (by a renewed certificate): new connections
/// use the files as they are then, and those that are open go on. Not thread-safe.
class FreshTls {
  public:
    using Make = std::function<Result<std::unique_ptr<boost::asio::ssl::context>>()>;

    /// `make` reads `files`.
    static Result<FreshTls> start(TlsFiles files, Make make);

    /// For the next connection; to be used at once. Files that cannot be used (now): the former
    /// context stays, the log says why once, and the next connection tries again. A stream that was
    /// made with a former one keeps what it needs of it: OpenSSL counts references.
    boost::asio::ssl::context* now();

  private:
    struct Stamp {
        std::uint64_t inode = 0;
        std::int64_t size = 0;
        std::int64_t changed_s = 0;
        std::int64_t changed_ns = 0;
        bool operator==(const Stamp&) const = default;
    };

    FreshTls(TlsFiles files, Make make) : files_(std::move(files)), make_(std::move(make)) {}

    [[nodiscard]] std::array<Stamp, 3> stamps() const;

    TlsFiles files_;
    Make make_;
    std::array<Stamp, 3> stamps_;                 ///< of what context_ was made of
    std::optional<std::array<Stamp, 3>> refused_; ///< of what could not be used, as the log says
    std::unique_ptr<boost::asio::ssl::context> context_;
};

/// The name (or address) that the server's certificate must be for. Also sets SNI.
void expect_name(SSL* ssl, const std::string& host);

/// Why the handshake with `whom` failed ("https://10.0.0.1:8443").
Error handshake_error(SSL* ssl, const boost::system::error_code& error, const std::string& whom);

/// CN and fingerprint of the peer's certificate, if it was verified.
void read_certificate(SSL* ssl, Peer& peer);

} // namespace baton::net
