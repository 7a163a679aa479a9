#pragma once

#include "player/program.h"
#include "player/services.h"
#include "process/child.h"

#include <string>
#include <sys/types.h>

namespace baton::player {

/// The calling process becomes the account, for good: between fork and exec. Ends it when it
/// cannot.
void become(const Account& account);

/// The D-Bus session bus of a desk's owner: its socket is there from the beginning, and dbus-daemon
/// is started by the first program that calls. In the first process inside, which polls it.
class SessionBus {
  public:
    SessionBus() = default;

    /// /run/user/UID/bus, when dbus-daemon is installed; else one that is not open.
    static SessionBus listen(const Account& account);

    [[nodiscard]] bool open() const { return socket_.open(); }

    /// For DBUS_SESSION_BUS_ADDRESS.
    [[nodiscard]] std::string address() const { return "unix:path=" + path_; }

    /// The descriptor that becomes readable when dbus-daemon is to be started; -1: it runs.
    [[nodiscard]] int waits_for() const { return daemon_ < 0 && !given_up_ ? socket_.get() : -1; }

    void start();

    /// A child has ended: perhaps this one.
    void ended(pid_t pid);

  private:
    process::Descriptor socket_;
    std::string path_;
    std::string program_;
    Account account_;
    Patience patience_;
    pid_t daemon_ = -1;
    bool given_up_ = false;
};

} // namespace baton::player
