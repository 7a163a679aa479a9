#include "net/http_text.h"
#include "net/listen.h"
#include "net/server_session.h"
#include "net/tls.h"
#include "net/websocket.h"

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/strand.hpp>
#include <spdlog/spdlog.h>

#include <future>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

namespace baton::net {

namespace {

using Acceptor = asio::basic_socket_acceptor<asio::generic::stream_protocol, asio::any_io_executor>;
using RawSocket = asio::basic_stream_socket<asio::generic::stream_protocol, asio::any_io_executor>;

/// One listening socket. Handlers hold it (they are destroyed by the core's context, which the
/// core outlives), so it refers to the core plainly.
class Listener : public std::enable_shared_from_this<Listener> {
  public:
    Listener(ServerCore& core, const Listening& listening)
        : core_(core),
          acceptor_(asio::make_strand(core.context)),
          retry_(acceptor_.get_executor()),
          unix_path_(listening.unix_path) {
        acceptor_.assign(asio::generic::stream_protocol(
                             listening.family, listening.family == AF_UNIX ? 0 : IPPROTO_TCP),
                         listening.descriptor);
    }

    void accept_next() {
        acceptor_.async_accept(asio::any_io_executor(asio::make_strand(core_.context)),
                               [self = shared_from_this()](error_code error, RawSocket socket) {
                                   if (!self->acceptor_.is_open())
                                       return;
                                   if (error) {
                                       self->accept_later(error);
                                       return;
                                   }
                                   self->take(std::move(socket));
                                   self->accept_next();
                               });
    }

    /// Returns when nobody can connect any more.
    void close() {
        std::promise<void> closed;
        asio::post(acceptor_.get_executor(), [this, &closed] {
            error_code ignored;
            acceptor_.close(ignored);
            retry_.cancel();
            closed.set_value();
        });
        closed.get_future().wait();
        if (!unix_path_.empty())
            ::unlink(unix_path_.c_str());
    }

  private:
    /// Out of descriptors: those that are open have deadlines, so that some become free.
    void accept_later(error_code why) {
        spdlog::warn("cannot accept a connection: {}; trying again in 0.2 s", why.message());
        retry_.expires_after(std::chrono::milliseconds(200));
        retry_.async_wait([self = shared_from_this()](error_code error) {
            if (!error && self->acceptor_.is_open())
                self->accept_next();
        });
    }

    void take(RawSocket socket) {
        error_code ignored;
        const auto endpoint = socket.remote_endpoint(ignored);
        const int on = 1; // unix sockets say no, which is fine
        ::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        core_.adopt(
            Stream(Stream::Socket(std::move(socket)), core_.tls ? core_.tls->now() : nullptr),
            address_text(*static_cast<const sockaddr*>(endpoint.data())));
    }

    ServerCore& core_;
    Acceptor acceptor_;
    asio::steady_timer retry_;
    std::string unix_path_;
};

class BeastServer : public Server {
  public:
    BeastServer(std::shared_ptr<ServerCore> core, const Listening& listening)
        : core_(std::move(core)),
          port_(listening.port),
          listener_(std::make_shared<Listener>(*core_, listening)) {
        listener_->accept_next();
        const unsigned count = std::max(1U, core_->settings.threads);
        threads_.reserve(count);
        for (unsigned i = 0; i < count; ++i)
            threads_.emplace_back([this] { core_->context.run(); });
    }

    ~BeastServer() override {
        listener_->close();
        listener_.reset();
        core_->stop();
        for (auto& thread : threads_)
            thread.join();
        core_->bury();
    }

    BeastServer(const BeastServer&) = delete;
    BeastServer& operator=(const BeastServer&) = delete;

    [[nodiscard]] std::uint16_t port() const override { return port_; }

  private:
    std::shared_ptr<ServerCore> core_;
    std::uint16_t port_;
    std::shared_ptr<Listener> listener_;
    std::vector<std::thread> threads_;
};

} // namespace

void ServerCore::adopt(Stream&& stream, std::string address) {
    {
        const std::lock_guard lock(mutex);
        if (stopping || open.size() >= settings.connection_limit) {
            if (!stopping && !limit_told) {
                limit_told = true;
                spdlog::warn("{} connections are open, the limit: more are turned away",
                             settings.connection_limit);
            }
            stream.close();
            return;
        }
        limit_told = false;
    }
    auto session = std::make_shared<ServerSession>(*this, std::move(stream), std::move(address));
    const auto id = enter([weak = std::weak_ptr(session)] {
        if (auto live = weak.lock())
            live->close_soon();
    });
    session->start(id);
}

std::uint64_t ServerCore::enter(std::function<void()> close) {
    std::unique_lock lock(mutex);
    const auto id = ++last_id;
    if (stopping) {
        lock.unlock();
        close();
        return id;
    }
    open.emplace(id, std::move(close));
    return id;
}

void ServerCore::leave(std::uint64_t id) {
    const std::lock_guard lock(mutex);
    open.erase(id);
    links.erase(id);
    if (open.empty())
        none_open.notify_all();
}

void ServerCore::stop() {
    std::vector<std::function<void()>> closers;
    {
        const std::lock_guard lock(mutex);
        stopping = true;
        for (auto& [id, close] : open)
            closers.push_back(close);
    }
    for (auto& close : closers)
        close();
    std::unique_lock lock(mutex);
    // Closing is said politely to WebSockets; whoever does not answer is cut off.
    none_open.wait_for(lock, std::chrono::seconds(1), [this] { return open.empty(); });
    lock.unlock();
    context.stop();
    guard.reset();
}

void ServerCore::bury() {
    std::map<std::uint64_t, std::weak_ptr<WebSocketLink>> left;
    {
        const std::lock_guard lock(mutex);
        left.swap(links);
    }
    for (auto& [id, weak] : left)
        if (auto link = weak.lock())
            link->finish("the server is stopping");
}

Result<std::unique_ptr<Server>> serve(const ServerSettings& settings, Handler handler,
                                      OnWebSocket on_websocket) {
    auto core = std::make_shared<ServerCore>();
    core->settings = settings;
    core->handler = std::move(handler);
    core->on_websocket = std::move(on_websocket);
    if (!settings.tls.certificate.empty()) {
        auto tls = FreshTls::start(settings.tls, [settings] {
            return server_tls(settings.tls, settings.require_client_certificate);
        });
        if (!tls)
            return tl::unexpected(tls.error());
        core->tls = std::move(*tls);
    }
    auto listening = listen_at(settings.address, settings.port);
    if (!listening)
        return tl::unexpected(listening.error());
    return std::make_unique<BeastServer>(std::move(core), *listening);
}

} // namespace baton::net
