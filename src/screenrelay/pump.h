#pragma once

#include "net/stream.h"

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>

/// Inside screenrelay/ alone: one direction of a connection.
namespace baton::screenrelay {

/// Carries bytes from one stream to another until the first ends, by one buffer: it does not read
/// while the other side does not take what it has read. While nothing is under way it holds
/// `idle_bytes` of memory and waits for the kernel alone. On the streams' executor.
class Pump {
  public:
    static constexpr std::size_t buffer_bytes = 64UL * 1024;
    static constexpr std::size_t idle_bytes = 1024;
    /// No error: `from` has ended, all that came is written, and `to` has been told the end.
    using Done = std::function<void(net::error_code)>;

    Pump(net::Stream& from, net::Stream& to) : from_(from), to_(to) {}

    /// Once. `first` (at most idle_bytes) goes before what is read. `life` owns this and both
    /// streams, and is held until `done` has been called, once, never from inside this call; both
    /// streams' pending operations end when they are closed.
    void start(const std::shared_ptr<void>& life, std::string_view first, Done done);

  private:
    void read(const std::shared_ptr<void>& life);
    void was_read(const std::shared_ptr<void>& life, net::error_code error, std::size_t bytes);
    void write(const std::shared_ptr<void>& life);
    void was_written(const std::shared_ptr<void>& life, net::error_code error, std::size_t bytes);
    void finish(net::error_code error);

    [[nodiscard]] char* buffer() { return large_ ? large_.get() : small_.data(); }

    [[nodiscard]] std::size_t room() const { return large_ ? buffer_bytes : small_.size(); }

    net::Stream& from_;
    net::Stream& to_;
    Done done_;
    std::array<char, idle_bytes> small_{};
    std::unique_ptr<char[]> large_; ///< while more than small_ is under way
    std::size_t filled_ = 0;
    std::size_t sent_ = 0;
    bool ended_ = false; ///< `from` has; what is filled is still to be written
};

} // namespace baton::screenrelay
