#include "net/stream.h"

#include "net/tls.h"

#include <poll.h>
#include <sys/socket.h>

namespace baton::net {

Stream::Stream(Socket&& socket, asio::ssl::context* tls)
    : impl_(std::make_unique<Impl>(std::move(socket))) {
    if (tls != nullptr)
        impl_->tls.emplace(impl_->socket, *tls);
}

void Stream::async_handshake(asio::ssl::stream_base::handshake_type type,
                             std::function<void(error_code)> done) {
    impl_->tls->async_handshake(type, std::move(done));
}

Peer Stream::peer(std::string address) {
    Peer peer;
    peer.address = std::move(address);
    if (impl_->tls)
        read_certificate(ssl(), peer);
    return peer;
}

void Stream::close() {
    // The raw socket first: beast's close() alone leaves the peer to find out by itself when a
    // copy of the descriptor is about.
    error_code ignored;
    impl_->socket.socket().shutdown(asio::socket_base::shutdown_both, ignored);
    impl_->socket.close();
}

void Stream::finish_writing() {
    error_code ignored;
    impl_->socket.socket().shutdown(asio::socket_base::shutdown_send, ignored);
}

bool Stream::readable() {
    pollfd descriptor{impl_->socket.socket().native_handle(), POLLIN, 0};
    return ::poll(&descriptor, 1, 0) != 0;
}

void Stream::read_some(const Few<asio::mutable_buffer>& buffers, Transferred done) {
    if (impl_->tls)
        impl_->tls->async_read_some(buffers, std::move(done));
    else
        impl_->socket.async_read_some(buffers, std::move(done));
}

void Stream::write_some(const Few<asio::const_buffer>& buffers, Transferred done) {
    if (impl_->tls)
        impl_->tls->async_write_some(buffers, std::move(done));
    else
        impl_->socket.async_write_some(buffers, std::move(done));
}

void beast_close_socket(Stream& stream) {
    stream.close();
}

void teardown(beast::role_type /*role*/, Stream& stream, error_code& error) {
    stream.close();
    error = {};
}

} // namespace baton::net
