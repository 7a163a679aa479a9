#pragma once

#include "net/stream.h"

#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/websocket/stream.hpp>

#include <atomic>
#include <deque>
#include <mutex>

/// Inside net/ alone: one WebSocket, of either side.
namespace baton::net {

using UpgradeRequest = beast::http::request<beast::http::string_body>;

class WebSocketLink : public std::enable_shared_from_this<WebSocketLink> {
  public:
    static constexpr std::size_t message_limit = 16 * 1024 * 1024;
    static constexpr std::size_t queue_limit = 64 * 1024 * 1024;

    WebSocketLink(Stream&& stream, Peer peer, std::chrono::milliseconds idle_timeout);

    /// Server: answers the upgrade, then reads. On the stream's executor.
    void accept(UpgradeRequest request);
    /// Server: answers with this instead.
    void refuse(std::string response);
    /// Client: `done` when open. On the stream's executor.
    void handshake(const std::string& host, const std::string& target, const std::string& bearer,
                   std::function<void(error_code, int status, std::string body)> done);

    // Any thread.
    void send(std::string text);
    void close();
    /// Closes without the user's callbacks; none runs any more when this has returned.
    void drop();
    /// Closes at once, telling `reason` to the user.
    void abort(const std::string& reason);
    void listen(std::function<void(std::string)> on_message,
                std::function<void(std::string)> on_close);

    [[nodiscard]] const Peer& peer() const { return peer_; }

    [[nodiscard]] Stream& stream() { return socket_.next_layer(); }

    /// Called when the socket is closed; set before accept() or handshake().
    std::function<void()> on_finished;

    /// Not on its executor: for a server whose threads have ended.
    void finish(const std::string& reason);

  private:
    struct Callbacks {
        std::function<void(std::string)> message;
        std::function<void(std::string)> close;
    };

    /// Whoever does not take what is left and answer the close by then is cut off.
    void close_within(std::chrono::milliseconds patience);
    void opened();
    void read_next();
    void write_next();
    void begin_close();
    void read_ended(error_code error);

    beast::websocket::stream<Stream, false> socket_;
    asio::steady_timer force_;
    Peer peer_;
    beast::flat_buffer buffer_;
    std::deque<std::string> queue_;
    std::atomic<std::size_t> queued_bytes_{0};
    bool open_ = false;
    bool listening_ = false;
    bool reading_ = false;
    bool writing_ = false;
    bool closing_ = false;
    bool close_sent_ = false;
    bool finished_ = false;

    std::recursive_mutex delivery_; ///< held while a callback runs
    std::shared_ptr<Callbacks> callbacks_;
    std::string reason_;   ///< of a close that came before listen()
    bool told_ = false;    ///< `on_close` has been called, or nobody wants it any more
    bool dropped_ = false; ///< no callback any more
};

/// What users hold. `keeps` is whatever the link needs to live (an io_context).
class WebSocketHandle : public WebSocket {
  public:
    WebSocketHandle(std::shared_ptr<void> keeps, std::shared_ptr<WebSocketLink> link)
        : keeps_(std::move(keeps)), link_(std::move(link)) {}

    ~WebSocketHandle() override { link_->drop(); }

    WebSocketHandle(const WebSocketHandle&) = delete;
    WebSocketHandle& operator=(const WebSocketHandle&) = delete;

    void send(std::string text) override { link_->send(std::move(text)); }

    void close() override { link_->close(); }

    [[nodiscard]] const Peer& peer() const override { return link_->peer(); }

    void listen(std::function<void(std::string)> on_message,
                std::function<void(std::string)> on_close) override {
        link_->listen(std::move(on_message), std::move(on_close));
    }

  private:
    std::shared_ptr<void> keeps_; ///< outlives link_
    std::shared_ptr<WebSocketLink> link_;
};

} // namespace baton::net
