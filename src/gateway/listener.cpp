#include "gateway/listener.h"

#include "net/listen.h"

#include <spdlog/spdlog.h>

#include <arpa/inet.h>
#include <netinet/in.h>

namespace baton::gateway {

namespace {

std::string numeric(const asio::generic::stream_protocol::endpoint& endpoint) {
    const auto* generic = reinterpret_cast<const sockaddr*>(endpoint.data());
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (generic->sa_family == AF_INET)
        ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(generic)->sin_addr, text.data(),
                    text.size());
    else if (generic->sa_family == AF_INET6)
        ::inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(generic)->sin6_addr,
                    text.data(), text.size());
    return text.data();
}

} // namespace

Result<void> Listener::start(const Endpoint& where) {
    const auto listening = net::listen_at(where.address, where.port);
    if (!listening)
        return tl::unexpected(listening.error());
    port_ = listening->port;
    acceptor_.assign(asio::generic::stream_protocol(listening->family, IPPROTO_TCP),
                     listening->descriptor);
    accept_next();
    return {};
}

void Listener::close() {
    error_code ignored;
    acceptor_.close(ignored);
    retry_.cancel();
}

void Listener::accept_next() {
    using Socket = asio::basic_stream_socket<asio::generic::stream_protocol, asio::any_io_executor>;
    acceptor_.async_accept([self = shared_from_this()](error_code error, Socket socket) {
        if (!self->acceptor_.is_open())
            return;
        if (error) {
            self->accept_later(error);
            return;
        }
        self->trouble_told_ = false;
        error_code gone;
        const auto client = socket.remote_endpoint(gone);
        if (!gone) {
            keep_alive(socket.native_handle());
            self->arrived_(net::Stream(net::Stream::Socket(std::move(socket)), nullptr),
                           numeric(client));
        }
        self->accept_next();
    });
}

/// Out of descriptors, mostly: asking again at once would spin. Strangers have deadlines.
void Listener::accept_later(const error_code& why) {
    if (!std::exchange(trouble_told_, true))
        spdlog::warn("port {}: cannot accept connections for now: {}", port_, why.message());
    retry_.expires_after(std::chrono::milliseconds(200));
    retry_.async_wait([self = shared_from_this()](error_code error) {
        if (!error && self->acceptor_.is_open())
            self->accept_next();
    });
}

} // namespace baton::gateway
