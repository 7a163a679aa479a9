#pragma once

#include "net/http_text.h"
#include "net/stream.h"
#include "net/tls.h"

#include <boost/asio/io_context.hpp>

#include <optional>

/// Inside net/ alone: the blocking way to an open stream that client and WebSocket client share.
namespace baton::net {

class Connector {
  public:
    static Result<std::unique_ptr<Connector>> make(const ClientSettings& settings);

    /// Resolves, connects, shakes hands, each within connect_timeout.
    Result<Stream> connect();

    /// Runs the context until `start`'s operation, which has a deadline, has ended:
    /// start([&](error_code, ...) {...}) style through `finished`.
    template <class Start>
    void run(Start start) {
        bool finished = false;
        start(finished);
        context_->restart();
        while (!finished && context_->run_one() > 0) {
        }
    }

    [[nodiscard]] const Where& where() const { return where_; }

    [[nodiscard]] const ClientSettings& settings() const { return settings_; }

    [[nodiscard]] const std::shared_ptr<asio::io_context>& context() const { return context_; }

    /// For the Host header: "10.0.0.1:8443", "localhost" for a unix socket.
    [[nodiscard]] std::string host() const;

    /// An error of a request that was under way, for a person.
    [[nodiscard]] Error lost(Stream* stream, error_code error) const;

  private:
    Connector(ClientSettings settings, Where where)
        : settings_(std::move(settings)), where_(std::move(where)) {}

    using Endpoint = asio::generic::stream_protocol::endpoint;
    Result<std::vector<Endpoint>> resolve();
    Result<Stream> connect_to(const Endpoint& endpoint);
    [[nodiscard]] Error no_connection(error_code error) const;

    ClientSettings settings_;
    Where where_;
    std::optional<FreshTls> tls_; ///< none: plain
    std::shared_ptr<asio::io_context> context_ = std::make_shared<asio::io_context>(1);
};

} // namespace baton::net
