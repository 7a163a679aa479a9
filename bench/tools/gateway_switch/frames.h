#pragma once

#include "process/child.h"
#include "support/drawing_screen.h"
#include "support/namespaced_tcp.h"
#include "support/onlooker.h"
#include "support/screen_gateway.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <fcntl.h>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace baton::switching {

using Clock = std::chrono::steady_clock;

inline double milliseconds(Clock::duration time) {
    return std::chrono::duration<double, std::milli>(time).count();
}

/// A server's certificate for 127.0.0.1 in a folder laid out as QEMU wants it.
struct Certificates {
    testing::TestSite site;
    testing::TemporaryDirectory folder;

    Certificates() { site.issue("bench", server()); }

    [[nodiscard]] net::TlsFiles server() const {
        return {folder.file("server-cert.pem"), folder.file("server-key.pem"), authority()};
    }

    [[nodiscard]] std::string authority() const { return folder.file("ca-cert.pem"); }
};

/// When complete pictures came, by their widths: the two screens have different ones.
class Frames {
  public:
    void note(unsigned width) {
        const std::lock_guard lock(mutex_);
        const auto now = Clock::now();
        if (width != width_) {
            before_ = last_;
            first_ = now;
            width_ = width;
        }
        last_ = now;
        changed_.notify_all();
    }

    /// From the other screen's last picture to this one's first.
    double wait_for(unsigned width) {
        std::unique_lock lock(mutex_);
        if (!changed_.wait_for(lock, std::chrono::seconds(20), [&] { return width_ == width; }))
            throw std::runtime_error("the new screen's picture does not come");
        return milliseconds(first_ - before_);
    }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    unsigned width_ = 0;
    Clock::time_point last_;
    Clock::time_point before_;
    Clock::time_point first_;
};

/// From the namespace client1; nothing: refused, or cut off meanwhile.
inline std::optional<process::Descriptor> connect_from_client(std::uint16_t port) {
    auto made = testing::connect_in("client1", "10.98.0.1", port);
    if (!made)
        return std::nullopt;
    process::Descriptor socket(::fcntl(made->fd(), F_DUPFD_CLOEXEC, 0));
    ::fcntl(socket.get(), F_SETFL, 0);
    const timeval deadline{20, 0};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof deadline);
    return socket;
}

constexpr unsigned graphics_width = 640;
constexpr unsigned text_width = 720;

} // namespace baton::switching
