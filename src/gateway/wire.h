#pragma once

#include "net/stream.h"

#include <boost/asio/steady_timer.hpp>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

/// Connections of the gateway's one thread. Everything here is used on that thread alone.
namespace baton::gateway {

namespace asio = boost::asio;
using boost::system::error_code;

/// What all connections read into, one after the other.
using ReadBuffer = std::array<char, 64 * 1024>;

class WireUser {
  public:
    virtual ~WireUser() = default;
    /// `bytes` is valid until the return.
    virtual void take(std::string_view bytes) = 0;
    /// Nothing comes any more, and nothing is sent.
    virtual void lost(const Error& why) = 0;

    /// Some of what was to be sent has been handed to the kernel.
    virtual void progress() {}
};

/// A connection that carries bytes both ways, as a stream (TCP, TLS) or inside a WebSocket. An idle
/// one holds no buffers.
class Wire : public std::enable_shared_from_this<Wire> {
  public:
    virtual ~Wire() = default;
    Wire(const Wire&) = delete;
    Wire& operator=(const Wire&) = delete;

    /// Who is told from now on.
    void attach(std::weak_ptr<WireUser> user) { user_ = std::move(user); }

    /// Reads, until pause().
    void read();

    void pause() { reading_ = false; }

    /// In order. Kept until it is sent: see unsent().
    void send(std::string bytes);

    /// A word beside the stream, before all that is sent from now on. Only where a peer has said
    /// that it listens to such; else nothing.
    virtual void tell(std::string /*text*/) {}

    [[nodiscard]] std::size_t unsent() const {
        return in_flight_.size() - written_ + queue_.size();
    }

    /// All that was ever given to send(), and how much of it the kernel has.
    [[nodiscard]] std::uint64_t queued_total() const { return queued_total_; }

    [[nodiscard]] std::uint64_t sent_total() const { return queued_total_ - unsent(); }

    /// Sends what is left (a peer that does not take it has 5 s) and closes; `why` is for a peer
    /// that can be told. The user hears no more; `done` is called when it is closed.
    void finish(std::string_view why, std::function<void()> done = {});

    /// finish() will say that the end is meant: the session is over. A viewer that is not told so
    /// may take its connection for lost and come again.
    void will_be_meant() { meant_ = true; }

    /// At once, also while finishing. The user hears no more.
    void close();

    [[nodiscard]] bool closed() const { return closed_ || finishing_; }

  protected:
    explicit Wire(asio::any_io_executor executor) : patience_(std::move(executor)) {}

    // What a kind of connection does. One read and one write are pending at most.
    virtual void begin_read() = 0;
    /// As much as it likes of `bytes`, which stay where they are: written().
    virtual void begin_write(std::string_view bytes) = 0;
    /// The peer is to read to the end.
    virtual void end_writing(const std::string& why) = 0;
    virtual void shut() = 0;

    // What it tells.
    /// Gives the user something of a read that goes on; nothing_arrived() ends it.
    void deliver(std::string_view bytes);
    void arrived(std::string_view bytes);
    void nothing_arrived();
    void written(std::size_t bytes);
    void failed(const Error& why);

    [[nodiscard]] bool paused() const { return !reading_; }

    [[nodiscard]] bool meant() const { return meant_; }

    template <class Derived>
    std::shared_ptr<Derived> self() {
        return std::static_pointer_cast<Derived>(shared_from_this());
    }

  private:
    void write_next();
    void last_word();
    void set_patience(std::chrono::milliseconds time);

    std::weak_ptr<WireUser> user_;
    asio::steady_timer patience_; ///< while finishing
    std::string in_flight_;
    std::size_t written_ = 0; ///< of in_flight_
    std::string queue_;
    std::string why_;
    std::function<void()> on_closed_;
    std::uint64_t queued_total_ = 0;
    bool reading_ = false;
    bool read_pending_ = false;
    bool write_pending_ = false;
    bool finishing_ = false;
    bool meant_ = false;
    bool closed_ = false;
};

/// TCP or a unix socket; TLS may begin at any time.
class StreamWire : public Wire {
  public:
    StreamWire(net::Stream&& stream, ReadBuffer& buffer)
        : Wire(stream.get_executor()), stream_(std::move(stream)), buffer_(buffer) {}

    /// As a server. Only when nothing is unsent and nothing is being read. Not called when the wire
    /// is closed meanwhile.
    void start_tls(asio::ssl::context& tls, std::function<void(Result<void>)> done);

    /// The other side has closed, whether or not all that it sent has been read.
    [[nodiscard]] bool hung_up();

    [[nodiscard]] net::Stream& stream() { return stream_; }

  private:
    void begin_read() override;
    void begin_write(std::string_view bytes) override;
    void end_writing(const std::string& why) override;
    void shut() override;
    void readable();
    [[nodiscard]] bool read_once();

    net::Stream stream_;
    ReadBuffer& buffer_;
};

/// The kernel finds out by itself that a silent peer is gone, within two minutes.
void keep_alive(int socket);

/// Why a connection ended, as a sentence: "it was closed by the other side".
Error ended(const error_code& error);

} // namespace baton::gateway
