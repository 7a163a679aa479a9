#pragma once

#include "model/error.h"
#include "process/child.h"

#include <optional>
#include <string>

/// What an image lies on may go away while the desk is open: a stick is pulled out, a server is
/// gone. The kernel then answers everybody inside with errors, one after the other, and says
/// nothing to the player; so the player asks, each second, past every cache.
namespace baton::player {

class Backing {
  public:
    /// `file`: the image, open. None: where it lies nothing can go away (a memory file system).
    static std::optional<Backing> of(int file, const std::string& path);

    /// Readable when it is time to look().
    [[nodiscard]] int fd() const { return timer_.get(); }

    /// Errc::io, with the image's name: it is gone. Blocks as long as the disk does.
    [[nodiscard]] Result<void> look() const;

  private:
    Backing() = default;

    std::string path_;
    process::Descriptor file_; ///< another description: unlocked, past the page cache
    process::Descriptor timer_;
};

} // namespace baton::player
