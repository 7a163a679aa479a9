#pragma once

#include "model/error.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <utility>

/// The few file operations that osimage/ is built from; all of them say which path failed.
namespace baton::osimage {

/// An open file. Closed with its owner.
class OpenFile {
  public:
    OpenFile() = default;

    explicit OpenFile(int fd) : fd_(fd) {}

    ~OpenFile();

    OpenFile(OpenFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

    OpenFile& operator=(OpenFile&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }

    [[nodiscard]] int get() const { return fd_; }

  private:
    int fd_ = -1;
};

/// O_CLOEXEC and O_NOFOLLOW are added: no file of the library is a link.
Result<OpenFile> open_file(const std::string& path, int flags, mode_t mode = 0);
/// Errc::corrupt when it is longer than `limit`.
Result<std::string> read_file(const std::string& path, std::size_t limit);
/// Written beside its place, fsynced, renamed over it.
Result<void> write_file(const std::string& path, std::string_view text, mode_t mode);
/// Makes a file's or folder's present content survive a power loss.
Result<void> sync_path(const std::string& path);
Result<void> make_folder(const std::string& path);
/// With everything in it; not there is success. Does not follow links.
Result<void> remove_tree(const std::string& path);

/// A lock held by an open file (flock), given up with it, also by kill -9.
enum class LockKind : std::uint8_t { shared, exclusive };
/// Empty: held by somebody else.
Result<std::optional<OpenFile>> try_lock(const std::string& path, LockKind kind);
/// Waits for it: whoever holds it is at work and ends, or dies, and the kernel tells us.
/// `waiting` is called once if it is not to be had at once. Its holder may remove the file.
Result<OpenFile> wait_lock(const std::string& path, const std::function<void()>& waiting = {});

} // namespace baton::osimage
