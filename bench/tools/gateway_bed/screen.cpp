#include "rfb/client_reader.h"
#include "rfb/handshake_server.h"
#include "rfb/server_messages.h"
#include "rfb/tight_reader.h"
#include "rfb/wire.h"
#include "sockets.h"

#include <fcntl.h>
#include <map>
#include <poll.h>
#include <sys/epoll.h>
#include <thread>
#include <vector>

namespace baton::bed {

namespace {

constexpr std::uint16_t width = 1024;
constexpr std::uint16_t height = 768;

/// Of one viewer.
struct Watcher {
    process::Descriptor socket;
    std::string in;
    rfb::HandshakeServer handshake{{rfb::Login::none}, {}};
    rfb::ClientReader reader;
    bool is_in = false;
    std::size_t sent = 0; ///< updates
};

void put_rectangle(std::string& out, std::size_t bytes) {
    write(out, rfb::Rectangle{0, 0, 64, 64, rfb::Encoding::tight});
    rfb::put8(out, 0);
    rfb::write_compact_length(out, static_cast<std::uint32_t>(bytes));
    out.append(bytes, 'z');
}

std::string end_of_stream() {
    std::string out("\3\0\0\0", 4); // a clipboard's text
    rfb::put32(out, static_cast<std::uint32_t>(end_mark.size()));
    return out.append(end_mark);
}

class Screen {
  public:
    explicit Screen(Arguments arguments) : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
        const std::size_t all = std::stoul(arguments[0]) * 1024 * 1024;
        const std::size_t bytes = std::stoul(arguments[1]);
        const auto rectangles = static_cast<std::uint16_t>(std::stoi(arguments[2]));
        rfb::write_update_head(update_, rectangles);
        for (int i = 0; i < rectangles; ++i)
            put_rectangle(update_, bytes);
        updates_ = all / update_.size() + 1;
        asked_ = arguments.size() > 3;
        rfb::write_update_head(echo_, 1);
        write(echo_, rfb::Rectangle{0, 0, 8, 16, rfb::Encoding::raw});
        echo_.append(8 * 16 * 4, 'p');
        watch(listener_.socket.get());
    }

    [[nodiscard]] std::uint16_t port() const { return listener_.port; }

    [[noreturn]] void run() {
        for (;;) {
            epoll_event event{};
            if (::epoll_wait(epoll_.get(), &event, 1, -1) != 1)
                continue;
            if (event.data.fd == listener_.socket.get())
                welcome();
            else if (!hear(watchers_.at(event.data.fd)))
                watchers_.erase(event.data.fd);
        }
    }

  private:
    void watch(int socket) {
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.fd = socket;
        ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, socket, &event);
    }

    void welcome() {
        const int socket = ::accept4(listener_.socket.get(), nullptr, nullptr, SOCK_CLOEXEC);
        if (socket < 0)
            return;
        send_at_once(socket);
        Watcher& watcher = watchers_[socket];
        watcher.socket = process::Descriptor(socket);
        watch(socket);
        hear_bytes(watcher);
    }

    bool hear(Watcher& watcher) {
        std::vector<char> some(4096);
        const ssize_t got = ::recv(watcher.socket.get(), some.data(), some.size(), 0);
        if (got <= 0)
            return false;
        watcher.in.append(some.data(), static_cast<std::size_t>(got));
        return hear_bytes(watcher);
    }

    bool hear_bytes(Watcher& watcher) {
        while (!watcher.is_in) {
            const auto progress = watcher.handshake.next(watcher.in);
            if (!progress)
                return false;
            watcher.in.erase(0, progress->used);
            if (progress->step == rfb::HandshakeServer::Step::client_init) {
                watcher.handshake.send_server_init({width, height, rfb::PixelFormat{}, "bench"});
                watcher.is_in = true;
            }
            send_all(watcher.socket.get(), watcher.handshake.take_output());
            if (progress->step == rfb::HandshakeServer::Step::need_more)
                return true;
        }
        for (;;) {
            const auto event = watcher.reader.next(watcher.in);
            if (!event)
                return false;
            if (event->part == rfb::ClientEvent::Part::need_more)
                return true;
            if (event->message)
                answer(watcher, *event->message);
            watcher.in.erase(0, event->bytes.size());
        }
    }

    void answer(Watcher& watcher, const rfb::ClientMessage& message) {
        const int socket = watcher.socket.get();
        const auto* key = std::get_if<rfb::KeyEvent>(&message);
        if (key != nullptr && key->down)
            send_all(socket, echo_);
        if (!std::holds_alternative<rfb::UpdateRequest>(message) || watcher.sent == updates_)
            return;
        do {
            send_all(socket, update_);
        } while (++watcher.sent < updates_ && !asked_);
        if (watcher.sent == updates_)
            send_all(socket, end_of_stream());
    }

    Listener listener_ = listen_somewhere();
    process::Descriptor epoll_;
    std::string update_;
    std::size_t updates_ = 0;
    bool asked_ = false;
    std::string echo_;
    std::map<int, Watcher> watchers_;
};

} // namespace

void run_screen(Arguments arguments) {
    Screen screen(arguments);
    say(std::to_string(screen.port()));
    std::thread([] {
        wait_for_end_of_input();
        std::_Exit(0);
    }).detach();
    screen.run();
}

} // namespace baton::bed
