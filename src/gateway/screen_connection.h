#pragma once

#include "gateway/screen_dialer.h"
#include "gateway/wire.h"
#include "rfb/handshake_client.h"
#include "rfb/server_reader.h"

namespace baton::gateway {

class ScreenConnection;

/// Who gets what a screen sends.
class ScreenUser {
  public:
    virtual ~ScreenUser() = default;
    virtual void screen_sent(ScreenConnection& from, std::string_view bytes) = 0;
    virtual void screen_lost(ScreenConnection& which, const Error& why) = 0;
    virtual void screen_progress(ScreenConnection& which) = 0;
};

/// One connection to one screen, from the dial on: RFB's handshake, then what waits before the
/// switch, then bytes. Used on the gateway's thread alone; close() or finish() ends it, also before
/// the last reference is dropped.
class ScreenConnection : public WireUser, public std::enable_shared_from_this<ScreenConnection> {
  public:
    using Done = std::function<void(Result<void>)>;

    ScreenConnection(const asio::any_io_executor& executor, ReadBuffer& buffer)
        : deadline_(executor), buffer_(buffer) {}

    /// `done`, later, once, unless it is closed before: init() is there, and nothing more is read.
    /// What ScreenDialer::dial says, and Errc::corrupt: no RFB; unauthenticated: it wants a
    /// password. `time` is for all of it.
    void open(ScreenDialer& dialer, const Screen& screen, std::chrono::milliseconds time,
              Done done);

    /// After open(): sends `opening`, and waits until a picture has begun to come in `format`.
    /// Nothing of it is lost: carry() gives it. Holds at most one read's bytes and a head.
    void await_picture(std::string opening, const rfb::PixelFormat& format,
                       std::chrono::milliseconds time, Done done);

    /// From now on `user` gets everything.
    void carry(std::weak_ptr<ScreenUser> user);

    void send(std::string bytes) { wire_->send(std::move(bytes)); }

    [[nodiscard]] std::size_t unsent() const { return wire_->unsent(); }

    void pause() { wire_->pause(); }

    void read() { wire_->read(); }

    /// The screen has closed it, whatever is still to be read.
    [[nodiscard]] bool hung_up() const { return !wire_ || wire_->hung_up(); }

    [[nodiscard]] const rfb::ServerInit& init() const { return handshake_.server_init(); }

    /// Sends this last, and closes. Nobody is told anything more.
    void finish(std::string last_words);
    void close();

    void take(std::string_view bytes) override;
    void lost(const Error& why) override;
    void progress() override;

  private:
    enum class Stage : std::uint8_t {
        dialing,
        handshake,
        open,
        picture,
        waiting,
        carrying,
        closed
    };

    void dialed(Result<Dialed> outcome);
    void shake_hands();
    void look_for_picture();
    void end(const Error& why);
    void within(std::chrono::milliseconds time);
    void settle(Result<void> outcome);

    asio::steady_timer deadline_;
    ReadBuffer& buffer_;
    Screen screen_;
    Stage stage_ = Stage::dialing;
    Done done_;
    std::shared_ptr<StreamWire> wire_;
    rfb::HandshakeClient handshake_{{rfb::Login::none}};
    std::string waiting_; ///< what has come and nobody has had
    std::optional<rfb::ServerReader> watch_;
    std::size_t watched_ = 0; ///< of waiting_
    std::weak_ptr<ScreenUser> user_;
};

} // namespace baton::gateway
