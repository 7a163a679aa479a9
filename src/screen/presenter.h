#pragma once

#include "model/error.h"
#include "player/channel.h"
#include "player/display.h"
#include "player/person.h"
#include "screen/hotkey.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <sys/types.h>

namespace baton::screen {

struct PresenterOrder {
    player::PcDisplay pc;
    std::string pc_cookies; ///< the person's Xauthority file; empty: none
    player::Person person;
    Hotkey hotkey;
    player::Clipboard clipboard = player::Clipboard::apart;
};

/// What speaks with the PC's display: a process of the person's, without any hold on the desk or on
/// the PC, which owns the window that the desk's X server draws into, switches, hears the hotkey,
/// and carries the clipboard. Ended with this object, and by the kernel with this program.
///
/// To be started while the program has one thread and before a desk is open: it is a copy of it.
class Presenter {
  public:
    static Result<Presenter> start(const PresenterOrder& order);
    ~Presenter();
    Presenter(Presenter&& other) noexcept;
    Presenter& operator=(Presenter&&) = delete;

    struct Window {
        std::uint32_t id = 0;
        unsigned width = 0;
        unsigned height = 0;
    };

    /// Waits for the window. Errc::unavailable: no X server answers, or it refuses.
    Result<Window> window(std::chrono::milliseconds deadline);

    /// Whose desk it is: from now on it is one that the hotkey goes to.
    Result<void> name(const std::string& owner);

    /// Before the PC's desktop, or behind it; waits until the X server has done it.
    Result<void> show(bool shown);

    /// A connection to the desk's X server and the cookie for it (in hex): from now on the
    /// clipboard is carried as the order says.
    Result<void> give_desk(int socket, const std::string& cookie);

    /// Waits until the desk has a window manager. Errc::timeout.
    Result<void> wait_managed(std::chrono::milliseconds deadline);

    [[nodiscard]] bool shown() const { return shown_; }

    [[nodiscard]] int fd() const { return channel_.fd(); }

    /// When fd() is readable. Errc::unavailable: the PC's display is gone.
    Result<void> hear();

    /// Who is told what the person is to know; nobody before.
    void tell(std::function<void(const std::string&)> note) { note_ = std::move(note); }

  private:
    Presenter(player::Channel channel, pid_t pid) : channel_(std::move(channel)), pid_(pid) {}

    void take(const player::Message& message);

    player::Channel channel_;
    pid_t pid_ = -1;
    bool shown_ = false;
    bool managed_ = false;
    std::function<void(const std::string&)> note_;
};

} // namespace baton::screen
