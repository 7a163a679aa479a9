#pragma once

#include "model/error.h"

#include <chrono>
#include <string>
#include <string_view>
#include <utility>

namespace baton::routing {

/// A unix stream socket, non-blocking. Closed with its owner.
class UnixSocket {
  public:
    UnixSocket() = default;

    explicit UnixSocket(int fd) : fd_(fd) {}

    ~UnixSocket();

    UnixSocket(UnixSocket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

    UnixSocket& operator=(UnixSocket&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }

    [[nodiscard]] int fd() const { return fd_; }

    [[nodiscard]] bool open() const { return fd_ >= 0; }

  private:
    int fd_ = -1;
};

/// Errc::unavailable when nobody listens there.
Result<UnixSocket> connect_unix(const std::string& path);
/// Mode 0600, of user `owner`. A socket that a dead process left is replaced; Errc::busy: somebody
/// listens there.
Result<UnixSocket> listen_unix(const std::string& path, unsigned owner);
/// All of it, or Errc::timeout, or Errc::unavailable when the other side is gone.
Result<void> send_all(const UnixSocket& socket, std::string_view text,
                      std::chrono::steady_clock::time_point until);
/// Up to the next newline, which is dropped; at most `limit` bytes. What came after it stays in
/// `buffer` for the next call.
Result<std::string> receive_line(const UnixSocket& socket, std::string& buffer, std::size_t limit,
                                 std::chrono::steady_clock::time_point until);

} // namespace baton::routing
