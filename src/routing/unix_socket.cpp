#include "routing/unix_socket.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace baton::routing {

namespace {

using Time = std::chrono::steady_clock;

Result<sockaddr_un> address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path)
        return fail(Errc::invalid_argument,
                    "the socket's path '" + path + "' is empty or longer than " +
                        std::to_string(sizeof address.sun_path - 1) + " bytes",
                    "choose a shorter one, such as /run/baton/helper.sock");
    std::memcpy(address.sun_path, path.c_str(), path.size());
    return address;
}

Result<UnixSocket> make_socket() {
    UnixSocket socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket.open())
        return fail_errno(errno, "cannot make a socket");
    return socket;
}

/// False when `until` has passed.
bool wait_for(int fd, short events, Time::time_point until) {
    while (true) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Time::now());
        if (left.count() <= 0)
            return false;
        pollfd set{fd, events, 0};
        if (::poll(&set, 1, static_cast<int>(left.count())) > 0)
            return true;
    }
}

tl::unexpected<Error> gone() {
    return fail(Errc::unavailable, "the other side of the socket is gone");
}

} // namespace

UnixSocket::~UnixSocket() {
    if (fd_ >= 0)
        ::close(fd_);
}

Result<UnixSocket> connect_unix(const std::string& path) {
    const auto address = address_of(path);
    if (!address)
        return tl::unexpected(address.error());
    auto socket = make_socket();
    if (!socket)
        return socket;
    if (::connect(socket->fd(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) == 0)
        return socket;
    const int reason = errno;
    if (reason == ENOENT || reason == ECONNREFUSED || reason == EAGAIN)
        return fail(Errc::unavailable, "nobody answers at " + path, {}, reason);
    return fail_errno(reason, "cannot connect to " + path);
}

Result<UnixSocket> listen_unix(const std::string& path, unsigned owner) {
    const auto address = address_of(path);
    if (!address)
        return tl::unexpected(address.error());
    std::error_code wrong;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path(), wrong);
    struct stat is{};
    if (::lstat(path.c_str(), &is) == 0) {
        if (!S_ISSOCK(is.st_mode))
            return fail(Errc::already_exists, path + " is there and is not a socket",
                        "choose another path, or remove it");
        if (connect_unix(path))
            return fail(Errc::busy, "somebody serves at " + path + " already",
                        "end the other one first");
        ::unlink(path.c_str());
    }
    auto socket = make_socket();
    if (!socket)
        return socket;
    // born closed to everybody else: the mode of a socket file is checked when one connects
    const mode_t before = ::umask(0177);
    const int bound =
        ::bind(socket->fd(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address);
    const int reason = errno;
    ::umask(before);
    if (bound != 0)
        return fail_errno(reason, "cannot make the socket " + path);
    if (::chown(path.c_str(), owner, static_cast<gid_t>(-1)) != 0 ||
        ::listen(socket->fd(), 16) != 0)
        return fail_errno(errno,
                          "cannot open the socket " + path + " to user " + std::to_string(owner));
    return socket;
}

Result<void> send_all(const UnixSocket& socket, std::string_view text, Time::time_point until) {
    while (!text.empty()) {
        const ssize_t n = ::send(socket.fd(), text.data(), text.size(), MSG_NOSIGNAL);
        if (n > 0) {
            text.remove_prefix(static_cast<std::size_t>(n));
            continue;
        }
        if (errno != EAGAIN && errno != EINTR)
            return gone();
        if (!wait_for(socket.fd(), POLLOUT, until))
            return fail(Errc::timeout, "the other side of the socket does not read");
    }
    return {};
}

Result<std::string> receive_line(const UnixSocket& socket, std::string& buffer, std::size_t limit,
                                 Time::time_point until) {
    std::size_t searched = 0;
    while (true) {
        if (const auto end = buffer.find('\n', searched); end != std::string::npos) {
            auto line = buffer.substr(0, end);
            buffer.erase(0, end + 1);
            return line;
        }
        searched = buffer.size();
        if (buffer.size() > limit)
            return fail(Errc::refused,
                        "a line on the socket is longer than " + std::to_string(limit) + " bytes");
        std::array<char, 16'384> bytes{};
        const ssize_t n = ::recv(socket.fd(), bytes.data(), bytes.size(), 0);
        if (n > 0) {
            buffer.append(bytes.data(), static_cast<std::size_t>(n));
            continue;
        }
        if (n == 0 || (errno != EAGAIN && errno != EINTR))
            return gone();
        if (!wait_for(socket.fd(), POLLIN, until))
            return fail(Errc::timeout, "the other side of the socket does not answer");
    }
}

} // namespace baton::routing
