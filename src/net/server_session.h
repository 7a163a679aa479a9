#pragma once

#include "net/stream.h"
#include "net/tls.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

/// Inside net/ alone: what the connections of one server share, and one connection.
namespace baton::net {

class WebSocketLink;

/// Outlives the Server as long as somebody holds a Respond or a WebSocket of it, so that those can
/// be used at any time. Its context is destroyed first of its members: whatever waits in there
/// refers to the rest.
struct ServerCore : std::enable_shared_from_this<ServerCore> {
    ServerSettings settings;
    Handler handler;
    OnWebSocket on_websocket;
    std::optional<FreshTls> tls; ///< none: plain. Used on the listener's strand alone

    std::mutex mutex;
    std::condition_variable none_open;
    bool stopping = false;
    bool limit_told = false;
    std::uint64_t last_id = 0;
    std::map<std::uint64_t, std::function<void()>> open; ///< how to close each connection
    std::map<std::uint64_t, std::weak_ptr<WebSocketLink>> links;

    asio::io_context context;
    asio::executor_work_guard<asio::io_context::executor_type> guard{context.get_executor()};

    void adopt(Stream&& stream, std::string address);
    std::uint64_t enter(std::function<void()> close);
    void leave(std::uint64_t id);
    /// Closes everything, waits at most 1 s for it; then run() returns.
    void stop();
    /// After the threads have ended: tells the WebSockets that are left.
    void bury();
};

class ServerSession : public std::enable_shared_from_this<ServerSession> {
  public:
    ServerSession(ServerCore& core, Stream&& stream, std::string address)
        : core_(core), stream_(std::move(stream)), address_(std::move(address)) {}

    /// `id` as given by ServerCore::enter.
    void start(std::uint64_t id);
    /// Any thread.
    void close_soon();
    /// On the strand.
    void answer(Response response);

  private:
    void wait_for_request();
    void read_head();
    void head_read(error_code error);
    void read_body();
    void body_read(error_code error);
    void refuse(int status, const std::string& why);
    bool fill(Request& request);
    void upgrade();
    void hand_over();
    void send_file(const std::string& path, const std::string& range_header, Response response);
    void write(std::string text, std::function<void()> then);
    void send_piece();
    void answered();
    void linger();
    void drain();
    void end();

    [[nodiscard]] std::string head(const Response& response, std::int64_t length) const;

    ServerCore& core_;
    Stream stream_;
    std::string address_;
    Peer peer_;
    std::uint64_t id_ = 0;
    bool ended_ = false;
    beast::flat_buffer buffer_;
    std::optional<beast::http::request_parser<beast::http::string_body>> parser_;
    bool keep_alive_ = false;
    bool refused_ = false;
    bool head_only_ = false;
    unsigned version_ = 11;
    std::string range_;
    std::string out_;
    int file_ = -1;
    std::int64_t file_left_ = 0;
    std::int64_t file_at_ = 0;

  public:
    ~ServerSession();
    ServerSession(const ServerSession&) = delete;
    ServerSession& operator=(const ServerSession&) = delete;
};

} // namespace baton::net
