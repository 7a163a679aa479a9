#pragma once

#include "gateway_live_test/site.h"
#include "process/child.h"
#include "rfb_servers_test/viewers_screen.h"
#include "support/temporary_directory.h"

#include <string>
#include <vector>

/// baton-view itself on a display of its own, before real screens.
namespace baton::viewer {

using gateway::eventually;

/// A running QEMU whose keyboard events are logged, on a unix socket.
class RunningQemu {
  public:
    explicit RunningQemu(std::string address);

    /// What QEMU has been told of keys so far.
    [[nodiscard]] std::string key_log() const;

  private:
    testing::TemporaryDirectory folder_;
    process::Child qemu_;
};

/// The viewer in a window of the test's own X server.
class Shown {
  public:
    Shown(const rfb::ViewersScreen& screen, const std::vector<std::string>& words);

    /// Types on the display, with xdotool: "key", "a".
    void xdo(const std::vector<std::string>& words) const;

    /// And Enter, which xdotool would type as another key than a person's.
    void type_line(const std::string& text) const {
        xdo({"type", "--delay", "20", text});
        xdo({"key", "Return"});
    }

    /// Its exit status, when it has ended by itself within 20 seconds; else -1.
    int wait_for_end();

    /// What it has said on standard error so far.
    std::string said();

    [[nodiscard]] pid_t pid() const { return child_.pid(); }

  private:
    const rfb::ViewersScreen& screen_;
    testing::TemporaryDirectory home_;
    process::Child child_;
    std::string said_;
};

/// The processes' file of what it is seen as, for a person to look at: "$BATON_SHOTS/NAME.png".
void keep_shot(const rfb::ViewersScreen& screen, const std::string& name);

} // namespace baton::viewer
