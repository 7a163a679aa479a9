#include "fake_screen.h"

#include "rfb/handshake_server.h"

#include <algorithm>
#include <array>
#include <optional>
#include <poll.h>
#include <stdexcept>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace baton::gateway {

struct FakeScreen::Watcher {
    int socket = -1;
    bool first = false;
    std::string in;
    rfb::ClientReader reader;
    std::optional<std::uint32_t> shown;
    bool wants_all = false;
    bool wants_change = false;
};

FakeScreen::FakeScreen(std::string path, std::uint32_t colour, Manner manner)
    : path_(std::move(path)), manner_(manner), colour_(colour) {
    ::unlink(path_.c_str());
    listener_ = process::Descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::copy(path_.begin(), path_.end(), address.sun_path);
    if (::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(listener_.get(), 64) != 0)
        throw std::runtime_error("cannot listen at " + path_);
    thread_ = std::thread([this] { take_connections(); });
}

FakeScreen::~FakeScreen() {
    ending_ = true;
    thread_.join();
    ::unlink(path_.c_str());
}

namespace {

bool readable(int socket, int wait_ms) {
    pollfd descriptor{socket, POLLIN, 0};
    return ::poll(&descriptor, 1, wait_ms) == 1;
}

} // namespace

void FakeScreen::take_connections() {
    while (!ending_) {
        if (!readable(listener_.get(), 20))
            continue;
        const int socket = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
        if (socket < 0)
            continue;
        const bool first = connections_++ == 0;
        threads_.emplace_back([this, socket, first] { serve(process::Descriptor(socket), first); });
    }
    for (auto& thread : threads_)
        thread.join();
}

void FakeScreen::serve(const process::Descriptor& socket, bool first) {
    Watcher watcher;
    watcher.socket = socket.get();
    watcher.first = first;
    if (manner_ == Manner::says_nothing) {
        while (!ending_ && !readable(watcher.socket, 20)) {
        }
        return;
    }
    if (!welcome(watcher) || manner_ == Manner::ends_after_init)
        return;
    while (!ending_) {
        if (!hear(watcher))
            return;
        const std::uint32_t colour = colour_;
        const bool changed = watcher.shown != colour;
        if (!watcher.wants_all && !(watcher.wants_change && changed) && manner_ != Manner::floods)
            continue;
        watcher.wants_all = false;
        watcher.wants_change = false;
        watcher.shown = colour;
        if (!send_picture(watcher))
            return;
    }
}

bool FakeScreen::welcome(Watcher& watcher) {
    rfb::HandshakeServer handshake({rfb::Login::none}, {});
    using Step = rfb::HandshakeServer::Step;
    for (Step step = Step::again; step != Step::client_init;) {
        if (!send(watcher, handshake.take_output()))
            return false;
        if (step == Step::need_more) {
            std::array<char, 512> some{};
            while (!readable(watcher.socket, 20))
                if (ending_)
                    return false;
            const ssize_t got = ::recv(watcher.socket, some.data(), some.size(), 0);
            if (got <= 0)
                return false;
            watcher.in.append(some.data(), static_cast<std::size_t>(got));
        }
        const auto progress = handshake.next(watcher.in);
        if (!progress)
            return false;
        watcher.in.erase(0, progress->used);
        step = progress->step;
    }
    handshake.send_server_init({width, height, rfb::PixelFormat{}, "fake"});
    return send(watcher, handshake.take_output());
}

bool FakeScreen::hear(Watcher& watcher) {
    if (readable(watcher.socket, manner_ == Manner::floods ? 0 : 5)) {
        std::array<char, 4096> some{};
        const ssize_t got = ::recv(watcher.socket, some.data(), some.size(), 0);
        if (got <= 0)
            return false;
        watcher.in.append(some.data(), static_cast<std::size_t>(got));
    }
    for (;;) {
        const auto event = watcher.reader.next(watcher.in);
        if (!event)
            return false;
        if (event->part == rfb::ClientEvent::Part::need_more)
            return true;
        if (event->message) {
            const std::lock_guard lock(mutex_);
            ++heard_[event->message->index()];
            if (const auto* request = std::get_if<rfb::UpdateRequest>(&*event->message))
                (request->incremental ? watcher.wants_change : watcher.wants_all) = true;
        }
        watcher.in.erase(0, event->bytes.size());
    }
}

bool FakeScreen::send_picture(Watcher& watcher) {
    std::string picture("\0\0\0\1\0\0\0\0", 8); // an update of one rectangle, at 0, 0
    for (const unsigned number : {0U + width, 0U + height, 0U, 0U}) {
        picture += static_cast<char>(number >> 8);
        picture += static_cast<char>(number);
    }
    for (int i = 0; i < width * height; ++i)
        for (const int shift : {0, 8, 16, 24})
            picture += static_cast<char>(*watcher.shown >> shift);
    if (manner_ == Manner::stalls_in_picture) {
        send(watcher, std::string_view(picture).substr(0, picture.size() / 2));
        while (!ending_ && hear(watcher)) {
        }
        return false;
    }
    return send(watcher, picture);
}

bool FakeScreen::send(Watcher& watcher, std::string_view bytes) {
    while (!bytes.empty() && !ending_) {
        const ssize_t sent =
            ::send(watcher.socket, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EAGAIN) {
            pollfd descriptor{watcher.socket, POLLOUT, 0};
            ::poll(&descriptor, 1, 20);
            continue;
        }
        if (sent <= 0)
            return false;
        bytes.remove_prefix(static_cast<std::size_t>(sent));
        if (watcher.first)
            sent_on_first_ += static_cast<std::size_t>(sent);
    }
    return true;
}

} // namespace baton::gateway
