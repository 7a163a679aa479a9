#pragma once

#include <boost/asio/ssl/stream_base.hpp>
#include <boost/system/error_code.hpp>
#include <openssl/ssl.h>

#include <cstddef>
#include <memory>
#include <string_view>

/// Inside net/ alone: TLS straight on a socket.
namespace baton::net {

/// One side of a TLS connection, without buffers of its own: OpenSSL reads from and writes to the
/// socket, and lets go of its records' buffers when they are empty (asio::ssl::stream keeps 68 KiB
/// for each connection). Never blocks. Not thread-safe.
class TlsSession {
  public:
    enum class Wait : std::uint8_t { no, readable, writable };

    /// What came of one attempt. `wait` not no: nothing happened; try again, with the same bytes,
    /// when the socket is so.
    struct Outcome {
        Wait wait = Wait::no;
        std::size_t bytes = 0;
        boost::system::error_code error;
    };

    /// `socket` has to outlive it. `context` only here: OpenSSL counts references.
    TlsSession(int socket, SSL_CTX* context);

    Outcome handshake(boost::asio::ssl::stream_base::handshake_type type);
    /// asio::error::eof: the other side has ended TLS; ssl::error::stream_truncated: the connection
    /// has ended without that.
    Outcome read(void* into, std::size_t most);
    /// May take less than it was given.
    Outcome write(std::string_view bytes);

    /// Tells the other side that nothing more comes, if the socket takes it at once.
    void finish();

    /// Bytes that are to be had without the socket. (SSL_has_pending() would also count the
    /// beginning of a record, of which nothing can be had yet.)
    [[nodiscard]] bool holds_bytes() const { return SSL_pending(ssl_.get()) > 0; }

    [[nodiscard]] SSL* ssl() const { return ssl_.get(); }

  private:
    [[nodiscard]] Outcome judge(int returned, std::size_t bytes, int system_error) const;

    struct Free {
        void operator()(SSL* ssl) const { SSL_free(ssl); }
    };

    std::unique_ptr<SSL, Free> ssl_;
};

} // namespace baton::net
