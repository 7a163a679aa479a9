#pragma once

#include "model/error.h"
#include "net/stream.h"
#include "rfb/handshake_client.h"
#include "viewer/link.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

/// Inside viewer/ alone.
namespace baton::viewer {

namespace asio = boost::asio;
using net::error_code;

/// One way to a screen: finds the machine, connects, shakes hands, logs in. Runs on one thread;
/// pending operations hold it.
class Attempt : public std::enable_shared_from_this<Attempt> {
  public:
    /// A screen that has let us in, and what it sent behind its ServerInit.
    struct Screen {
        net::Stream stream;
        rfb::ServerInit init;
        std::string rest;
    };

    struct Refusal {
        Error why;
        bool final = false; ///< to try the same again makes no sense
    };

    using Done = std::function<void(tl::expected<Screen, Refusal>)>;

    /// `tls` null: without.
    Attempt(asio::io_context& context, const LinkSettings& settings, asio::ssl::context* tls,
            rfb::Credentials credentials);

    /// `asking` when name and password have been sent; `done` once, unless cancelled.
    void start(std::function<void()> asking, Done done);
    void cancel();

  private:
    using Endpoint = asio::generic::stream_protocol::endpoint;

    void connect();
    void connected();
    void drive();
    void send_then(std::function<void()> next);
    void receive();
    void begin_tls();
    Result<void> answer_challenge();
    [[nodiscard]] Refusal refusal(const Error& why) const;
    [[nodiscard]] Error no_connection(const error_code& error) const;
    void end(Refusal refusal);
    [[nodiscard]] std::string place() const;

    [[nodiscard]] bool is_local() const { return settings_.host.front() == '/'; }

    const LinkSettings settings_;
    asio::ssl::context* tls_;
    rfb::Credentials credentials_;
    asio::ip::tcp::resolver resolver_;
    net::Stream stream_;
    std::vector<Endpoint> endpoints_;
    std::size_t next_endpoint_ = 0;
    error_code last_;
    rfb::HandshakeClient handshake_;
    std::string out_;
    std::string in_;
    std::vector<char> some_;
    std::function<void()> asking_;
    Done done_;
};

} // namespace baton::viewer
