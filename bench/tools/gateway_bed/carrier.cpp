#include "carrier.h"

#include <fmt/format.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cstring>

namespace baton::bed {

Carrier::Carrier(const std::string& kind, std::uint16_t port, const std::string& authority)
    : authority_(authority), web_(kind == "ws" || kind == "wss"), socket_(connect_to_port(port)) {
    if (kind == "wss" || kind == "stunnel")
        start_tls();
    if (web_)
        upgrade(port);
}

void Carrier::start_tls() {
    context_.reset(SSL_CTX_new(TLS_client_method()));
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
    SSL_CTX_load_verify_locations(context_.get(), authority_.c_str(), nullptr);
    tls_.reset(SSL_new(context_.get()));
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls_.get()), "127.0.0.1");
    SSL_set_fd(tls_.get(), socket_.get());
    if (SSL_connect(tls_.get()) != 1)
        give_up("the TLS handshake failed");
}

void Carrier::upgrade(std::uint16_t port) {
    send_plain(fmt::format("GET /v1/screen?ticket=t HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nUpgrade: "
                           "websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: "
                           "dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: "
                           "13\r\nSec-WebSocket-Protocol: binary\r\n\r\n",
                           port));
    for (;;) {
        if (!fill())
            give_up("no answer to the WebSocket's upgrade");
        const std::string_view answer(buffer_.get(), end_);
        const std::size_t head = answer.find("\r\n\r\n");
        if (head == std::string_view::npos)
            continue;
        if (answer.rfind("HTTP/1.1 101", 0) != 0)
            give_up("no WebSocket: " + std::string(answer));
        begin_ = head + 4;
        return;
    }
}

void Carrier::send_plain(std::string_view bytes) {
    if (!tls_)
        send_all(socket_.get(), bytes);
    else if (!bytes.empty() &&
             SSL_write(tls_.get(), bytes.data(), static_cast<int>(bytes.size())) <= 0)
        give_up("cannot send");
}

void Carrier::send(std::string_view bytes) {
    if (!web_) {
        send_plain(bytes);
        return;
    }
    for (; !bytes.empty(); bytes.remove_prefix(std::min<std::size_t>(bytes.size(), 100))) {
        const std::string_view piece = bytes.substr(0, 100);
        std::string frame("\x82", 1);
        frame += static_cast<char>(0x80 | piece.size());
        frame.append(4, '\0'); // a mask that changes nothing
        send_plain(frame.append(piece));
    }
}

bool Carrier::fill() {
    if (begin_ == end_)
        begin_ = end_ = 0;
    if (begin_ > 0 && end_ == room) {
        std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
        end_ -= begin_;
        begin_ = 0;
    }
    const std::size_t most = room - end_;
    const auto got = tls_ ? SSL_read(tls_.get(), buffer_.get() + end_, static_cast<int>(most))
                          : ::recv(socket_.get(), buffer_.get() + end_, most, 0);
    if (got > 0)
        end_ += static_cast<std::size_t>(got);
    return got > 0;
}

/// A server's frames have no mask.
bool Carrier::take_frame_head() {
    const auto byte = [&](std::size_t at) {
        return static_cast<std::uint8_t>(buffer_[begin_ + at]);
    };
    const auto want = [&](std::size_t bytes) {
        while (end_ - begin_ < bytes)
            if (!fill())
                return false;
        return true;
    };
    if (!want(2) || (byte(0) & 0x0F) == 8)
        return false;
    std::size_t length = byte(1) & 0x7F;
    const std::size_t wide = length == 126 ? 2 : length == 127 ? 8 : 0;
    if (!want(2 + wide))
        return false;
    if (wide > 0)
        length = 0;
    for (std::size_t i = 0; i < wide; ++i)
        length = length << 8 | byte(2 + i);
    begin_ += 2 + wide;
    left_in_frame_ = length;
    return true;
}

std::string_view Carrier::receive() {
    while (web_ && left_in_frame_ == 0)
        if (!take_frame_head())
            return {};
    if (begin_ == end_ && !fill())
        return {};
    std::size_t size = end_ - begin_;
    if (web_)
        size = std::min(size, left_in_frame_);
    const std::string_view bytes(buffer_.get() + begin_, size);
    begin_ += size;
    left_in_frame_ -= web_ ? size : 0;
    return bytes;
}

} // namespace baton::bed
