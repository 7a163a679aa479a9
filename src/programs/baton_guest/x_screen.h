#pragma once

#include "programs/baton_guest/loop.h"
#include "programs/baton_guest/screen.h"
#include "programs/baton_guest/session.h"
#include "programs/baton_guest/x_ahead.h"
#include "programs/baton_guest/x_message.h"
#include "programs/baton_guest/x_window.h"

#include <memory>
#include <optional>
#include <string>

namespace baton::guest_program {

/// The graphical desktop: starts the X server and the window manager, which belong to the system
/// and run before anybody is there; shows a bar with the status strip above everything, and
/// messages in a window of its own. The person's session is what /etc/baton/x-session starts.
///
/// The window manager and the first window (x_ahead.h) are there before the person. They belong to
/// the session that begins, so that what is started from them ends with it; new ones are started
/// when the desk's disk has gone.
class XScreen : public Screen {
  public:
    XScreen(Loop& loop, Session& session, ScreenEvents events);
    ~XScreen() override;

    Result<void> open() override;
    void show(const guest::ScreenState& state) override;
    Result<void> start_session(const std::string& person) override;
    void session_ended() override;
    void disk_removed() override;
    bool ask_to_close(std::chrono::milliseconds grace) override;
    bool child_ended(pid_t pid, int wait_status) override;

  private:
    void server_ready();
    void connect();
    void start_manager();
    void prepare_session();
    void programs_changed();
    void show_session();
    void make_windows();
    void read_events();
    void handle(const xcb_generic_event_t& event);
    void property_changed(const xcb_property_notify_event_t& change);
    void draw_bar();
    void show_message();
    void grab_keys(bool on);
    void all_closed();
    [[nodiscard]] std::size_t client_windows(std::vector<xcb_window_t>& windows) const;
    [[nodiscard]] xcb_atom_t atom(std::string_view name) const;

    Loop& loop_;
    Session& session_;
    ScreenEvents events_;
    guest::ScreenState state_;

    Fd server_says_;
    pid_t server_ = -1;
    pid_t manager_ = -1;
    int manager_restarts_ = 0;

    xcb_connection_t* connection_ = nullptr;
    xcb_screen_t* screen_ = nullptr;
    std::unique_ptr<XPainter> painter_;
    std::unique_ptr<XAhead> ahead_;
    xcb_window_t bar_ = 0;
    std::unique_ptr<XMessage> message_;
    xcb_atom_t client_list_ = 0;
    xcb_keycode_t now_key_ = 0;
    xcb_keycode_t not_now_key_ = 0;

    bool managed_ = false; ///< the window manager has drawn itself
    bool drawn_ = false;
    bool in_session_ = false;
    bool visible_ = false;
    bool closing_ = false;
    Fd go_; ///< the session's script waits at the other end until the first window shows the desk
    Fd close_timer_;
};

} // namespace baton::guest_program
