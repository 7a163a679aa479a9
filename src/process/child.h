#pragma once

#include "model/error.h"

#include <string>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace baton::process {

/// A file descriptor that is closed with its owner.
class Descriptor {
  public:
    Descriptor() = default;

    explicit Descriptor(int fd) : fd_(fd) {}

    ~Descriptor() { reset(); }

    Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

    Descriptor& operator=(Descriptor&& other) noexcept {
        if (this != &other) {
            reset();
            fd_ = std::exchange(other.fd_, -1);
        }
        return *this;
    }

    [[nodiscard]] int get() const { return fd_; }

    [[nodiscard]] bool open() const { return fd_ >= 0; }

    void reset();

  private:
    int fd_ = -1;
};

/// A started program. It leads a process group of its own and is killed when the thread that
/// started it ends. Destroyed before it has ended: the whole group is killed and waited for.
class Child {
  public:
    static Result<Child> start(const std::string& program, const std::vector<std::string>& words,
                               const std::vector<std::string>& environment);
    ~Child();
    Child(Child&& other) noexcept;
    Child& operator=(Child&&) = delete;

    Descriptor input;  ///< we write, non-blocking
    Descriptor output; ///< we read, non-blocking
    Descriptor error;  ///< we read, non-blocking
    Descriptor pidfd;  ///< readable when it has ended

    [[nodiscard]] pid_t pid() const { return pid_; }

    /// SIGTERM, two seconds for it to clean up, SIGKILL; waits.
    void kill_group();
    /// Waits for the end; exit status, or 128 + signal.
    int wait();

  private:
    Child() = default;
    pid_t pid_ = -1;
};

} // namespace baton::process
