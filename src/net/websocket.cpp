#include "net/websocket.h"

#include <boost/asio/write.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/http/field.hpp>

namespace baton::net {

namespace websocket = beast::websocket;
namespace http = beast::http;

WebSocketLink::WebSocketLink(Stream&& stream, Peer peer, std::chrono::milliseconds idle_timeout)
    : socket_(std::move(stream)), force_(socket_.get_executor()), peer_(std::move(peer)) {
    socket_.next_layer().expires_never(); // the WebSocket has deadlines of its own
    websocket::stream_base::timeout timeouts{};
    timeouts.handshake_timeout = std::chrono::seconds(10);
    timeouts.idle_timeout = idle_timeout;
    timeouts.keep_alive_pings = true;
    socket_.set_option(timeouts);
    socket_.read_message_max(message_limit);
    socket_.text(true);
}

void WebSocketLink::accept(UpgradeRequest request) {
    auto held = std::make_shared<UpgradeRequest>(std::move(request));
    socket_.async_accept(*held, [self = shared_from_this(), held](error_code error) {
        if (error)
            self->finish("the upgrade failed: " + error.message());
        else
            self->opened();
    });
}

void WebSocketLink::refuse(std::string response) {
    auto held = std::make_shared<std::string>(std::move(response));
    auto& stream = socket_.next_layer();
    stream.expires_after(std::chrono::seconds(10));
    asio::async_write(
        stream, asio::buffer(*held),
        [self = shared_from_this(), held](error_code, std::size_t) { self->finish("refused"); });
}

void WebSocketLink::handshake(const std::string& host, const std::string& target,
                              const std::string& bearer,
                              std::function<void(error_code, int, std::string)> done) {
    if (!bearer.empty())
        socket_.set_option(
            websocket::stream_base::decorator([bearer](websocket::request_type& request) {
                request.set(http::field::authorization, "Bearer " + bearer);
            }));
    auto answer = std::make_shared<websocket::response_type>();
    socket_.async_handshake(
        *answer, host, target,
        [self = shared_from_this(), answer, done = std::move(done)](error_code error) {
            done(error, answer->result_int(), answer->body());
            if (!error)
                self->opened();
        });
}

void WebSocketLink::opened() {
    open_ = true;
    if (finished_)
        return;
    read_next();
    write_next();
}

void WebSocketLink::listen(std::function<void(std::string)> on_message,
                           std::function<void(std::string)> on_close) {
    {
        const std::lock_guard lock(delivery_);
        callbacks_ =
            std::make_shared<Callbacks>(Callbacks{std::move(on_message), std::move(on_close)});
    }
    asio::post(socket_.get_executor(), [self = shared_from_this()] {
        self->listening_ = true;
        if (self->finished_)
            self->finish(self->reason_); // tells it now
        else
            self->read_next();
    });
}

void WebSocketLink::read_next() {
    if (!open_ || !listening_ || reading_ || finished_)
        return;
    reading_ = true;
    socket_.async_read(buffer_, [self = shared_from_this()](error_code error, std::size_t) {
        self->reading_ = false;
        if (error) {
            self->read_ended(error);
            return;
        }
        if (!self->socket_.got_text()) {
            self->finish("the peer sent a binary message");
            return;
        }
        auto text = beast::buffers_to_string(self->buffer_.data());
        self->buffer_.consume(self->buffer_.size());
        {
            const std::lock_guard lock(self->delivery_);
            if (const auto callbacks = self->callbacks_; callbacks && !self->dropped_)
                callbacks->message(std::move(text));
        }
        self->read_next();
    });
}

void WebSocketLink::read_ended(error_code error) {
    if (error == websocket::error::closed)
        finish("closed by the peer");
    else if (error == beast::error::timeout)
        finish("the peer is silent");
    else if (error == websocket::error::message_too_big)
        finish("the peer sent a message over 16 MiB");
    else if (closing_)
        finish("closed");
    else
        finish("the connection was lost: " + error.message());
}

void WebSocketLink::send(std::string text) {
    if (queued_bytes_.fetch_add(text.size()) + text.size() > queue_limit) {
        abort("the peer does not take what is sent to it");
        return;
    }
    asio::post(socket_.get_executor(),
               [self = shared_from_this(), text = std::move(text)]() mutable {
                   if (self->finished_ || self->closing_)
                       return;
                   self->queue_.push_back(std::move(text));
                   self->write_next();
               });
}

void WebSocketLink::write_next() {
    if (!open_ || writing_ || finished_)
        return;
    if (queue_.empty()) {
        if (closing_)
            begin_close();
        return;
    }
    writing_ = true;
    socket_.async_write(asio::buffer(queue_.front()),
                        [self = shared_from_this()](error_code error, std::size_t) {
                            self->writing_ = false;
                            if (error) {
                                self->read_ended(error);
                                return;
                            }
                            self->queued_bytes_ -= self->queue_.front().size();
                            self->queue_.pop_front();
                            self->write_next();
                        });
}

void WebSocketLink::close() {
    close_within(std::chrono::seconds(2));
}

void WebSocketLink::close_within(std::chrono::milliseconds patience) {
    asio::post(socket_.get_executor(), [self = shared_from_this(), patience] {
        if (self->finished_ || self->closing_)
            return;
        self->closing_ = true;
        // A peer that does not answer the close does not hold it up.
        self->force_.expires_after(patience);
        self->force_.async_wait([self](error_code error) {
            if (!error)
                self->finish("closed");
        });
        self->write_next();
    });
}

void WebSocketLink::begin_close() {
    if (close_sent_)
        return;
    close_sent_ = true;
    socket_.async_close(websocket::close_code::normal,
                        [self = shared_from_this()](error_code) { self->finish("closed"); });
}

void WebSocketLink::drop() {
    std::shared_ptr<Callbacks> dead; // destroyed outside the lock
    {
        const std::lock_guard lock(delivery_);
        dropped_ = true;
        dead = std::exchange(callbacks_, nullptr);
    }
    close_within(std::chrono::milliseconds(500));
}

void WebSocketLink::abort(const std::string& reason) {
    asio::post(socket_.get_executor(),
               [self = shared_from_this(), reason] { self->finish(reason); });
}

void WebSocketLink::finish(const std::string& reason) {
    if (!finished_) {
        finished_ = true;
        reason_ = reason;
        force_.cancel();
        socket_.next_layer().close();
        if (on_finished)
            std::exchange(on_finished, nullptr)();
    }
    std::shared_ptr<Callbacks> callbacks;
    const std::lock_guard lock(delivery_);
    callbacks = std::exchange(callbacks_, nullptr);
    if (callbacks && !told_ && !dropped_) {
        told_ = true;
        callbacks->close(reason_);
    }
}

} // namespace baton::net
