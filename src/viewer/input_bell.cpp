#include "viewer/input_bell.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <fcntl.h>
#include <filesystem>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>
#include <vector>

namespace baton::viewer {

namespace {

constexpr const char* folder = "/dev/input";

/// Whether it is still there.
bool drain(int descriptor) {
    std::array<char, 4096> dropped{};
    ssize_t got = 0;
    do
        got = ::read(descriptor, dropped.data(), dropped.size());
    while (got > 0 || (got < 0 && errno == EINTR));
    return got < 0 && errno == EAGAIN;
}

} // namespace

InputBell::InputBell()
    : rung_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      plugged_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
    // it comes with the first device, which may be later
    if (::inotify_add_watch(plugged_.get(), folder, IN_CREATE | IN_ATTRIB) < 0)
        ::inotify_add_watch(plugged_.get(), "/dev", IN_CREATE);
    open_devices();
}

void InputBell::open_devices() {
    devices_.clear();
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator(folder, none)) {
        if (!entry.path().filename().string().starts_with("event"))
            continue;
        const int opened = ::open(entry.path().c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        if (opened >= 0)
            devices_.emplace_back(opened);
    }
}

void InputBell::wait(std::chrono::milliseconds longest) {
    std::vector<pollfd> watched{{rung_.get(), POLLIN, 0}, {plugged_.get(), POLLIN, 0}};
    for (const auto& device : devices_)
        watched.push_back({device.get(), POLLIN, 0});
    if (::poll(watched.data(), watched.size(), static_cast<int>(longest.count())) <= 0)
        return;
    bool changed = false;
    for (const pollfd& one : watched) {
        if (one.revents == 0)
            continue;
        const bool there = drain(one.fd);
        changed = changed || !there || one.fd == plugged_.get();
    }
    if (!changed)
        return;
    ::inotify_add_watch(plugged_.get(), folder, IN_CREATE | IN_ATTRIB);
    open_devices();
}

void InputBell::ring() const {
    const std::uint64_t once = 1;
    (void)!::write(rung_.get(), &once, sizeof once);
}

} // namespace baton::viewer
