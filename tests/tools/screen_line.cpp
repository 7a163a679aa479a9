#include "screen_line.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <charconv>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace baton::tools {

using std::chrono::milliseconds;

namespace {

constexpr milliseconds send_deadline(5000);

} // namespace

ScreenLine::~ScreenLine() {
    tls_.reset();
    if (fd_ >= 0)
        ::close(fd_);
}

Result<void> ScreenLine::open(const std::string& address, milliseconds deadline) {
    address_ = address;
    if (address.find('/') != std::string::npos) {
        sockaddr_un local{};
        local.sun_family = AF_UNIX;
        if (address.size() >= sizeof local.sun_path)
            return fail(Errc::invalid_argument, "the path is too long: " + address);
        std::copy(address.begin(), address.end(), local.sun_path);
        BATON_TRY(connect(AF_UNIX, &local, sizeof local));
    } else {
        sockaddr_in remote{};
        remote.sin_family = AF_INET;
        const auto colon = address.rfind(':');
        host_ = address.substr(0, colon);
        std::uint16_t port = 0;
        const char* end = address.data() + address.size();
        const auto parsed = colon == std::string::npos
                                ? std::from_chars_result{end, std::errc::invalid_argument}
                                : std::from_chars(address.data() + colon + 1, end, port);
        if (parsed.ec != std::errc() || parsed.ptr != end || port == 0 ||
            ::inet_pton(AF_INET, host_.c_str(), &remote.sin_addr) != 1)
            return fail(Errc::invalid_argument, "'" + address + "' is no screen",
                        "write ADDRESS:PORT, or the path of a unix socket");
        remote.sin_port = htons(port);
        BATON_TRY(connect(AF_INET, &remote, sizeof remote));
    }
    const auto connected = wait(POLLOUT, Clock::now() + deadline);
    if (!connected)
        return tl::unexpected(connected.error());
    if (!*connected)
        return fail(Errc::timeout, "no answer from " + address);
    int status = 0;
    socklen_t length = sizeof status;
    ::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &status, &length);
    if (status != 0)
        return fail_errno(status, "cannot connect to " + address);
    return {};
}

Result<void> ScreenLine::connect(int family, const void* to, unsigned length) {
    fd_ = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd_ < 0)
        return fail_errno(errno, "cannot make a socket");
    const int on = 1;
    if (family == AF_INET)
        ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(fd_, static_cast<const sockaddr*>(to), length) != 0 && errno != EINPROGRESS)
        return fail_errno(errno, "cannot connect to " + address_);
    return {};
}

Result<bool> ScreenLine::wait(short events, Clock::time_point end) {
    const auto left = std::chrono::ceil<milliseconds>(end - Clock::now());
    pollfd one{fd_, events, 0};
    const int ready = ::poll(&one, 1, static_cast<int>(std::max<std::int64_t>(0, left.count())));
    if (ready < 0 && errno != EINTR)
        return fail_errno(errno, "waiting for " + address_);
    return ready > 0;
}

tl::unexpected<Error> ScreenLine::tls_failed(const char* doing) const {
    const long verdict = SSL_get_verify_result(tls_.get());
    if (verdict != X509_V_OK)
        return fail(Errc::unauthenticated,
                    fmt::format("the certificate of {} is not trusted: {}", address_,
                                X509_verify_cert_error_string(verdict)),
                    "name the site's CA with --ca");
    const char* reason = ERR_reason_error_string(ERR_peek_error());
    return fail(Errc::unavailable,
                fmt::format("{} {}: {}", doing, address_,
                            reason != nullptr ? reason : "the connection ended"));
}

Result<bool> ScreenLine::wait_for_tls(int result, Clock::time_point end, const char* doing) {
    switch (SSL_get_error(tls_.get(), result)) {
    case SSL_ERROR_WANT_READ:
        return wait(POLLIN, end);
    case SSL_ERROR_WANT_WRITE:
        return wait(POLLOUT, end);
    case SSL_ERROR_ZERO_RETURN:
        return fail(Errc::unavailable, "the screen closed the connection");
    default:
        return tls_failed(doing);
    }
}

Result<void> ScreenLine::start_tls(const std::string& authority, milliseconds deadline) {
    context_.reset(SSL_CTX_new(TLS_client_method()));
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_mode(context_.get(),
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (SSL_CTX_load_verify_file(context_.get(), authority.c_str()) != 1)
        return fail(Errc::invalid_argument, "there is no certificate in '" + authority + "'",
                    "name the site's CA with --ca");
    tls_.reset(SSL_new(context_.get()));
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls_.get()), host_.c_str()) != 1)
        return fail(Errc::invalid_argument, "'" + address_ + "' has no address to verify",
                    "write ADDRESS:PORT");
    SSL_set_fd(tls_.get(), fd_);
    const auto end = Clock::now() + deadline;
    for (;;) {
        ERR_clear_error();
        const int result = SSL_connect(tls_.get());
        if (result == 1)
            return {};
        const auto ready = wait_for_tls(result, end, "TLS with");
        if (!ready)
            return tl::unexpected(ready.error());
        if (!*ready)
            return fail(Errc::timeout, "no TLS with " + address_ + " in time");
    }
}

Result<std::size_t> ScreenLine::receive(char* into, std::size_t most, milliseconds deadline) {
    const auto end = Clock::now() + deadline;
    for (;;) {
        Result<bool> ready = false;
        if (tls_) {
            ERR_clear_error();
            const int got = SSL_read(tls_.get(), into, static_cast<int>(most));
            if (got > 0)
                return static_cast<std::size_t>(got);
            ready = wait_for_tls(got, end, "reading from");
        } else {
            const ssize_t got = ::recv(fd_, into, most, 0);
            if (got > 0)
                return static_cast<std::size_t>(got);
            if (got == 0)
                return fail(Errc::unavailable, "the screen closed the connection");
            if (errno != EAGAIN)
                return fail_errno(errno, "reading from the screen");
            ready = wait(POLLIN, end);
        }
        if (!ready)
            return tl::unexpected(ready.error());
        if (!*ready)
            return 0;
    }
}

Result<void> ScreenLine::send(std::string_view bytes) {
    const auto end = Clock::now() + send_deadline;
    while (!bytes.empty()) {
        Result<bool> ready = true;
        if (tls_) {
            ERR_clear_error();
            const int sent = SSL_write(tls_.get(), bytes.data(), static_cast<int>(bytes.size()));
            if (sent > 0)
                bytes.remove_prefix(static_cast<std::size_t>(sent));
            else
                ready = wait_for_tls(sent, end, "writing to");
        } else {
            const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent >= 0)
                bytes.remove_prefix(static_cast<std::size_t>(sent));
            else if (errno == EAGAIN)
                ready = wait(POLLOUT, end);
            else
                return fail_errno(errno, "writing to the screen");
        }
        if (!ready)
            return tl::unexpected(ready.error());
        if (!*ready)
            return fail(Errc::timeout, "the screen takes no input");
    }
    return {};
}

} // namespace baton::tools
