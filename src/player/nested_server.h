#pragma once

#include "model/error.h"
#include "player/display.h"
#include "player/person.h"
#include "process/child.h"
#include "process/run.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <sys/types.h>

namespace baton::player {

struct NestedOrder {
    PcDisplay pc;
    std::string pc_cookies;   ///< the person's Xauthority file; empty: none
    std::uint32_t window = 0; ///< of the PC's display, which the desk's screen fills
    std::string title;        ///< "Desk of kim"
};

/// The command line of the desk's X server, Xephyr, in a sandbox by bwrap: of the PC it has the
/// programs and the socket of the PC's display, and nothing else; no name, no network, no process.
/// Descriptor 3 is the socket that it listens at, the only one (sd_listen_fds(3)); into 4 it writes
/// when it is ready; 5 is the filter of system calls and 6 the desk's cookies, both read by bwrap.
process::Command xephyr_command(const NestedOrder& order);

/// A desk's own X server, which draws into a window of the PC's display. Ended with this object,
/// and by the kernel when this program is killed.
class NestedServer {
  public:
    NestedServer() = default;
    /// As `person`, not as root. `socket`: see Environment::begin_display; `cookies`: the bytes of
    /// an Xauthority file that clients must show one of. Errc::not_found: Xephyr or bwrap is not
    /// installed.
    static Result<NestedServer> start(const process::Command& command, const Person& person,
                                      int socket, const std::string& cookies);
    ~NestedServer();
    NestedServer(NestedServer&& other) noexcept;
    NestedServer& operator=(NestedServer&& other) noexcept;

    /// Waits until it serves clients. Errc::unavailable with its own last words.
    Result<void> wait_ready(std::chrono::milliseconds deadline);

    /// Readable when it has ended.
    [[nodiscard]] int pidfd() const { return pidfd_.get(); }

    /// What it said last, on one line; empty: nothing.
    [[nodiscard]] std::string last_words() const;

  private:
    void stop();
    pid_t pid_ = -1;
    process::Descriptor pidfd_;
    process::Descriptor ready_;
    process::Descriptor said_; ///< its standard error: a file in memory of fixed size
};

/// Whether what a graphical session takes is installed on this PC; else Errc::not_found says what
/// to install.
Result<void> check_nested_server();

} // namespace baton::player
