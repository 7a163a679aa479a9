#include "net/tls_session.h"

#include <boost/asio/error.hpp>
#include <boost/asio/ssl/error.hpp>
#include <openssl/bio.h>
#include <openssl/err.h>

#include <cerrno>
#include <cstdint>
#include <new>
#include <sys/socket.h>

namespace baton::net {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

// OpenSSL's own socket BIO would raise SIGPIPE.

int descriptor_of(BIO* bio) {
    return static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
}

bool not_now(int why) {
    return why == EAGAIN || why == EWOULDBLOCK || why == EINTR;
}

int bio_write(BIO* bio, const char* bytes, int size) {
    BIO_clear_retry_flags(bio);
    const ssize_t sent = ::send(descriptor_of(bio), bytes, static_cast<std::size_t>(size),
                                MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && not_now(errno))
        BIO_set_retry_write(bio);
    return static_cast<int>(sent);
}

int bio_read(BIO* bio, char* into, int most) {
    BIO_clear_retry_flags(bio);
    const ssize_t got =
        ::recv(descriptor_of(bio), into, static_cast<std::size_t>(most), MSG_DONTWAIT);
    if (got < 0 && not_now(errno))
        BIO_set_retry_read(bio);
    return static_cast<int>(got);
}

long bio_control(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) {
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

BIO_METHOD* socket_method() {
    static BIO_METHOD* const method = [] {
        BIO_METHOD* made =
            BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "a socket, without SIGPIPE");
        if (made == nullptr)
            throw std::bad_alloc();
        BIO_meth_set_write(made, bio_write);
        BIO_meth_set_read(made, bio_read);
        BIO_meth_set_ctrl(made, bio_control);
        return made;
    }();
    return method;
}

} // namespace

TlsSession::TlsSession(int socket, SSL_CTX* context) : ssl_(SSL_new(context)) {
    BIO* bio = BIO_new(socket_method());
    if (!ssl_ || bio == nullptr)
        throw std::bad_alloc();
    BIO_set_data(bio, reinterpret_cast<void*>(static_cast<std::intptr_t>(socket)));
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl_.get(), bio, bio);
    SSL_set_mode(ssl_.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                 SSL_MODE_RELEASE_BUFFERS);
}

TlsSession::Outcome TlsSession::handshake(asio::ssl::stream_base::handshake_type type) {
    ERR_clear_error();
    errno = 0;
    const int returned =
        type == asio::ssl::stream_base::server ? SSL_accept(ssl_.get()) : SSL_connect(ssl_.get());
    return judge(returned, 0, errno);
}

TlsSession::Outcome TlsSession::read(void* into, std::size_t most) {
    ERR_clear_error();
    errno = 0;
    std::size_t got = 0;
    const int returned = SSL_read_ex(ssl_.get(), into, most, &got);
    return judge(returned, got, errno);
}

TlsSession::Outcome TlsSession::write(std::string_view bytes) {
    ERR_clear_error();
    errno = 0;
    std::size_t total = 0;
    while (total < bytes.size()) { // a record has at most 16 KiB
        std::size_t sent = 0;
        const int returned =
            SSL_write_ex(ssl_.get(), bytes.data() + total, bytes.size() - total, &sent);
        if (returned != 1 && total == 0)
            return judge(returned, sent, errno);
        if (returned != 1)
            break; // the next call meets it again
        total += sent;
    }
    return {Wait::no, total, {}};
}

void TlsSession::finish() {
    ERR_clear_error();
    if (SSL_is_init_finished(ssl_.get()) != 0)
        SSL_shutdown(ssl_.get());
}

TlsSession::Outcome TlsSession::judge(int returned, std::size_t bytes, int system_error) const {
    if (returned == 1)
        return {Wait::no, bytes, {}};
    switch (SSL_get_error(ssl_.get(), returned)) {
    case SSL_ERROR_WANT_READ:
        return {Wait::readable, 0, {}};
    case SSL_ERROR_WANT_WRITE:
        return {Wait::writable, 0, {}};
    case SSL_ERROR_ZERO_RETURN:
        return {Wait::no, 0, asio::error::eof};
    case SSL_ERROR_SSL: {
        const unsigned long why = ERR_get_error();
        if (ERR_GET_REASON(why) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
            return {Wait::no, 0, asio::ssl::error::stream_truncated};
        return {Wait::no, 0, error_code(static_cast<int>(why), asio::error::get_ssl_category())};
    }
    default:
        if (system_error == 0)
            return {Wait::no, 0, asio::ssl::error::stream_truncated};
        return {Wait::no, 0, error_code(system_error, boost::system::system_category())};
    }
}

} // namespace baton::net
