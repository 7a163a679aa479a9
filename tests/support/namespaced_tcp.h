#pragma once

#include "model/error.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace baton::testing {

/// TCP in another network namespace (/run/netns/NAME), for tests under with-routing-network.
class TcpSocket {
  public:
    explicit TcpSocket(int fd) : fd_(fd) {}

    ~TcpSocket();
    TcpSocket(TcpSocket&& other) noexcept;
    TcpSocket& operator=(TcpSocket&&) = delete;

    void send(const std::string& text) const;
    /// What comes next; "" at the end of the stream; nothing when it is reset or time is up.
    [[nodiscard]] std::optional<std::string> receive(std::chrono::milliseconds patience) const;
    /// How long it takes until the connection is reset or closed, without a word from our side.
    [[nodiscard]] std::optional<std::chrono::milliseconds>
    wait_for_end(std::chrono::milliseconds patience) const;

    [[nodiscard]] int fd() const { return fd_; }

  private:
    int fd_;
};

/// Accepts connections in a namespace, greets each with `name`, then says what it hears, until
/// destroyed.
class EchoServer {
  public:
    EchoServer(const std::string& netns, const std::string& address, std::uint16_t port,
               std::string name);
    ~EchoServer();
    EchoServer(const EchoServer&) = delete;
    EchoServer& operator=(const EchoServer&) = delete;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

/// Errc::unavailable: refused; Errc::timeout. `from`, `from_port`: bind to this
/// first.
Result<TcpSocket> connect_in(const std::string& netns, const std::string& address,
                             std::uint16_t port, const std::string& from = {},
                             std::uint16_t from_port = 0);

/// Connects and reads the greeting: who answers there.
Result<std::string> who_answers(const std::string& netns, const std::string& address,
                                std::uint16_t port, const std::string& from = {});

} // namespace baton::testing
