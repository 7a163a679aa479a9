#pragma once

#include "gateway/core.h"
#include "gateway/screen_connection.h"
#include "rfb/handshake_server.h"

namespace baton::gateway {

/// One newcomer, from the first byte of RFB to ServerInit: proves who they are, waits for the
/// Director's answer and for a connection to the desktop's screen, and becomes a Viewer. Every step
/// has a deadline; a newcomer that may not come in is told why where RFB can.
class Door : public WireUser, public Stranger, public std::enable_shared_from_this<Door> {
  public:
    /// A VNC viewer: VeNCrypt X509Plain, name and password.
    Door(Core& core, ViewerId id, std::shared_ptr<StreamWire> wire, std::string client);
    /// A browser, inside its WebSocket: the ticket is the proof.
    Door(Core& core, ViewerId id, std::shared_ptr<Wire> wire, std::string client,
         std::string ticket);

    void start();

    void turn_out(std::string_view why) override;
    /// The session is pointed there now.
    void redirect(const SessionId& session, const Screen& screen);
    void session_closed(const SessionId& session, const std::string& why);

    void take(std::string_view bytes) override;
    void lost(const Error& why) override;
    void progress() override;

  private:
    void within(std::chrono::milliseconds time, std::string word);
    void drive();
    void begin_tls();
    void ask();
    void answered(Result<Grant> answer);
    void open_screen(const Screen& screen);
    void opened(const Result<void>& outcome);
    void come_in();
    void refuse(const Error& why);
    void say_and_close(std::string_view word);
    void end_with(std::string_view word);
    void leave();

    static constexpr std::size_t most_input_bytes = 8192;

    Core& core_;
    ViewerId id_;
    std::shared_ptr<Wire> wire_;
    std::shared_ptr<StreamWire> plain_; ///< of a VNC viewer: where TLS begins
    std::string client_;
    std::string ticket_;
    rfb::HandshakeServer handshake_;
    std::string input_;
    asio::steady_timer deadline_;
    std::optional<Grant> grant_;
    Screen target_; ///< where the session is now
    std::shared_ptr<ScreenConnection> screen_;
    Screen screen_place_; ///< of screen_
    bool tls_wanted_ = false;
    bool asked_ = false; ///< has shown its proof
    bool held_ = false;  ///< the handshake waits for the Director or for the screen
    bool gone_ = false;
};

} // namespace baton::gateway
