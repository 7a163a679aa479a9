#include "gateway/wire.h"

#include "gateway/spare_buffers.h"
#include "net/tls.h"

#include <boost/asio/error.hpp>
#include <boost/asio/ssl/error.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

namespace baton::gateway {

void Wire::read() {
    reading_ = true;
    if (read_pending_ || closed_)
        return;
    read_pending_ = true;
    begin_read();
}

void Wire::send(std::string bytes) {
    if (closed() || bytes.empty())
        return;
    queued_total_ += bytes.size();
    if (queue_.empty()) {
        queue_ = std::move(bytes);
    } else {
        queue_ += bytes;
        give_spare_buffer(std::move(bytes));
    }
    write_next();
}

void Wire::write_next() {
    if (write_pending_ || closed_)
        return;
    if (in_flight_.empty()) {
        if (queue_.empty())
            return;
        in_flight_ = std::exchange(queue_, {});
    }
    write_pending_ = true;
    begin_write(std::string_view(in_flight_).substr(written_));
}

void Wire::written(std::size_t bytes) {
    write_pending_ = false;
    if (closed_)
        return;
    written_ += bytes;
    if (written_ == in_flight_.size()) {
        give_spare_buffer(std::exchange(in_flight_, {})); // an idle connection keeps no memory
        written_ = 0;
    }
    if (finishing_) {
        if (unsent() == 0)
            last_word();
        else
            write_next();
        return;
    }
    write_next();
    if (const auto user = user_.lock())
        user->progress();
}

void Wire::deliver(std::string_view bytes) {
    const auto user = user_.lock();
    if (user && !closed())
        user->take(bytes); // may call read(), which is nothing new while this read is under way
}

void Wire::arrived(std::string_view bytes) {
    deliver(bytes);
    nothing_arrived();
}

void Wire::nothing_arrived() {
    read_pending_ = false;
    if (reading_ && !closed_)
        read();
}

void Wire::failed(const Error& why) {
    if (closed_)
        return;
    const auto user = finishing_ ? nullptr : user_.lock();
    close();
    if (user)
        user->lost(why);
}

void Wire::finish(std::string_view why, std::function<void()> done) {
    if (closed_ && done)
        done();
    if (finishing_ || closed_)
        return;
    finishing_ = true;
    on_closed_ = std::move(done);
    why_ = why;
    user_.reset();
    set_patience(std::chrono::seconds(5));
    if (unsent() == 0 && !write_pending_)
        last_word();
}

/// Closing with something unread would take back what was sent: the peer has a moment to end.
void Wire::last_word() {
    set_patience(std::chrono::seconds(2));
    end_writing(why_);
    read();
}

void Wire::set_patience(std::chrono::milliseconds time) {
    patience_.expires_after(time);
    patience_.async_wait([weak = weak_from_this()](error_code error) {
        const auto self = weak.lock();
        if (self && !error)
            self->close();
    });
}

void Wire::close() {
    if (closed_)
        return;
    closed_ = true;
    reading_ = false;
    user_.reset();
    patience_.cancel();
    std::string().swap(queue_);
    shut();
    if (const auto closed = std::exchange(on_closed_, {}))
        closed();
}

void StreamWire::start_tls(asio::ssl::context& tls, std::function<void(Result<void>)> done) {
    stream_.start_tls(tls);
    stream_.async_handshake(asio::ssl::stream_base::server,
                            [self = self<StreamWire>(), done = std::move(done)](error_code error) {
                                if (self->closed())
                                    return;
                                if (error)
                                    done(tl::unexpected(net::handshake_error(self->stream_.ssl(),
                                                                             error, "the viewer")));
                                else
                                    done({});
                            });
}

bool StreamWire::hung_up() {
    pollfd descriptor{stream_.descriptor(), POLLRDHUP, 0};
    return closed() || ::poll(&descriptor, 1, 0) != 0;
}

void StreamWire::begin_read() {
    stream_.async_wait_readable([self = self<StreamWire>()](error_code error) {
        if (error)
            self->failed(ended(error));
        else
            self->readable();
    });
}

/// Where a full buffer came there is more: it is had without waiting. Not for ever, for the sake of
/// the others on this thread.
void StreamWire::readable() {
    constexpr int most_reads = 4;
    int reads = 0;
    while (!paused() && read_once())
        if (++reads == most_reads)
            break;
    nothing_arrived();
}

/// Whether there may be more.
bool StreamWire::read_once() {
    error_code error;
    const std::size_t got = stream_.read_now(asio::buffer(buffer_), error);
    if (got > 0)
        deliver({buffer_.data(), got});
    else if (error != asio::error::would_block)
        failed(ended(error));
    return got == buffer_.size();
}

void StreamWire::begin_write(std::string_view bytes) {
    stream_.async_write_some(asio::buffer(bytes),
                             [self = self<StreamWire>()](error_code error, std::size_t sent) {
                                 if (error)
                                     self->failed(ended(error));
                                 else
                                     self->written(sent);
                             });
}

void StreamWire::end_writing(const std::string& /*why*/) {
    if (meant())
        stream_.say_farewell();
    stream_.finish_writing();
}

void StreamWire::shut() {
    stream_.close();
}

void keep_alive(int socket) {
    const auto set = [socket](int level, int option, int value) {
        ::setsockopt(socket, level, option, &value, sizeof value); // unix sockets say no: fine
    };
    set(SOL_SOCKET, SO_KEEPALIVE, 1);
    set(IPPROTO_TCP, TCP_KEEPIDLE, 60);
    set(IPPROTO_TCP, TCP_KEEPINTVL, 15);
    set(IPPROTO_TCP, TCP_KEEPCNT, 4);
    set(IPPROTO_TCP, TCP_NODELAY, 1);
}

Error ended(const error_code& error) {
    if (error == asio::error::eof || error == asio::ssl::error::stream_truncated ||
        error == asio::error::connection_reset || error == asio::error::broken_pipe)
        return {Errc::unavailable, "it was closed by the other side", "", 0};
    return {Errc::unavailable, "it was lost: " + error.message(), "", 0};
}

} // namespace baton::gateway
