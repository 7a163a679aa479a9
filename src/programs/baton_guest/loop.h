#pragma once

#include "guest/machine.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace baton::guest_program {

/// Owns a file descriptor.
class Fd {
  public:
    Fd() = default;

    explicit Fd(int fd) : fd_(fd) {}

    Fd(Fd&& other) noexcept : fd_(other.release()) {}

    Fd& operator=(Fd&& other) noexcept {
        if (this != &other)
            reset(other.release());
        return *this;
    }

    Fd(const Fd&) = delete;
    Fd& operator=(const Fd&) = delete;

    ~Fd() { reset(); }

    [[nodiscard]] int get() const { return fd_; }

    explicit operator bool() const { return fd_ >= 0; }

    int release() {
        const int fd = fd_;
        fd_ = -1;
        return fd;
    }

    void reset(int fd = -1);

  private:
    int fd_ = -1;
};

/// An epoll loop: one thread, callbacks per descriptor, one deadline.
class Loop {
  public:
    using Callback = std::function<void(std::uint32_t events)>;

    Loop();

    /// Replaces what was there for `fd`. Throws std::system_error when the kernel refuses.
    void watch(int fd, std::uint32_t events, Callback callback);
    /// Before the descriptor is closed.
    void forget(int fd);
    /// Runs once, after the callbacks of this round.
    void soon(std::function<void()> work);

    void run(const std::function<std::optional<guest::Moment>()>& next_deadline,
             const std::function<void()>& tick);

    void stop() { running_ = false; }

  private:
    Fd epoll_;
    std::map<int, std::shared_ptr<Callback>> callbacks_;
    std::vector<std::function<void()>> soon_;
    bool running_ = true;
};

} // namespace baton::guest_program
