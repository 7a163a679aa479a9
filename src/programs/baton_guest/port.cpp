#include "programs/baton_guest/port.h"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

namespace baton::guest_program {

namespace {
// a host that does not read for so long has to ask again anyway
constexpr std::size_t most_unsent = std::size_t{256} * 1024;
} // namespace

bool Port::open(const std::string& device) {
    if (fd_)
        return true;
    Fd fd(::open(device.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
    if (!fd)
        return false;
    fd_ = std::move(fd);
    // edge-triggered: while no host is there the port says "hung up" all the time, and it is only
    // the change that wakes us
    loop_.watch(fd_.get(), EPOLLIN | EPOLLOUT | EPOLLET,
                [this](std::uint32_t events) { ready(events); });
    return true;
}

void Port::close() {
    loop_.forget(fd_.get());
    fd_.reset();
    host_there_ = false;
    unsent_.clear();
}

void Port::ready(std::uint32_t events) {
    if ((events & EPOLLHUP) == 0) {
        host_came();
    } else {
        host_there_ = false;
        unsent_.clear();
    }
    if (fd_)
        read();
    if (fd_)
        write();
}

void Port::host_came() {
    if (host_there_)
        return;
    host_there_ = true;
    splitter_ = {};
    unsent_.assign(1, '\n'); // ends what was left half said
    events_.connected();
}

void Port::read() {
    std::array<char, 16384> buffer{};
    while (true) {
        const ssize_t count = ::read(fd_.get(), buffer.data(), buffer.size());
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && errno != EAGAIN) {
            close(); // the port was unplugged; a uevent tells of a new one
            return;
        }
        if (count <= 0)
            return;
        // the kernel hears of a host that comes and of what it says by two queues, and the words
        // may be here first: they are not to be answered to nobody
        host_came();
        std::vector<std::string> lines;
        splitter_.feed(std::string_view(buffer.data(), static_cast<std::size_t>(count)), lines);
        for (const std::string& line : lines)
            events_.line(line);
        if (!fd_)
            return;
    }
}

void Port::send(const guest::FromGuest& message) {
    if (!host_there_)
        return;
    const std::string line = guest::encode(message);
    if (unsent_.size() + line.size() > most_unsent)
        return;
    unsent_ += line;
    write();
}

void Port::write() {
    while (host_there_ && !unsent_.empty()) {
        const ssize_t count = ::write(fd_.get(), unsent_.data(), unsent_.size());
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return;
        unsent_.erase(0, static_cast<std::size_t>(count));
    }
}

} // namespace baton::guest_program
