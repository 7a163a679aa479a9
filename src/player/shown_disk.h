#pragma once

#include "model/error.h"
#include "process/child.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <sys/types.h>
#include <vector>

/// A disk that is more than a file of its own (an image with layers, an encrypted one, one at a
/// server), shown as a raw file by a qemu-storage-daemon over FUSE.
namespace baton::player {

struct ShowOrder {
    std::string what; ///< for messages: "the image tiny-1"
    /// Options of qemu-storage-daemon: its objects and block devices; the one with the node name
    /// "shown" is shown. Nothing secret: everybody on the PC can read a command line.
    std::vector<std::string> words;
    std::vector<int> files; ///< become its descriptors 4, 5, ...
    /// Not empty: an NBD server that speaks on its standard input (nbdkit --single); the other end
    /// of that socket is the storage daemon's next descriptor.
    std::vector<std::string> source{};
    std::string place; ///< an existing file that the disk is shown over
    bool writable = false;
    /// In a mount namespace of its own, with an empty memory file system over /tmp and `place` in
    /// it; else in the caller's, which should be its own.
    bool apart = false;
};

/// The command line. `monitor`: the descriptor of a connected socket. Pure.
std::vector<std::string> show_words(const ShowOrder& order, int monitor);

/// For one thread. Everything of it ends with this object, and by the kernel when this program is
/// killed.
class ShownDisk {
  public:
    /// Errc::unsupported: no FUSE, no qemu-storage-daemon; else what qemu-storage-daemon said, as
    /// Errc::busy (another program has the disk), Errc::unauthenticated (a wrong passphrase or
    /// certificate), Errc::unavailable (nobody answers), Errc::io.
    static Result<ShownDisk> show(const ShowOrder& order, std::chrono::milliseconds deadline);
    ~ShownDisk();
    ShownDisk(ShownDisk&& other) noexcept;
    ShownDisk& operator=(ShownDisk&&) = delete;

    /// The shown file, open for reading.
    [[nodiscard]] const process::Descriptor& file() const { return file_; }

    /// Bytes that its TCP connections, and those of its source, have received so far, as the kernel
    /// counts them.
    [[nodiscard]] std::int64_t received_bytes() const;

    /// Ends it in order: what it holds is written first. Errc::timeout: it did not end by itself.
    Result<void> put_away(std::chrono::milliseconds deadline);

  private:
    ShownDisk() = default;
    Result<process::Descriptor> start_source(const std::vector<std::string>& words, int said);
    void kill(); ///< at once

    std::string what_;
    pid_t pid_ = -1;
    pid_t source_ = -1;
    process::Descriptor file_;
};

/// What the last words of a qemu-storage-daemon that did not come up mean. Pure.
Error show_error(const std::string& what, const std::string& last_words, int native);

} // namespace baton::player
