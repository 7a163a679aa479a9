#include "hypervisor/guest_channels.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace baton::hypervisor {

using namespace std::chrono_literals;

namespace {

constexpr std::chrono::milliseconds first_pause{20};
constexpr std::chrono::milliseconds longest_pause{1'000};

} // namespace

GuestChannels::GuestChannels(Heard heard)
    : heard_(std::move(heard)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      thread_([this] { run(); }) {}

GuestChannels::~GuestChannels() {
    {
        const std::scoped_lock lock(mutex_);
        over_ = true;
    }
    wake();
    thread_.join();
}

void GuestChannels::wake() const {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t n = ::write(wake_.get(), &one, sizeof one);
}

void GuestChannels::open(const DesktopId& desktop, const std::string& path) {
    const std::scoped_lock lock(mutex_);
    std::shared_ptr<Channel>& channel = channels_[desktop];
    if (channel && channel->path == path)
        return;
    channel = std::make_shared<Channel>();
    channel->desktop = desktop;
    channel->path = path;
    connect(*channel, Clock::now());
    wake();
}

void GuestChannels::close(const DesktopId& desktop) {
    {
        const std::scoped_lock lock(mutex_);
        channels_.erase(desktop);
    }
    wake();
}

void GuestChannels::delivered(const DesktopId& desktop) {
    const std::scoped_lock lock(mutex_);
    const auto found = channels_.find(desktop);
    if (found == channels_.end() || found->second->undelivered == 0)
        return;
    if (found->second->undelivered-- == most_undelivered)
        wake();
}

Result<void> GuestChannels::send(const DesktopId& desktop, const guest::ToGuest& message) {
    const std::scoped_lock lock(mutex_);
    const auto found = channels_.find(desktop);
    if (found == channels_.end() || !found->second->socket.open())
        return fail(Errc::unavailable,
                    fmt::format("desktop {} has no open port to its guest", desktop.value));
    Channel& channel = *found->second;
    const std::string line = guest::encode(message);
    if (channel.unsent.size() + line.size() > most_unsent)
        return fail(
            Errc::unavailable,
            fmt::format("the guest of desktop {} does not read what it is sent", desktop.value),
            "look at its console");
    channel.unsent += line;
    flush(channel, Clock::now());
    wake();
    return {};
}

bool GuestChannels::spoke(const DesktopId& desktop) const {
    const std::scoped_lock lock(mutex_);
    const auto found = channels_.find(desktop);
    return found != channels_.end() && found->second->spoke;
}

void GuestChannels::connect(Channel& channel, Clock::time_point now) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (channel.path.size() < sizeof address.sun_path)
        std::memcpy(address.sun_path, channel.path.data(), channel.path.size());
    channel.socket =
        process::Descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!channel.socket.open() ||
        ::connect(channel.socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) !=
            0) {
        disconnect(channel, now);
        return;
    }
    channel.lines = guest::LineSplitter{};
    channel.spoke = false;
    channel.unsent = guest::encode(guest::ToGuest{guest::Ask{}});
    flush(channel, now);
}

void GuestChannels::disconnect(Channel& channel, Clock::time_point now) {
    channel.socket.reset();
    channel.unsent.clear();
    channel.pause = std::clamp(channel.pause * 2, first_pause, longest_pause);
    channel.retry = now + channel.pause;
}

void GuestChannels::flush(Channel& channel, Clock::time_point now) {
    while (channel.socket.open() && !channel.unsent.empty()) {
        const ssize_t n = ::send(channel.socket.get(), channel.unsent.data(), channel.unsent.size(),
                                 MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0) {
            channel.unsent.erase(0, static_cast<std::size_t>(n));
        } else if (errno == EAGAIN || errno == EINTR) {
            return;
        } else {
            disconnect(channel, now);
        }
    }
}

bool GuestChannels::may_read(const Channel& channel) {
    return channel.budget > 0 && channel.undelivered < most_undelivered;
}

void GuestChannels::read(Channel& channel, Clock::time_point now,
                         std::vector<guest::FromGuest>& messages) {
    std::array<char, 4096> buffer{};
    const ssize_t n = ::recv(channel.socket.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        disconnect(channel, now);
        return;
    }
    channel.pause = 0ms;
    channel.budget -= n;
    std::vector<std::string> lines;
    channel.lines.feed({buffer.data(), static_cast<std::size_t>(n)}, lines);
    for (const std::string& line : lines) {
        // what is no message is passed over: a guest may say what it likes
        auto message = guest::decode_from_guest(line);
        if (!message)
            continue;
        channel.spoke = true;
        ++channel.undelivered;
        messages.push_back(std::move(*message));
    }
}

GuestChannels::Clock::time_point GuestChannels::prepare(Clock::time_point now) {
    Clock::time_point next = Clock::time_point::max();
    for (const auto& [desktop, channel] : channels_) {
        if (!channel->socket.open() && channel->retry <= now)
            connect(*channel, now);
        if (!channel->socket.open())
            next = std::min(next, channel->retry);
        const auto passed =
            std::chrono::duration_cast<std::chrono::milliseconds>(now - channel->refilled);
        if (passed >= 100ms) {
            channel->budget = std::min(bytes_per_second,
                                       channel->budget + bytes_per_second * passed.count() / 1000);
            channel->refilled = now;
        }
        if (channel->budget <= 0)
            next = std::min(next, channel->refilled + 100ms);
    }
    return next;
}

int GuestChannels::collect(Polled& polled) {
    polled.ends.assign(1, pollfd{wake_.get(), POLLIN, 0});
    polled.channels.assign(1, nullptr);
    const std::scoped_lock lock(mutex_);
    if (over_)
        return over;
    const Clock::time_point now = Clock::now();
    const Clock::time_point next = prepare(now);
    for (const auto& [desktop, channel] : channels_) {
        if (!channel->socket.open())
            continue;
        const int events =
            (may_read(*channel) ? POLLIN : 0) | (channel->unsent.empty() ? 0 : POLLOUT);
        // a channel that may not be read is left out, or its hang-up would spin
        if (events == 0)
            continue;
        polled.ends.push_back(pollfd{channel->socket.get(), static_cast<short>(events), 0});
        polled.channels.push_back(channel);
    }
    if (next == Clock::time_point::max())
        return -1;
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(next - now).count();
    return static_cast<int>(std::max<std::int64_t>(wait, 0));
}

std::vector<guest::FromGuest> GuestChannels::serve(Channel& channel, const pollfd& end) {
    std::vector<guest::FromGuest> messages;
    const std::scoped_lock lock(mutex_);
    if (channel.socket.get() != end.fd)
        return messages;
    const Clock::time_point now = Clock::now();
    if ((end.revents & POLLOUT) != 0)
        flush(channel, now);
    if ((end.revents & ~POLLOUT) != 0 && channel.socket.open())
        read(channel, now, messages);
    return messages;
}

void GuestChannels::run() {
    Polled polled;
    while (true) {
        const int timeout = collect(polled);
        if (timeout == over)
            return;
        if (::poll(polled.ends.data(), polled.ends.size(), timeout) <= 0)
            continue;
        if (polled.ends[0].revents != 0) {
            std::uint64_t count = 0;
            [[maybe_unused]] const ssize_t n = ::read(wake_.get(), &count, sizeof count);
        }
        for (std::size_t i = 1; i < polled.ends.size(); ++i) {
            if (polled.ends[i].revents == 0)
                continue;
            Channel& channel = *polled.channels[i];
            for (guest::FromGuest& message : serve(channel, polled.ends[i]))
                heard_(channel.desktop, std::move(message));
        }
    }
}

} // namespace baton::hypervisor
