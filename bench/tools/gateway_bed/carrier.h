#pragma once

#include "sockets.h"

#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <string_view>

namespace baton::bed {

/// A viewer's connection: a stream or a WebSocket, with or without TLS. Blocking.
class Carrier {
  public:
    /// `kind`: none, plain, tls, ws, wss, stunnel (TLS around it all); `authority`: a CA's file
    /// where there is TLS.
    Carrier(const std::string& kind, std::uint16_t port, const std::string& authority);

    /// From the first byte (wss, stunnel), or where RFB says so (tls).
    void start_tls();
    void send(std::string_view bytes);
    /// RFB's bytes that come next, valid until the next call; empty: the end.
    std::string_view receive();

  private:
    struct Free {
        void operator()(SSL* ssl) const { SSL_free(ssl); }

        void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    };

    void upgrade(std::uint16_t port);
    void send_plain(std::string_view bytes);
    /// Into buffer_, behind what is there.
    bool fill();
    bool take_frame_head();

    std::string authority_;
    bool web_;
    process::Descriptor socket_;
    std::unique_ptr<SSL_CTX, Free> context_;
    std::unique_ptr<SSL, Free> tls_;
    static constexpr std::size_t room = std::size_t{256} * 1024;
    std::unique_ptr<char[]> buffer_ = std::make_unique_for_overwrite<char[]>(room);
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    std::size_t left_in_frame_ = 0;
};

} // namespace baton::bed
