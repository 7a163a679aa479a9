#include "support/namespaced_tcp.h"

#include <arpa/inet.h>
#include <cerrno>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdexcept>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace baton::testing {

namespace {

using Clock = std::chrono::steady_clock;

sockaddr_in address_of(const std::string& address, std::uint16_t port) {
    sockaddr_in result{};
    result.sin_family = AF_INET;
    result.sin_port = htons(port);
    if (::inet_pton(AF_INET, address.c_str(), &result.sin_addr) != 1)
        throw std::runtime_error("not an address: " + address);
    return result;
}

/// A socket stays in the namespace that it was made in; only the making needs a thread there.
int socket_in(const std::string& netns) {
    int fd = -1;
    std::thread([&] {
        const int ns = ::open(("/run/netns/" + netns).c_str(), O_RDONLY | O_CLOEXEC);
        if (ns >= 0 && ::setns(ns, CLONE_NEWNET) == 0)
            fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        ::close(ns);
    }).join();
    if (fd < 0)
        throw std::runtime_error("cannot make a socket in the network namespace " + netns);
    return fd;
}

bool wait_for(int fd, short what, std::chrono::milliseconds patience) {
    pollfd set{fd, what, 0};
    return ::poll(&set, 1, static_cast<int>(patience.count())) == 1;
}

} // namespace

TcpSocket::~TcpSocket() {
    if (fd_ >= 0)
        ::close(fd_);
}

TcpSocket::TcpSocket(TcpSocket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

void TcpSocket::send(const std::string& text) const {
    if (::send(fd_, text.data(), text.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(text.size()))
        throw std::runtime_error("cannot send");
}

std::optional<std::string> TcpSocket::receive(std::chrono::milliseconds patience) const {
    if (!wait_for(fd_, POLLIN, patience))
        return std::nullopt;
    std::string text(4096, '\0');
    const ssize_t n = ::recv(fd_, text.data(), text.size(), 0);
    if (n < 0)
        return std::nullopt;
    text.resize(static_cast<std::size_t>(n));
    return text;
}

std::optional<std::chrono::milliseconds>
TcpSocket::wait_for_end(std::chrono::milliseconds patience) const {
    const auto start = Clock::now();
    while (true) {
        const auto spent =
            std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start);
        if (spent >= patience || !wait_for(fd_, POLLIN, patience - spent))
            return std::nullopt;
        char byte = 0;
        const ssize_t n = ::recv(fd_, &byte, 1, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN))
            return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start);
    }
}

struct EchoServer::State {
    int listener = -1;
    int stop = -1;
    std::string name;
    std::jthread thread;

    void run() const {
        std::vector<int> clients;
        while (true) {
            std::vector<pollfd> set{{stop, POLLIN, 0}, {listener, POLLIN, 0}};
            for (const int fd : clients)
                set.push_back({fd, POLLIN, 0});
            ::poll(set.data(), set.size(), -1);
            if (set[0].revents != 0)
                break;
            for (std::size_t i = 2; i < set.size(); ++i)
                if (set[i].revents != 0 && !echo(set[i].fd)) {
                    ::close(set[i].fd);
                    std::erase(clients, set[i].fd);
                }
            if (set[1].revents == 0)
                continue;
            if (const int fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC); fd >= 0) {
                clients.push_back(fd);
                (void)::send(fd, name.data(), name.size(), MSG_NOSIGNAL);
            }
        }
        for (const int fd : clients)
            ::close(fd);
    }

    static bool echo(int fd) {
        char buffer[256];
        const ssize_t n = ::recv(fd, buffer, sizeof buffer, 0);
        return n > 0 && ::send(fd, buffer, static_cast<std::size_t>(n), MSG_NOSIGNAL) == n;
    }
};

EchoServer::EchoServer(const std::string& netns, const std::string& address, std::uint16_t port,
                       std::string name)
    : state_(std::make_unique<State>()) {
    state_->name = std::move(name);
    state_->listener = socket_in(netns);
    state_->stop = ::eventfd(0, EFD_CLOEXEC);
    const int on = 1;
    ::setsockopt(state_->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const auto to = address_of(address, port);
    if (::bind(state_->listener, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0 ||
        ::listen(state_->listener, 64) != 0)
        throw std::runtime_error("cannot listen on " + address + " in " + netns);
    state_->thread = std::jthread([state = state_.get()] { state->run(); });
}

EchoServer::~EchoServer() {
    const std::uint64_t one = 1;
    (void)!::write(state_->stop, &one, sizeof one);
    state_->thread.join();
    ::close(state_->listener);
    ::close(state_->stop);
}

Result<TcpSocket> connect_in(const std::string& netns, const std::string& address,
                             std::uint16_t port, const std::string& from, std::uint16_t from_port) {
    TcpSocket socket(socket_in(netns));
    if (!from.empty()) {
        const int on = 1;
        ::setsockopt(socket.fd(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        const auto mine = address_of(from, from_port);
        if (::bind(socket.fd(), reinterpret_cast<const sockaddr*>(&mine), sizeof mine) != 0)
            return fail_errno(errno, "cannot bind to " + from);
    }
    const auto to = address_of(address, port);
    ::connect(socket.fd(), reinterpret_cast<const sockaddr*>(&to), sizeof to);
    if (!wait_for(socket.fd(), POLLOUT, std::chrono::seconds(3)))
        return fail(Errc::timeout, "no answer from " + address);
    int reason = 0;
    socklen_t size = sizeof reason;
    ::getsockopt(socket.fd(), SOL_SOCKET, SO_ERROR, &reason, &size);
    if (reason != 0)
        return fail(Errc::unavailable, address + " refuses", {}, reason);
    return socket;
}

Result<std::string> who_answers(const std::string& netns, const std::string& address,
                                std::uint16_t port, const std::string& from) {
    const auto socket = connect_in(netns, address, port, from);
    if (!socket)
        return tl::unexpected(socket.error());
    const auto greeting = socket->receive(std::chrono::seconds(3));
    if (!greeting)
        return fail(Errc::timeout, "connected, but nobody greets");
    return *greeting;
}

} // namespace baton::testing
