#pragma once

#include "guest/machine.h"
#include "model/error.h"

#include <functional>
#include <string>

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
};

} // namespace baton::guest_program
