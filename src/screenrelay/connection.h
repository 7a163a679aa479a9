#pragma once

#include "net/stream.h"
#include "net/tls.h"
#include "screenrelay/pump.h"
#include "screenrelay/relay.h"
#include "screenrelay/request.h"
#include "screenrelay/tickets.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>

/// Inside screenrelay/ alone: one gateway's connection, and what all of them share.
namespace baton::screenrelay {

class Connection;

/// Outlives its connections. Used by the context's one thread alone, but for the counters.
struct RelayCore {
    RelayCore(RelaySettings settings_in, net::FreshTls tls_in)
        : settings(std::move(settings_in)), tls(std::move(tls_in)), tickets(settings.tickets) {}

    const RelaySettings settings;
    net::FreshTls tls;
    const Tickets tickets;
    std::map<Connection*, std::weak_ptr<Connection>> connections;
    std::atomic<std::size_t> open = 0;
    std::atomic<std::size_t> unproved = 0;
    net::asio::io_context context{1}; ///< destroyed first: what waits in it refers to the rest
};

/// From the accepted socket to its end, each step within its deadline: handshake, certificate, the
/// line, the ticket, the screen's socket, then two pumps. Lives as long as an operation is pending.
class Connection : public std::enable_shared_from_this<Connection> {
  public:
    Connection(RelayCore& core, net::Stream&& gateway, std::string address);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    void start();
    /// At once; pending operations end.
    void close();

  private:
    void shaken(net::error_code error);
    void read_line();
    void line_came(net::error_code error, std::size_t bytes);
    void asked(const Request& request);
    /// Opens the screen's socket; it may have no place for another connection just now.
    void reach(const std::string& socket, std::chrono::steady_clock::time_point until);
    void answer_ok();
    void carry();
    void one_way_ended(net::error_code error, const char* side);
    /// Says "no `why`" to the gateway and `detail` to the log, and ends.
    void refuse(const std::string& why, const std::string& detail);
    void failed(const std::string& detail);
    void say(std::string text, std::function<void()> then);
    void say_rest();
    void drain();
    void proved();

    [[nodiscard]] std::string who() const;

    RelayCore& core_;
    net::Stream gateway_;
    std::optional<net::Stream> screen_;
    const std::string address_;
    std::string name_; ///< of the verified certificate; "" before
    DesktopId desktop_;
    bool proved_ = false;
    std::array<char, RequestReader::longest_line> line_{};
    RequestReader reader_;
    std::string answer_;
    std::size_t answered_ = 0;
    std::function<void()> then_;
    std::size_t drained_ = 0;
    std::optional<net::asio::steady_timer>
        timer_; ///< one shot: the socket's place, the half-open end
    std::optional<Pump> to_screen_;
    std::optional<Pump> to_gateway_;
    unsigned ways_ = 0; ///< pumps that run
};

} // namespace baton::screenrelay
