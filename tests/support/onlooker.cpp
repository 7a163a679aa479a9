#include "support/onlooker.h"

#include "net/vnc_password.h"
#include "rfb/handshake_client.h"

#include <fmt/format.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <netinet/in.h>
#include <stdexcept>
#include <sys/socket.h>
#include <sys/time.h>

namespace baton::testing {

process::Descriptor connect_to_port(std::uint16_t port) {
    process::Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const timeval deadline{20, 0};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof deadline);
    ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &deadline, sizeof deadline);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        throw std::runtime_error(fmt::format("cannot connect to port {}: errno {}", port, errno));
    return socket;
}

void Line::start_tls(const std::string& authority) {
    context_.reset(SSL_CTX_new(TLS_client_method()));
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
    SSL_CTX_load_verify_locations(context_.get(), authority.c_str(), nullptr);
    tls_.reset(SSL_new(context_.get()));
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls_.get()), "127.0.0.1");
    SSL_set_fd(tls_.get(), socket_.get());
    if (SSL_connect(tls_.get()) != 1)
        throw std::runtime_error("the TLS handshake failed");
}

void Line::send(std::string_view bytes) {
    while (!bytes.empty()) {
        const auto sent = tls_ ? SSL_write(tls_.get(), bytes.data(), static_cast<int>(bytes.size()))
                               : ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0)
            throw std::runtime_error("cannot send");
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
}

bool Line::receive(std::string& buffer) {
    std::array<char, 16384> some{};
    errno = 0;
    const auto got = tls_ ? SSL_read(tls_.get(), some.data(), some.size())
                          : ::recv(socket_.get(), some.data(), some.size(), 0);
    if (got <= 0 && errno == EAGAIN)
        throw std::runtime_error("nothing came within 20 seconds");
    if (got <= 0)
        return false;
    buffer.append(some.data(), static_cast<std::size_t>(got));
    return true;
}

std::string Line::receive_rest() {
    std::string all;
    while (receive(all)) {
    }
    return all;
}

WebCarrier::WebCarrier(const std::string& authority, std::uint16_t port, const std::string& target,
                       const std::string& protocol)
    : line_(port) {
    line_.start_tls(authority);
    line_.send(fmt::format("GET {} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nUpgrade: websocket\r\n"
                           "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                           "Sec-WebSocket-Version: 13\r\n{}\r\n",
                           target, port,
                           protocol.empty() ? "" : "Sec-WebSocket-Protocol: " + protocol + "\r\n"));
    std::size_t end = std::string::npos;
    while ((end = answer_.find("\r\n\r\n")) == std::string::npos)
        if (!line_.receive(answer_))
            return;
    frames_ = answer_.substr(end + 4);
    answer_.resize(end);
}

/// Masked, as a client's have to be.
void WebCarrier::send_frame(int opcode, std::string_view payload) {
    std::string frame(1, static_cast<char>(0x80 | opcode));
    if (payload.size() < 126) {
        frame += static_cast<char>(0x80 | payload.size());
    } else {
        frame += static_cast<char>(0x80 | 126);
        frame += static_cast<char>(payload.size() >> 8);
        frame += static_cast<char>(payload.size());
    }
    const std::string mask = "\x12\x34\x56\x78";
    frame += mask;
    for (std::size_t i = 0; i < payload.size(); ++i)
        frame += static_cast<char>(payload[i] ^ mask[i % 4]);
    line_.send(frame);
}

void WebCarrier::send(std::string_view bytes) {
    for (; !bytes.empty(); bytes.remove_prefix(std::min<std::size_t>(bytes.size(), 1000)))
        send_frame(2, bytes.substr(0, 1000));
}

bool WebCarrier::receive(std::string& buffer) {
    const auto byte = [&](std::size_t at) {
        while (frames_.size() <= at)
            if (!line_.receive(frames_))
                throw std::runtime_error("the WebSocket has ended without a closing frame");
        return static_cast<std::uint8_t>(frames_[at]);
    };
    const int opcode = byte(0) & 0x0F;
    std::size_t head = 2;
    std::size_t length = byte(1) & 0x7F;
    if (length >= 126) {
        const std::size_t wide = length == 126 ? 2 : 8;
        length = 0;
        for (std::size_t i = 0; i < wide; ++i)
            length = length << 8 | byte(head++);
    }
    if (length > 0)
        byte(head + length - 1);
    const std::string payload = frames_.substr(head, length);
    frames_.erase(0, head + length);
    if (opcode == 8) {
        close_reason_ = payload.size() > 2 ? payload.substr(2) : "";
        return false;
    }
    if (opcode == 1)
        texts_ += payload;
    if (opcode == 2)
        buffer += payload;
    return true;
}

Onlooker::Onlooker(const std::string& authority, std::uint16_t port, const std::string& user,
                   const std::string& password)
    : Onlooker(connect_to_port(port), authority, rfb::Login::x509_plain, {user, password}) {}

Onlooker::Onlooker(process::Descriptor socket, const std::string& authority, rfb::Login login,
                   const rfb::Credentials& proof) {
    auto plain = std::make_unique<PlainCarrier>(std::move(socket));
    plain_ = plain.get();
    carrier_ = std::move(plain);
    log_in(authority, login, proof);
}

Onlooker::Onlooker(std::unique_ptr<Carrier> carrier) : carrier_(std::move(carrier)) {
    log_in({}, rfb::Login::none, {});
}

void Onlooker::log_in(const std::string& authority, rfb::Login login,
                      const rfb::Credentials& proof) {
    using Step = rfb::HandshakeClient::Step;
    rfb::HandshakeClient handshake({login});
    for (Step step = Step::again; step != Step::done;) {
        carrier_->send(handshake.take_output());
        if (step == Step::need_more && !carrier_->receive(buffer_))
            throw std::runtime_error("the gateway has ended the connection");
        const auto progress = handshake.next(buffer_);
        if (!progress)
            throw std::runtime_error(progress.error().message());
        buffer_.erase(0, progress->used);
        step = progress->step;
        if (step == Step::start_tls) {
            carrier_->send(handshake.take_output());
            plain_->line.start_tls(authority);
        }
        if (step == Step::give_credentials)
            handshake.give(proof);
        if (step == Step::answer_challenge)
            handshake.answer(
                net::answer_vnc_challenge(proof.password, handshake.challenge()).value());
    }
    init_ = handshake.server_init();
    begin();
}

void Onlooker::begin() {
    reader_.emplace(rfb::Size{init_.width, init_.height}, rfb::PixelFormat{});
    decoder_.emplace(reader_->size());
    std::string out;
    write(out, rfb::SetPixelFormat{rfb::PixelFormat{}});
    rfb::write_encodings(out, {rfb::Encoding::tight, rfb::Encoding::last_rect,
                               rfb::Encoding::extended_desktop_size, rfb::Encoding::desktop_size,
                               rfb::Encoding::qemu_extended_key});
    send(out);
    request(false);
}

void Onlooker::request(bool incremental) {
    std::string out;
    write(out,
          rfb::UpdateRequest{incremental, 0, 0, reader_->size().width, reader_->size().height});
    send(out);
}

void Onlooker::walk() {
    std::size_t at = 0;
    for (;;) {
        const auto event = reader_->next(std::string_view(buffer_).substr(at));
        if (!event)
            throw std::runtime_error(event.error().message());
        if (event->part == rfb::ServerEvent::Part::need_more)
            break;
        at += event->bytes.size();
        decoder_->take(*reader_, *event);
        if (event->part == rfb::ServerEvent::Part::rectangle)
            update_has_picture_ = update_has_picture_ || is_picture(reader_->rectangle().encoding);
        if (event->ends_message && std::exchange(update_has_picture_, false))
            ++updates_;
        if (event->ends_message)
            request(true);
    }
    buffer_.erase(0, at);
}

bool Onlooker::look_until(const std::function<bool()>& enough) {
    for (;;) {
        walk();
        if (enough())
            return true;
        if (!carrier_->receive(buffer_))
            return false;
    }
}

bool Onlooker::look_until_it_shows(const std::string& ppm) {
    return look_until([&] { return decoder_->missing() == 0 && decoder_->picture().ppm() == ppm; });
}

} // namespace baton::testing
