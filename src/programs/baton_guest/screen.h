#pragma once

#include "guest/machine.h"
#include "model/error.h"

#include <chrono>
#include <functional>
#include <string>
#include <sys/types.h>

namespace baton::guest_program {

/// What a screen tells.
struct ScreenEvents {
    std::function<void()> drawn;           ///< the first complete picture is there
    std::function<void()> session_visible; ///< the session's first picture is there
    std::function<void(bool now)> answered;
};

/// The desktop's screen, and the session that is on it.
class Screen {
  public:
    virtual ~Screen() = default;

    virtual Result<void> open() = 0;
    virtual void show(const guest::ScreenState& state) = 0;
    virtual Result<void> start_session(const std::string& person) = 0;
    virtual void session_ended() = 0;

    /// A disk has been taken out of the machine: a desk that was let go is away.
    virtual void disk_removed() {}

    /// Asks the session's windows to close, and sees to it that what is left is asked by signals in
    /// time. False: there are no windows, signals are all there is.
    virtual bool ask_to_close(std::chrono::milliseconds grace) = 0;

    /// True: the child was this screen's, and not of the session.
    virtual bool child_ended(pid_t pid, int wait_status) = 0;
};

} // namespace baton::guest_program
