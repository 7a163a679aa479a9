#include "player/backing.h"

#include <array>
#include <cerrno>
#include <cstdint>
#include <fcntl.h>
#include <sys/timerfd.h>
#include <unistd.h>

namespace baton::player {

namespace {

/// What every disk can read at once: a block of it, into memory that begins where one does.
constexpr std::size_t block = 4096;

} // namespace

std::optional<Backing> Backing::of(int file, const std::string& path) {
    Backing backing;
    backing.path_ = path;
    const auto again = "/proc/self/fd/" + std::to_string(file);
    backing.file_ = process::Descriptor(::open(again.c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC));
    backing.timer_ =
        process::Descriptor(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    const itimerspec each_second{{1, 0}, {1, 0}};
    if (!backing.file_.open() || !backing.timer_.open() ||
        ::timerfd_settime(backing.timer_.get(), 0, &each_second, nullptr) != 0)
        return std::nullopt;
    return backing;
}

Result<void> Backing::look() const {
    std::uint64_t times = 0;
    (void)!::read(timer_.get(), &times, sizeof times);
    alignas(block) std::array<char, block> bytes{};
    ssize_t n = 0;
    do
        n = ::pread(file_.get(), bytes.data(), bytes.size(), 0);
    while (n < 0 && errno == EINTR);
    if (n == static_cast<ssize_t>(block))
        return {};
    return fail(Errc::io,
                "the disk with the desk image " + path_ +
                    " is gone: it was pulled out, or does not answer any more",
                "what was saved is in the image: put it back, and open the desk again",
                n < 0 ? errno : EIO);
}

} // namespace baton::player
