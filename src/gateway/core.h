#pragma once

#include "gateway/config.h"
#include "gateway/lettering.h"
#include "gateway/ports.h"
#include "gateway/screen_dialer.h"
#include "gateway/wire.h"
#include "net/tls.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace baton::gateway {

class Viewer;
class Door;
class Pointing;
class Listener;

/// Somebody who has connected and is not let in yet.
class Stranger {
  public:
    virtual ~Stranger() = default;
    /// Disconnected, with a word where there is a way to say it.
    virtual void turn_out(std::string_view why) = 0;
};

/// What the gateway's parts share: the loop, who is there, and the Switchboard's work. All on the
/// gateway's thread but where it says otherwise. Its context is destroyed first of its members, and
/// with it whatever waits there and refers to the rest; what has timers and sockets goes before.
class Core : public std::enable_shared_from_this<Core> {
  public:
    using GrantDone = std::function<void(Result<Grant>)>;

    Core(GatewayConfig config, Director& director)
        : config_(std::move(config)), director_(director) {}

    ~Core();
    Core(const Core&) = delete;
    Core& operator=(const Core&) = delete;

    /// Before the thread runs: listens, reads the TLS files.
    Result<void> start(const MakeScreenDialer& make_dialer);

    void run() { context_.run(); }

    /// Disconnects everybody; run() then returns.
    void stop();

    [[nodiscard]] asio::io_context& context() { return context_; }

    [[nodiscard]] asio::any_io_executor executor() { return context_.get_executor(); }

    [[nodiscard]] ReadBuffer& buffer() { return buffer_; }

    [[nodiscard]] const Limits& limits() const { return config_.limits; }

    [[nodiscard]] ScreenDialer& dialer() { return *dialer_; }

    [[nodiscard]] bool tls_in_front() const { return config_.tls_in_front; }

    /// Not when TLS is in front.
    [[nodiscard]] asio::ssl::context* viewer_tls() { return viewer_tls_->now(); }

    [[nodiscard]] std::uint16_t vnc_port() const;
    [[nodiscard]] std::uint16_t web_port() const;

    // ---- people at the door ---------------------------------------------------------------------

    ViewerId next_id() { return ++last_id_; }

    void enter(ViewerId id, std::shared_ptr<Stranger> stranger);
    /// Has shown a name and a password or a ticket, and is no longer pushed out. Errc::busy: too
    /// many wait.
    Result<void> ask(ViewerId id, std::shared_ptr<Door> door);
    void leave_door(ViewerId id);

    /// The Director's answers, on the gateway's thread; not when it has stopped.
    void login(const UserName& user, const std::string& password, const std::string& client,
               GrantDone done);
    void redeem(const std::string& ticket, const std::string& client, GrantDone done);

    /// Empty: come in. Else what a newcomer is told.
    [[nodiscard]] std::string closed_because() const;
    /// Where the session is being pointed at this moment.
    [[nodiscard]] const Screen* pointed_at(const SessionId& session) const;

    // ---- viewers --------------------------------------------------------------------------------

    void came(std::shared_ptr<Viewer> viewer, const ViewerCame& news);
    void went(const ViewerWent& news);
    /// Once for each loss of a session's desktop, however many look on.
    void screen_lost(const ScreenLost& news);

    void screen_found(const SessionId& session) { told_lost_.erase(session); }

    /// A viewer shows another desktop than before.
    void count_viewers();

    /// The text as a picture, the same one while it is shown; null, and told in the log once: it
    /// cannot be drawn.
    std::shared_ptr<const Notice> drawn(const std::string& text);

    [[nodiscard]] const std::string& moving_text() const { return config_.moving_text; }

    // ---- the Switchboard ------------------------------------------------------------------------

    void prepare(const SessionId& session, const Screen& screen);
    void point(const SessionId& session, const Screen& screen, Done<Switched> done);
    void close(const SessionId& session, const std::string& why);
    void show(const SessionId& session, const std::string& text, std::chrono::milliseconds time);

    void drain(bool draining) { draining_ = draining; }

    /// Any thread.
    [[nodiscard]] std::vector<Carried> carried() const;

  private:
    using Asked = std::function<void(Director&, Done<Grant>)>;
    void ask_director(const Asked& question, GrantDone done);
    [[nodiscard]] std::vector<std::shared_ptr<Viewer>> viewers_of(const SessionId& session) const;
    [[nodiscard]] Result<void> check_loopback_only() const;
    Result<void> read_viewer_tls();
    Result<void> listen();

    GatewayConfig config_;
    Director& director_;
    ReadBuffer buffer_{};
    std::optional<net::FreshTls> viewer_tls_;
    std::unique_ptr<ScreenDialer> dialer_;
    std::unique_ptr<Lettering> lettering_;
    bool cannot_draw_ = false;
    std::map<std::string, std::weak_ptr<const Notice>> notices_;
    std::shared_ptr<Listener> vnc_;
    std::shared_ptr<Listener> web_;
    ViewerId last_id_ = 0;
    bool draining_ = false;
    bool stopped_ = false;
    std::map<ViewerId, std::shared_ptr<Stranger>> strangers_; ///< the oldest first
    std::map<ViewerId, std::shared_ptr<Door>> asking_;
    std::map<ViewerId, std::shared_ptr<Viewer>> viewers_;
    std::map<SessionId, std::shared_ptr<Pointing>> pointings_;
    std::set<SessionId> told_lost_;
    mutable std::mutex carried_mutex_;
    std::vector<Carried> carried_;
    asio::io_context context_{1};
    asio::executor_work_guard<asio::io_context::executor_type> guard_{context_.get_executor()};
};

} // namespace baton::gateway
