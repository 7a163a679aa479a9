#pragma once

#include "model/error.h"
#include "model/ids.h"
#include "process/child.h"

#include <set>
#include <string>
#include <string_view>

/// What an adapter keeps on the host's disk: per desktop an overlay, the text of its console, the
/// sockets of its guest's port and of its screen, and firmware variables. All of it goes when the
/// desktop goes.
namespace baton::hypervisor {

class StateFiles {
  public:
    /// Makes the folders and takes the lock that keeps a second adapter out. Errors: a path that is
    /// not absolute or too long, one that cannot be made, Errc::busy.
    static Result<StateFiles> open(const std::string& directory);

    [[nodiscard]] std::string overlay(const DesktopId& desktop) const;
    [[nodiscard]] std::string console(const DesktopId& desktop) const;

    [[nodiscard]] std::string consoles() const { return directory_ + "/consoles"; }

    /// The last `bytes` of a console that may have been cut (ConsoleFiles).
    [[nodiscard]] std::string console_tail(const DesktopId& desktop, std::size_t bytes) const;
    [[nodiscard]] std::string channel(const DesktopId& desktop) const;
    [[nodiscard]] std::string nvram(const DesktopId& desktop) const;
    /// The socket of its local screen: screen_socket().
    [[nodiscard]] std::string screen(const DesktopId& desktop) const;
    /// Where those are; QEMU's user owns it and nobody else may enter (give_screen_folder).
    [[nodiscard]] std::string screens() const;

    [[nodiscard]] std::string probe() const { return directory_ + "/acceleration.json"; }

    /// Removes what belongs to that desktop; nothing there is success.
    void remove(const DesktopId& desktop) const;
    /// Removes what belongs to desktops that are not in `alive`; returns whose it was.
    std::set<DesktopId> remove_all_but(const std::set<DesktopId>& alive) const;

  private:
    StateFiles(std::string directory, process::Descriptor lock)
        : directory_(std::move(directory)), lock_(std::move(lock)) {}

    std::string directory_;
    process::Descriptor lock_;
};

/// The last `bytes` of a file, or of what there is. "" if there is none.
std::string file_tail(const std::string& path, std::size_t bytes);

/// Without control characters (but for newlines), terminal sequences and ill-formed bytes.
std::string printable(std::string_view text);

} // namespace baton::hypervisor
