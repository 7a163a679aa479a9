#pragma once

#include "model/error.h"

#include <openssl/ssl.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace baton::tools {

/// Bytes to and from a screen, plain at first and inside TLS from start_tls() on, with deadlines on
/// everything. One thread.
class ScreenLine {
  public:
    ScreenLine() = default;
    ~ScreenLine();
    ScreenLine(const ScreenLine&) = delete;
    ScreenLine& operator=(const ScreenLine&) = delete;

    /// `address`: "ADDRESS:PORT", or the path of a unix socket. Errc::invalid_argument: neither.
    Result<void> open(const std::string& address, std::chrono::milliseconds deadline);

    /// The server's certificate must lead to one in the PEM file `authority`, and be for the
    /// address of open(). Errc::unauthenticated: it is not.
    Result<void> start_tls(const std::string& authority, std::chrono::milliseconds deadline);

    /// How many bytes have come; 0: none within `deadline`. Errc::unavailable: the other side has
    /// closed the connection.
    Result<std::size_t> receive(char* into, std::size_t most, std::chrono::milliseconds deadline);

    Result<void> send(std::string_view bytes);

  private:
    using Clock = std::chrono::steady_clock;

    template <auto Free>
    struct Freer {
        template <class T>
        void operator()(T* what) const {
            Free(what);
        }
    };

    Result<void> connect(int family, const void* to, unsigned length);
    /// true: `events` came.
    Result<bool> wait(short events, Clock::time_point end);
    /// After an SSL call that did not go through: waits for what it wants.
    Result<bool> wait_for_tls(int result, Clock::time_point end, const char* doing);
    [[nodiscard]] tl::unexpected<Error> tls_failed(const char* doing) const;

    std::string address_;
    std::string host_; ///< of address_: what a certificate must be for
    int fd_ = -1;
    std::unique_ptr<SSL_CTX, Freer<SSL_CTX_free>> context_;
    std::unique_ptr<SSL, Freer<SSL_free>> tls_;
};

} // namespace baton::tools
