#include "screenrelay/relay.h"

#include "net/listen.h"
#include "screenrelay/connection.h"

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <spdlog/spdlog.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <thread>
#include <utility>
#include <vector>

namespace baton::screenrelay {

namespace asio = boost::asio;
using net::error_code;

namespace {

using Acceptor = asio::basic_socket_acceptor<asio::generic::stream_protocol, asio::any_io_executor>;
using RawSocket = asio::basic_stream_socket<asio::generic::stream_protocol, asio::any_io_executor>;

/// A peer whose machine is gone says nothing: the kernel asks it now and then, without our doing.
void keep_alive(int socket) {
    const auto set = [socket](int level, int option, int value) {
        ::setsockopt(socket, level, option, &value, sizeof value);
    };
    set(SOL_SOCKET, SO_KEEPALIVE, 1);
    set(IPPROTO_TCP, TCP_KEEPIDLE, 60);
    set(IPPROTO_TCP, TCP_KEEPINTVL, 15);
    set(IPPROTO_TCP, TCP_KEEPCNT, 4);
    set(IPPROTO_TCP, TCP_NODELAY, 1);
}

class RunningRelay : public Relay {
  public:
    RunningRelay(RelaySettings settings, net::FreshTls tls, const net::Listening& listening)
        : core_(std::move(settings), std::move(tls)),
          port_(listening.port),
          acceptor_(core_.context.get_executor()),
          retry_(core_.context.get_executor()) {
        acceptor_.assign(asio::generic::stream_protocol(listening.family, IPPROTO_TCP),
                         listening.descriptor);
        accept_next();
        thread_ = std::thread([this] { core_.context.run(); });
    }

    ~RunningRelay() override {
        // nothing is pending any more when run() returns: connections end with their operations
        asio::post(core_.context, [this] {
            error_code ignored;
            acceptor_.close(ignored);
            retry_.cancel();
            for (const auto& [raw, weak] : std::exchange(core_.connections, {}))
                if (const auto connection = weak.lock())
                    connection->close();
        });
        thread_.join();
    }

    RunningRelay(const RunningRelay&) = delete;
    RunningRelay& operator=(const RunningRelay&) = delete;

    [[nodiscard]] std::uint16_t port() const override { return port_; }

    [[nodiscard]] Load load() const override { return {core_.open, core_.unproved}; }

  private:
    void accept_next() {
        acceptor_.async_accept(core_.context.get_executor(),
                               [this](error_code error, RawSocket socket) {
                                   if (!acceptor_.is_open())
                                       return;
                                   if (error)
                                       return accept_later(error);
                                   take(std::move(socket));
                                   accept_next();
                               });
    }

    /// Out of descriptors: connections end, so that some become free.
    void accept_later(error_code why) {
        spdlog::warn("cannot accept a connection: {}; trying again in 0.2 s", why.message());
        retry_.expires_after(std::chrono::milliseconds(200));
        retry_.async_wait([this](error_code error) {
            if (!error && acceptor_.is_open())
                accept_next();
        });
    }

    void take(RawSocket socket) {
        error_code ignored;
        const auto endpoint = socket.remote_endpoint(ignored);
        const std::string address =
            net::address_text(*static_cast<const sockaddr*>(endpoint.data()));
        const RelaySettings& settings = core_.settings;
        const bool full = core_.open >= settings.connection_limit;
        if (full || core_.unproved >= settings.unproved_limit) {
            if (!std::exchange(limit_told_, true))
                spdlog::warn(
                    "{} connections are open, {} of them without a ticket yet: {} and more "
                    "are turned away",
                    core_.open.load(), core_.unproved.load(), address);
            socket.close(ignored);
            return;
        }
        limit_told_ = false;
        keep_alive(socket.native_handle());
        auto connection = std::make_shared<Connection>(
            core_, net::Stream(net::Stream::Socket(std::move(socket)), core_.tls.now()), address);
        core_.connections.emplace(connection.get(), connection);
        connection->start();
    }

    RelayCore core_;
    const std::uint16_t port_;
    Acceptor acceptor_;
    asio::steady_timer retry_;
    bool limit_told_ = false;
    std::thread thread_;
};

} // namespace

Result<std::unique_ptr<Relay>> Relay::start(RelaySettings settings) {
    auto tls = net::FreshTls::start(
        settings.tls, [files = settings.tls] { return net::server_tls(files, true); });
    if (!tls)
        return tl::unexpected(tls.error());
    const auto listening = net::listen_at(settings.address, settings.port);
    if (!listening)
        return tl::unexpected(listening.error());
    return std::make_unique<RunningRelay>(std::move(settings), std::move(*tls), *listening);
}

} // namespace baton::screenrelay
