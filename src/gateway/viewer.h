#pragma once

#include "gateway/core.h"
#include "gateway/relay.h"
#include "gateway/screen_connection.h"

namespace baton::gateway {

/// Somebody who looks on: a connection to a viewer, one to a screen, and the relay between them.
/// Used on the gateway's thread alone.
class Viewer : public WireUser, public ScreenUser, public std::enable_shared_from_this<Viewer> {
  public:
    struct Arrival {
        ViewerId id = 0;
        Grant grant;
        std::string client;
        bool browser = false;
        std::shared_ptr<Wire> wire;               ///< ServerInit is on its way there
        std::shared_ptr<ScreenConnection> screen; ///< open, and what ServerInit tells of
        Screen place;                             ///< of `screen`
    };

    /// How one viewer's switch went.
    struct Cut {
        std::chrono::microseconds cut_to_frame{};
        std::chrono::microseconds frame_to_frame{};
    };

    using ReadyDone = std::function<void(Result<void>)>;
    using CutDone = std::function<void(Result<Cut>)>;

    Viewer(Core& core, Arrival arrival);

    /// `first`: what has come from the viewer already.
    void begin(std::string_view first);

    [[nodiscard]] const SessionId& session() const { return session_; }

    [[nodiscard]] const DesktopId& desktop() const { return place_.desktop; }

    /// That screen is what it sees at this moment.
    [[nodiscard]] bool shows(const Screen& screen) const { return screen_ && place_ == screen; }

    // The switch. Each callback comes once, also when the viewer leaves (Errc::cancelled).

    /// A hint: connects, and keeps it until it is asked for.
    void prepare(const Screen& screen);
    /// A connection to that screen with its picture waiting.
    void make_ready(const Screen& screen, ReadyDone done);
    /// What make_ready() got takes over. `done` when its first picture has been sent on, or it will
    /// not come. Error: the viewer had to be disconnected, or stays where it is.
    void cut(CutDone done);
    /// What make_ready() began is given up.
    void give_up_next();
    /// Sees that screen as soon as it can be had; keeps its last picture until then.
    void follow(const Screen& screen);

    /// Disconnects it.
    void leave(const std::string& why);
    /// The session has ended: it is told that this is meant.
    void session_closed(const std::string& why);

    /// What the person is to be told, for so long at most; zero: taken away.
    void show(const std::string& text, std::chrono::milliseconds time);

    void take(std::string_view bytes) override;
    void lost(const Error& why) override;
    void progress() override;
    void screen_sent(ScreenConnection& from, std::string_view bytes) override;
    void screen_lost(ScreenConnection& which, const Error& why) override;
    void screen_progress(ScreenConnection& which) override;

  private:
    using Clock = std::chrono::steady_clock;

    struct Next {
        Screen place;
        std::shared_ptr<ScreenConnection> connection;
        bool ready = false;
        ReadyDone on_ready; ///< empty: a hint
    };

    void flush();
    void balance();
    void expect_switch();
    void hide_notice();
    void repair_notice();
    void note_picture();
    void note_sent();

    [[nodiscard]] bool wants_another_screen() const { return !screen_ || place_ != target_; }

    void open_next(const Screen& screen, ReadyDone done);
    void next_opened(const Result<void>& outcome);
    void next_settled(const Result<void>& outcome);
    void try_cut();
    void cut_now();
    void fail_cut(const Error& why);
    void force_cut();
    void end_cut(Result<Cut> outcome);
    void lose_screen(const Error& why, bool news);
    void retry_later();
    void retry();

    Core& core_;
    ViewerId id_;
    SessionId session_;
    std::string client_;
    std::shared_ptr<Wire> wire_;
    Relay relay_;
    std::shared_ptr<ScreenConnection> screen_; ///< none: lost
    Screen place_;                             ///< of the present screen, or of the last one
    Screen target_;                            ///< what it is to see; tried until it is there
    std::optional<Next> next_;
    CutDone cutting_; ///< a cut is waited for, or its first picture
    bool cut_waits_ = false;
    bool left_ = false;
    std::optional<Clock::time_point> notice_end_; ///< while one is shown
    asio::steady_timer notice_timer_;
    bool switch_expected_ = false;
    asio::steady_timer silence_timer_; ///< then the person is told
    asio::steady_timer cut_timer_;
    asio::steady_timer retry_timer_;
    std::chrono::milliseconds retry_pause_;

    // what is measured
    std::uint64_t pictures_ = 0;
    std::optional<std::uint64_t> picture_end_; ///< of the bytes sent: the last picture's end
    std::optional<std::uint64_t> first_picture_end_;
    std::optional<Clock::time_point> last_picture_; ///< sent on whole
    Clock::time_point picture_before_cut_;
    Clock::time_point cut_at_;
    bool first_picture_waited_ = false;
};

} // namespace baton::gateway
