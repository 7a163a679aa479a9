#pragma once

#include "net/http.h"
#include "net/tls_session.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/role.hpp>

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

/// For net/ and for the rooms that carry streams (gateway/, screenrelay/), in .cpp files and their
/// inner headers alone: one stream type for TCP and unix sockets, with and without TLS, so that
/// Beast's templates are compiled once each.
namespace baton::net {

namespace asio = boost::asio;
namespace beast = boost::beast;
using boost::system::error_code;

/// A byte stream with deadlines. Not thread-safe: used on its executor (a strand, or a context
/// that one thread runs).
class Stream {
  public:
    using Socket = beast::basic_stream<asio::generic::stream_protocol, asio::any_io_executor>;
    using executor_type = asio::any_io_executor;
    using Transferred = std::function<void(error_code, std::size_t)>;

    /// `tls` null: plain. Only used here: the stream keeps what it needs of it.
    Stream(Socket&& socket, asio::ssl::context* tls);
    Stream(Stream&&) noexcept = default;
    Stream& operator=(Stream&& other) noexcept;
    ~Stream();

    /// TLS from here on: async_handshake() is next. Only on a plain stream on which nothing is
    /// pending and of which nothing has been read that is TLS's already.
    void start_tls(asio::ssl::context& tls);

    [[nodiscard]] executor_type get_executor() { return impl_->socket.get_executor(); }

    [[nodiscard]] bool encrypted() const { return impl_->tls.has_value(); }

    /// The deadline of everything that is begun from now on; passing it closes the socket and
    /// ends operations with beast::error::timeout.
    void expires_after(std::chrono::milliseconds time);
    void expires_never();

    void async_connect(const asio::generic::stream_protocol::endpoint& endpoint,
                       std::function<void(error_code)> done) {
        impl_->socket.async_connect(endpoint, std::move(done));
    }

    void async_handshake(asio::ssl::stream_base::handshake_type type,
                         std::function<void(error_code)> done);

    [[nodiscard]] SSL* ssl() { return impl_->tls ? impl_->tls->ssl() : nullptr; }

    /// The verified certificate of the other end, and `address` as given.
    [[nodiscard]] Peer peer(std::string address);

    /// Closes the socket at once; pending operations end with operation_aborted.
    void close();
    /// Tells the peer inside TLS that the end is meant (RFC 8446, 6.1), if the socket takes that at
    /// once: finish_writing() is next. Not while a write is pending.
    void say_farewell();
    /// The peer reads to the end; reading goes on.
    void finish_writing();
    /// Something to read, or the end, is there without anybody having asked (a kept connection).
    [[nodiscard]] bool readable();

    /// Waits without a buffer until read_now() has something to say. As a read: one at a time.
    void async_wait_readable(std::function<void(error_code)> done);
    /// What is there, without waiting: asio::error::would_block when that is nothing, eof (or
    /// ssl::error::stream_truncated) at the end.
    std::size_t read_now(asio::mutable_buffer into, error_code& error);

    /// For options of sockets.
    [[nodiscard]] int descriptor() { return impl_->socket.socket().native_handle(); }

    template <class Buffers, class Token>
    auto async_read_some(const Buffers& buffers, Token&& token) {
        return asio::async_initiate<Token, void(error_code, std::size_t)>(
            [this](auto handler, Few<asio::mutable_buffer> few) {
                read_some(few, erase(std::move(handler)));
            },
            token, few_of<asio::mutable_buffer>(buffers));
    }

    template <class Buffers, class Token>
    auto async_write_some(const Buffers& buffers, Token&& token) {
        return asio::async_initiate<Token, void(error_code, std::size_t)>(
            [this](auto handler, Few<asio::const_buffer> few) {
                write_some(few, erase(std::move(handler)));
            },
            token, few_of<asio::const_buffer>(buffers));
    }

  private:
    /// "some": carrying only the first few buffers of a long sequence is correct.
    template <class Buffer>
    struct Few {
        using value_type = Buffer;
        using const_iterator = const Buffer*;
        std::array<Buffer, 8> items{};
        std::size_t count = 0;

        [[nodiscard]] const Buffer* begin() const { return items.data(); }

        [[nodiscard]] const Buffer* end() const { return items.data() + count; }
    };

    template <class Buffer, class Buffers>
    static Few<Buffer> few_of(const Buffers& buffers) {
        Few<Buffer> few;
        auto end = asio::buffer_sequence_end(buffers);
        for (auto it = asio::buffer_sequence_begin(buffers); it != end; ++it) {
            const Buffer buffer(*it);
            if (buffer.size() == 0)
                continue;
            few.items[few.count++] = buffer;
            if (few.count == few.items.size())
                break;
        }
        return few;
    }

    template <class Handler>
    Transferred erase(Handler handler) {
        auto held = std::make_shared<Handler>(std::move(handler));
        return [held, executor = get_executor()](error_code error, std::size_t bytes) {
            asio::dispatch(asio::get_associated_executor(*held, executor),
                           [held, error, bytes] { (*held)(error, bytes); });
        };
    }

    void read_some(const Few<asio::mutable_buffer>& buffers, Transferred done);
    void write_some(const Few<asio::const_buffer>& buffers, Transferred done);

    using Clock = std::chrono::steady_clock;

    struct Impl {
        explicit Impl(Socket&& socket_in)
            : socket(std::move(socket_in)),
              read_timer(socket.get_executor()),
              write_timer(socket.get_executor()) {}

        void close();

        Socket socket;
        std::optional<TlsSession> tls;
        // the socket's own operations have their deadlines from beast, what waits has these
        Clock::time_point deadline = Clock::time_point::max();
        asio::steady_timer read_timer;
        asio::steady_timer write_timer;
    };

    using Attempt = std::function<TlsSession::Outcome()>;
    using Waited = std::function<void(error_code)>;
    static void wait(const std::shared_ptr<Impl>& impl, asio::socket_base::wait_type what,
                     asio::steady_timer& timer, Waited done);
    static void attempt(const std::shared_ptr<Impl>& impl, const Attempt& once,
                        asio::steady_timer& timer, const Transferred& done);

    std::shared_ptr<Impl> impl_; ///< pending operations hold it; closed with the stream
};

// What Beast's WebSocket asks of a stream that it does not know.
void beast_close_socket(Stream& stream);
void teardown(beast::role_type role, Stream& stream, error_code& error);

template <class Handler>
void async_teardown(beast::role_type role, Stream& stream, Handler&& handler) {
    error_code error;
    teardown(role, stream, error);
    asio::post(stream.get_executor(),
               [held = std::make_shared<std::decay_t<Handler>>(std::forward<Handler>(handler)),
                error] { (*held)(error); });
}

} // namespace baton::net
