#pragma once

#include "guest/protocol.h"
#include "programs/baton_guest/loop.h"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace baton::guest_program {

/// The virtio-serial port to the host. The host's side may come and go; while it is away, what is
/// said is lost.
class Port {
  public:
    struct Events {
        std::function<void()> connected;
        std::function<void(std::string_view)> line;
    };

    Port(Loop& loop, Events events) : loop_(loop), events_(std::move(events)) {}

    /// Opens the device when it has appeared; again and again until it succeeds. True: it is open.
    bool open(const std::string& device);

    [[nodiscard]] bool is_open() const { return static_cast<bool>(fd_); }

    void send(const guest::FromGuest& message);

  private:
    void ready(std::uint32_t events);
    void host_came();
    void read();
    void write();
    void close();

    Loop& loop_;
    Events events_;
    Fd fd_;
    bool host_there_ = false;
    guest::LineSplitter splitter_;
    std::string unsent_;
};

} // namespace baton::guest_program
