#include "net/listen.h"

#include "net/descriptor.h"

#include <fmt/format.h>

#include <arpa/inet.h>
#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sstream>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

namespace baton::net {

namespace {

/// The inode of the socket that listens at this port, from /proc/net/tcp or tcp6; "" = none.
std::string listening_inode(const char* table, std::uint16_t port) {
    std::ifstream file(table);
    std::string line;
    std::getline(file, line); // headings
    while (std::getline(file, line)) {
        std::istringstream fields(line);
        std::string slot;
        std::string local;
        std::string remote;
        std::string state;
        std::string skipped;
        std::string inode;
        fields >> slot >> local >> remote >> state;
        for (int i = 0; i < 5; ++i)
            fields >> skipped;
        fields >> inode;
        const auto colon = local.rfind(':');
        constexpr const char* listening = "0A";
        if (state == listening && colon != std::string::npos &&
            std::strtoul(local.c_str() + colon + 1, nullptr, 16) == port)
            return inode;
    }
    return {};
}

/// "by batond (process 12)", as far as this process may look; "" otherwise.
std::string holder_of(std::uint16_t port) {
    std::string inode = listening_inode("/proc/net/tcp", port);
    if (inode.empty())
        inode = listening_inode("/proc/net/tcp6", port);
    if (inode.empty())
        return {};
    const std::string wanted = "socket:[" + inode + "]";
    namespace fs = std::filesystem;
    std::error_code error;
    for (const auto& process : fs::directory_iterator("/proc", error)) {
        const auto id = process.path().filename().string();
        if (id.find_first_not_of("0123456789") != std::string::npos)
            continue;
        std::error_code unreadable;
        for (fs::directory_iterator it(process.path() / "fd", unreadable), end;
             !unreadable && it != end; it.increment(unreadable)) {
            std::error_code gone;
            if (fs::read_symlink(it->path(), gone).string() != wanted)
                continue;
            std::string name;
            std::getline(std::ifstream(process.path() / "comm") >> std::ws, name);
            return fmt::format(" by {} (process {})", name, id);
        }
    }
    return {};
}

Result<Listening> listen_unix(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path)
        return fail(Errc::invalid_argument,
                    "the path of a unix socket has 1 to 107 characters: '" + path + "'");
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    const auto* generic = reinterpret_cast<const sockaddr*>(&address);
    {
        // Left over by a program that was killed, or in use? Only connecting tells.
        const Descriptor probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        if (probe.get() < 0)
            return fail_errno(errno, "cannot make a socket");
        struct stat info{};
        if (::lstat(path.c_str(), &info) == 0) {
            if (!S_ISSOCK(info.st_mode))
                return fail(Errc::already_exists, path + " is there and is no socket",
                            "name another path");
            if (::connect(probe.get(), generic, sizeof address) == 0 || errno == EAGAIN)
                return fail(Errc::busy, "another program listens at " + path,
                            "is it running already?");
            ::unlink(path.c_str());
        }
    }
    Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (socket.get() < 0)
        return fail_errno(errno, "cannot make a socket");
    if (::fchmod(socket.get(), 0600) != 0 || ::bind(socket.get(), generic, sizeof address) != 0)
        return fail_errno(errno, "cannot listen at " + path);
    if (::chmod(path.c_str(), 0600) != 0 || ::listen(socket.get(), SOMAXCONN) != 0) {
        const int why = errno;
        ::unlink(path.c_str());
        return fail_errno(why, "cannot listen at " + path);
    }
    return Listening{socket.release(), AF_UNIX, 0, path};
}

/// Fills `storage`; the length, or 0 if `text` is no numeric address.
socklen_t numeric_address(const std::string& text, std::uint16_t port, sockaddr_storage& storage) {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
    if (::inet_pton(AF_INET, text.c_str(), &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        return sizeof *v4;
    }
    storage = {};
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
    if (::inet_pton(AF_INET6, text.c_str(), &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        return sizeof *v6;
    }
    return 0;
}

} // namespace

std::string address_text(const sockaddr& address) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (address.sa_family == AF_INET)
        ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(address).sin_addr, text.data(),
                    text.size());
    else if (address.sa_family == AF_INET6)
        ::inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr,
                    text.data(), text.size());
    return text.data();
}

Result<Listening> listen_at(const std::string& address, std::uint16_t port) {
    constexpr std::string_view unix_scheme = "unix:";
    if (address.compare(0, unix_scheme.size(), unix_scheme) == 0)
        return listen_unix(address.substr(unix_scheme.size()));
    const std::string shown = address + ":" + std::to_string(port);
    sockaddr_storage storage{};
    const socklen_t length = numeric_address(address, port, storage);
    if (length == 0)
        return fail(Errc::invalid_argument, "cannot listen at '" + address + "'",
                    "give a numeric address of this machine, like 10.0.0.1 or 0.0.0.0");
    Descriptor socket(
        ::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP));
    if (socket.get() < 0)
        return fail_errno(errno, "cannot make a socket");
    const int on = 1;
    ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    // Inherited by every connection that is accepted. QEMU 7.2 does not set it for its NBD server,
    // whose short replies would each wait for the other side's delayed acknowledgement (40 ms).
    ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    auto* generic = reinterpret_cast<sockaddr*>(&storage);
    if (::bind(socket.get(), generic, length) != 0 || ::listen(socket.get(), SOMAXCONN) != 0) {
        const int why = errno;
        if (why == EADDRINUSE)
            return fail(Errc::busy, "the port " + shown + " is in use" + holder_of(port),
                        "stop that program, or choose another port", why);
        if (why == EADDRNOTAVAIL)
            return fail(Errc::invalid_argument, "this machine has no address " + address,
                        "see its addresses with: ip address", why);
        if (why == EACCES)
            return fail(Errc::forbidden, "no right to listen at " + shown,
                        "ports below 1024 need root", why);
        return fail_errno(why, "cannot listen at " + shown);
    }
    sockaddr_storage bound{};
    socklen_t size = sizeof bound;
    ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&bound), &size);
    const auto port_field = bound.ss_family == AF_INET
                                ? reinterpret_cast<sockaddr_in*>(&bound)->sin_port
                                : reinterpret_cast<sockaddr_in6*>(&bound)->sin6_port;
    return Listening{socket.release(), bound.ss_family, ntohs(port_field), {}};
}

} // namespace baton::net
