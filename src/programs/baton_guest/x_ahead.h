#pragma once

#include "programs/baton_guest/session.h"

#include <string>
#include <sys/types.h>
#include <vector>
#include <xcb/xcb.h>

namespace baton::guest_program {

inline constexpr const char* x_display = ":0";
/// Where programs that were started before the person came find the person's home: a link.
inline constexpr const char* home_link = "/run/baton/home";

/// In a child, as root: becomes a program of the person's user before the person is there, holding
/// nothing of any desk. Does not return.
[[noreturn]] void run_ahead(const char* script);

/// The session's first window, which is there before the person is: to start a terminal takes much
/// longer than to let one go on that waits. The image's /etc/baton/x-ahead starts it; its program
/// gives it the title "Terminal", waits at a fifo for the person's name, and gives it the title
/// "Terminal of NAME" when it has shown what is on the desk. Until then it has nothing of the desk
/// open.
class XAhead {
  public:
    enum class Stage {
        none,     ///< the image has none, or it has ended
        starting, ///< not waiting yet
        waiting,
        begun, ///< told who the person is
        shown, ///< its picture has something of the desk in it
    };

    XAhead(xcb_connection_t* connection, Session& session);

    /// Starts it if the image has one. Nothing of it but the time at which windows open depends on
    /// its success.
    void start();
    /// Tells it who the person is. False: there is none to tell.
    bool begin(const std::string& person);
    /// The list of windows or a title has changed.
    void look(const std::vector<xcb_window_t>& windows);
    /// True: this child was it.
    bool child_ended(pid_t pid);

    [[nodiscard]] Stage stage() const { return stage_; }

  private:
    [[nodiscard]] std::string title(xcb_window_t window) const;

    xcb_connection_t* connection_;
    Session& session_;
    pid_t pid_ = -1;
    Stage stage_ = Stage::none;
    Fd person_;
};

} // namespace baton::guest_program
