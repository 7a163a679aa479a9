#include "programs/baton_guest/loop.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <sys/epoll.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace baton::guest_program {

void Fd::reset(int fd) {
    if (fd_ >= 0)
        ::close(fd_);
    fd_ = fd;
}

Loop::Loop() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    if (!epoll_)
        throw std::system_error(errno, std::generic_category(), "epoll_create1");
}

void Loop::watch(int fd, std::uint32_t events, Callback callback) {
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    const int operation = callbacks_.contains(fd) ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (::epoll_ctl(epoll_.get(), operation, fd, &event) != 0)
        throw std::system_error(errno, std::generic_category(), "epoll_ctl");
    callbacks_[fd] = std::make_shared<Callback>(std::move(callback));
}

void Loop::forget(int fd) {
    if (callbacks_.erase(fd) != 0)
        ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

void Loop::soon(std::function<void()> work) {
    soon_.push_back(std::move(work));
}

void Loop::run(const std::function<std::optional<guest::Moment>()>& next_deadline,
               const std::function<void()>& tick) {
    std::array<epoll_event, 16> events{};
    while (running_) {
        int timeout = -1;
        const auto deadline = next_deadline();
        if (!soon_.empty()) {
            timeout = 0;
        } else if (deadline) {
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(
                *deadline - std::chrono::steady_clock::now());
            timeout = static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 3'600'000));
        }
        const int count =
            ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), timeout);
        if (count < 0 && errno != EINTR)
            throw std::system_error(errno, std::generic_category(), "epoll_wait");
        for (int i = 0; i < count; ++i) {
            const auto& event = events[static_cast<std::size_t>(i)];
            // a callback may forget others of this round, or itself
            if (const auto found = callbacks_.find(event.data.fd); found != callbacks_.end()) {
                const std::shared_ptr<Callback> callback = found->second;
                (*callback)(event.events);
            }
        }
        for (auto& work : std::exchange(soon_, {}))
            work();
        if (deadline && *deadline <= std::chrono::steady_clock::now())
            tick();
    }
}

} // namespace baton::guest_program
