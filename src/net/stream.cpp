#include "net/stream.h"

#include "net/tls.h"

#include <boost/asio/error.hpp>
#include <boost/beast/core/error.hpp>

#include <algorithm>
#include <poll.h>
#include <sys/socket.h>

namespace baton::net {

Stream::Stream(Socket&& socket, asio::ssl::context* tls)
    : impl_(std::make_shared<Impl>(std::move(socket))) {
    if (tls != nullptr)
        start_tls(*tls);
}

Stream::~Stream() {
    if (impl_)
        impl_->socket.close();
}

Stream& Stream::operator=(Stream&& other) noexcept {
    if (impl_ && impl_ != other.impl_)
        impl_->socket.close();
    impl_ = std::move(other.impl_);
    return *this;
}

void Stream::start_tls(asio::ssl::context& tls) {
    impl_->tls.emplace(impl_->socket.socket().native_handle(), tls.native_handle());
}

void Stream::expires_after(std::chrono::milliseconds time) {
    impl_->deadline = Clock::now() + time;
    impl_->socket.expires_after(time);
}

void Stream::expires_never() {
    impl_->deadline = Clock::time_point::max();
    impl_->socket.expires_never();
}

void Stream::async_handshake(asio::ssl::stream_base::handshake_type type,
                             std::function<void(error_code)> done) {
    auto* tls = &*impl_->tls;
    attempt(
        impl_, [tls, type] { return tls->handshake(type); }, impl_->read_timer,
        [done = std::move(done)](error_code error, std::size_t) { done(error); });
}

Peer Stream::peer(std::string address) {
    Peer peer;
    peer.address = std::move(address);
    if (impl_->tls)
        read_certificate(ssl(), peer);
    return peer;
}

void Stream::close() {
    impl_->close();
}

void Stream::Impl::close() {
    // The raw socket first: beast's close() alone leaves the peer to find out by itself when a
    // copy of the descriptor is about.
    error_code ignored;
    socket.socket().shutdown(asio::socket_base::shutdown_both, ignored);
    socket.close();
}

void Stream::say_farewell() {
    if (impl_->tls)
        impl_->tls->finish();
}

void Stream::finish_writing() {
    error_code ignored;
    impl_->socket.socket().shutdown(asio::socket_base::shutdown_send, ignored);
}

bool Stream::readable() {
    if (impl_->tls && impl_->tls->holds_bytes())
        return true;
    pollfd descriptor{impl_->socket.socket().native_handle(), POLLIN, 0};
    return ::poll(&descriptor, 1, 0) != 0;
}

/// `done` gets beast::error::timeout when the deadline has passed, and the socket is closed then.
void Stream::wait(const std::shared_ptr<Impl>& impl, asio::socket_base::wait_type what,
                  asio::steady_timer& timer, Waited done) {
    auto late = std::make_shared<bool>(false);
    if (impl->deadline != Clock::time_point::max()) {
        timer.expires_at(impl->deadline);
        timer.async_wait([impl, late](error_code error) {
            if (error)
                return;
            *late = true;
            impl->close();
        });
    }
    impl->socket.socket().async_wait(
        what, [impl, late, &timer, done = std::move(done)](error_code error) {
            timer.cancel();
            done(*late ? error_code(beast::error::timeout) : error);
        });
}

void Stream::attempt(const std::shared_ptr<Impl>& impl, const Attempt& once,
                     asio::steady_timer& timer, const Transferred& done) {
    if (!impl->socket.socket().is_open()) {
        asio::post(impl->socket.get_executor(),
                   [done] { done(asio::error::operation_aborted, 0); });
        return;
    }
    const TlsSession::Outcome outcome = once();
    if (outcome.wait == TlsSession::Wait::no) {
        asio::post(impl->socket.get_executor(),
                   [impl, done, outcome] { done(outcome.error, outcome.bytes); });
        return;
    }
    wait(impl,
         outcome.wait == TlsSession::Wait::readable ? asio::socket_base::wait_read
                                                    : asio::socket_base::wait_write,
         timer, [impl, once, &timer, done](error_code error) {
             if (error)
                 done(error, 0);
             else
                 attempt(impl, once, timer, done);
         });
}

void Stream::read_some(const Few<asio::mutable_buffer>& buffers, Transferred done) {
    if (!impl_->tls) {
        impl_->socket.async_read_some(buffers, std::move(done));
        return;
    }
    const asio::mutable_buffer first =
        buffers.count == 0 ? asio::mutable_buffer() : buffers.items[0];
    auto* tls = &*impl_->tls;
    attempt(
        impl_,
        [tls, first] {
            return first.size() == 0 ? TlsSession::Outcome{}
                                     : tls->read(first.data(), first.size());
        },
        impl_->read_timer, done);
}

namespace {

/// One record's worth of several buffers, so that a header does not become a record of its own.
constexpr std::size_t record_bytes = 16 * 1024;

template <class Buffers>
std::string gathered(const Buffers& buffers) {
    std::string bytes;
    for (const asio::const_buffer& buffer : buffers) {
        const std::size_t more = std::min(buffer.size(), record_bytes - bytes.size());
        bytes.append(static_cast<const char*>(buffer.data()), more);
    }
    return bytes;
}

} // namespace

void Stream::write_some(const Few<asio::const_buffer>& buffers, Transferred done) {
    if (!impl_->tls) {
        impl_->socket.async_write_some(buffers, std::move(done));
        return;
    }
    auto* tls = &*impl_->tls;
    Attempt once = [] { return TlsSession::Outcome{}; };
    if (buffers.count == 1 || (buffers.count > 1 && buffers.items[0].size() >= record_bytes))
        once = [tls, first = buffers.items[0]] {
            return tls->write({static_cast<const char*>(first.data()), first.size()});
        };
    else if (buffers.count > 1)
        once = [tls, bytes = gathered(buffers)] { return tls->write(bytes); };
    attempt(impl_, once, impl_->write_timer, done);
}

void Stream::async_wait_readable(std::function<void(error_code)> done) {
    if (!impl_->socket.socket().is_open() || (impl_->tls && impl_->tls->holds_bytes())) {
        asio::post(get_executor(), [done = std::move(done)] { done({}); });
        return;
    }
    wait(impl_, asio::socket_base::wait_read, impl_->read_timer, std::move(done));
}

std::size_t Stream::read_now(asio::mutable_buffer into, error_code& error) {
    error = {};
    if (!impl_->socket.socket().is_open()) {
        error = asio::error::operation_aborted;
        return 0;
    }
    if (!impl_->tls) {
        const ssize_t got = ::recv(descriptor(), into.data(), into.size(), MSG_DONTWAIT);
        if (got > 0)
            return static_cast<std::size_t>(got);
        if (got == 0)
            error = asio::error::eof;
        else
            error = error_code(errno, boost::system::system_category());
        if (error == asio::error::interrupted)
            error = asio::error::would_block;
        return 0;
    }
    std::size_t total = 0;
    while (total < into.size()) { // a record has at most 16 KiB
        const auto outcome =
            impl_->tls->read(static_cast<char*>(into.data()) + total, into.size() - total);
        total += outcome.bytes;
        if (outcome.wait != TlsSession::Wait::no || outcome.error) {
            if (total == 0)
                error = outcome.error ? outcome.error : error_code(asio::error::would_block);
            break; // an error behind bytes comes again with the next call
        }
    }
    return total;
}

void beast_close_socket(Stream& stream) {
    stream.close();
}

void teardown(beast::role_type /*role*/, Stream& stream, error_code& error) {
    stream.close();
    error = {};
}

} // namespace baton::net
