#pragma once

#include "gateway/wire.h"

#include <boost/asio/basic_socket_acceptor.hpp>

namespace baton::gateway {

/// One listening socket. close() before the last reference is dropped.
class Listener : public std::enable_shared_from_this<Listener> {
  public:
    /// `client`: its address. On the gateway's thread.
    using Arrived = std::function<void(net::Stream, std::string client)>;

    Listener(const asio::any_io_executor& executor, Arrived arrived)
        : acceptor_(executor), retry_(executor), arrived_(std::move(arrived)) {}

    /// As net::listen_at.
    Result<void> start(const Endpoint& where);
    void close();

    [[nodiscard]] std::uint16_t port() const { return port_; }

  private:
    void accept_next();
    void accept_later(const error_code& why);

    asio::basic_socket_acceptor<asio::generic::stream_protocol, asio::any_io_executor> acceptor_;
    asio::steady_timer retry_;
    Arrived arrived_;
    std::uint16_t port_ = 0;
    bool trouble_told_ = false;
};

} // namespace baton::gateway
