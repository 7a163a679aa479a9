#pragma once

#include "model/error.h"
#include "model/types.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

/// HTTP(S) and WebSocket for the controller, the host agent, the desk server and the command line.
/// Boost.Beast stays behind these types; the rooms that carry streams (gateway, screenrelay) use it
/// in their .cpp files, over net's own stream.
namespace baton::net {

/// Who is on the other end of a connection.
struct Peer {
    std::string address;            ///< "10.99.0.11", or "" on a unix socket
    std::string certificate_name;   ///< CN of its verified client certificate; "" = none shown
    std::string certificate_sha256; ///< lower-case hex; "" = none
};

struct Request {
    std::string method;                         ///< "GET"
    std::string path;                           ///< decoded, without the query: "/v1/sessions/s-1"
    std::map<std::string, std::string> query;   ///< decoded
    std::map<std::string, std::string> headers; ///< names in lower case
    std::string body;
    Peer peer;
};

struct Response {
    int status = 200;
    std::string content_type = "application/json";
    std::string body;
    std::map<std::string, std::string> headers;
    /// Not empty: the body is this file (sent without reading it into memory; Range is honoured).
    std::string file;
};

/// Any thread, once; later calls are passed over. Dropped without a call: the peer gets a 500.
/// May outlive the server.
using Respond = std::function<void(Response)>;
/// Called on one of the server's threads, which it should not block for long
/// (ServerSettings::threads).
using Handler = std::function<void(Request, Respond)>;

/// A WebSocket that is open. Thread-safe. Text messages only, each at most 16 MiB.
/// Dropping the last reference closes it.
class WebSocket {
  public:
    virtual ~WebSocket() = default;
    /// Queued; in order. After the close: passed over. A peer that lets more than 64 MiB pile up is
    /// closed.
    virtual void send(std::string text) = 0;
    /// What was sent before still goes out. `on_close` follows.
    virtual void close() = 0;
    [[nodiscard]] virtual const Peer& peer() const = 0;
    /// To be called once. Nothing is delivered before; `on_message` is called for one message at a
    /// time, `on_close` exactly once, last, with the reason for a log. Both on a thread of net's,
    /// and both may drop the last reference.
    virtual void listen(std::function<void(std::string)> on_message,
                        std::function<void(std::string)> on_close) = 0;
};

/// The status that stands for an error, and the body {"error":{"code","what","hint","message"}}.
int http_status(Errc code);
Response error_response(const Error& error);
/// The inverse, for clients: a non-2xx response as an Error (its own body if it is ours).
Error error_from_response(const Response& response);

struct TlsFiles {
    std::string certificate; ///< PEM paths
    std::string key;
    std::string authority; ///< trusted CA; empty: none
};

struct ServerSettings {
    std::string address = "127.0.0.1"; ///< or "unix:/path" (made with mode 0600)
    std::uint16_t port = 0;            ///< 0: any free one; see Server::port
    TlsFiles tls; ///< empty certificate: plain (unix sockets, tests on loopback)
    bool require_client_certificate = false; ///< false: asked for, verified if shown
    std::size_t body_limit = 8 * 1024 * 1024;
    unsigned threads = 1;
    std::size_t connection_limit = 1024; ///< more are closed at once
    // Against slow and silent peers.
    std::chrono::milliseconds header_timeout{10'000}; ///< TLS handshake; a request's whole header
    std::chrono::milliseconds body_timeout{60'000};   ///< a request's whole body
    std::chrono::milliseconds write_timeout{60'000};  ///< each 256 KiB of a response
    std::chrono::milliseconds idle_timeout{60'000};   ///< between two requests of a connection
    std::chrono::milliseconds websocket_idle_timeout{15'000}; ///< pings at half of it
};

/// Serves until destroyed; destruction waits for handlers that are running (so it may not be done
/// by one) and closes every connection and WebSocket.
class Server {
  public:
    virtual ~Server() = default;
    [[nodiscard]] virtual std::uint16_t port() const = 0;
};

/// `on_websocket` may be empty. A request to upgrade is first given to it with its Request; it
/// returns false to refuse (404).
using OnWebSocket = std::function<bool(const Request&, std::shared_ptr<WebSocket>)>;
/// Errc::busy: the port is in use, by whom if it can be told.
Result<std::unique_ptr<Server>> serve(const ServerSettings& settings, Handler handler,
                                      OnWebSocket on_websocket = {});

struct ClientSettings {
    std::string url; ///< "https://10.99.0.1:8443", "http://127.0.0.1:80", "unix:/run/x.sock"
    TlsFiles tls;    ///< certificate empty: none shown
    std::string bearer_token;
    std::string pinned_sha256; ///< of the server's certificate's CA, for a first join; empty: none
    std::string service = "batond"; ///< what should be there, for "is batond running?"
    std::chrono::milliseconds connect_timeout{5'000};
    std::chrono::milliseconds timeout{60'000}; ///< a whole request; of a download, each piece
    std::chrono::milliseconds websocket_idle_timeout{15'000}; ///< pings at half of it
};

/// One blocking request; the connection is kept for the next. Not thread-safe; make one per thread.
/// Errc::unavailable: nothing listens there; unauthenticated: one side's certificate is not
/// accepted; timeout. An HTTP status of 400 and more is not an error here: error_from_response.
class Client {
  public:
    virtual ~Client() = default;
    virtual Result<Response> request(std::string method, std::string target,
                                     std::string body = {}) = 0;
    /// GET into a file, resumed from its present size with a Range request; `progress(done,
    /// total)`. A status of 400 and more is an error. What arrived before a failure stays, for the
    /// next try; whether the content is right is the caller's to check (a digest).
    virtual Result<void>
    download(std::string target, const std::string& path,
             std::function<void(std::int64_t, std::int64_t)> progress = {}) = 0;
};

Result<std::unique_ptr<Client>> make_client(const ClientSettings& settings);

/// Opens a WebSocket (blocking), then delivers on a thread of its own. A peer that is silent for
/// websocket_idle_timeout, pings included, is closed. Reconnecting is the caller's.
Result<std::shared_ptr<WebSocket>> connect_websocket(const ClientSettings& settings,
                                                     const std::string& target);

} // namespace baton::net
