#include "viewer/attempt.h"

#include "net/tls.h"
#include "net/vnc_password.h"

#include <boost/asio/error.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/error.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <utility>

namespace baton::viewer {

using rfb::HandshakeClient;
using rfb::Login;

namespace {

constexpr std::size_t most_handshake_bytes = std::size_t{2} * 1024 * 1024;

/// A certificate that was asked for is never done without.
std::vector<Login> logins(bool tls) {
    if (tls)
        return {Login::x509_plain, Login::x509_vnc, Login::x509_none};
    return {Login::vnc, Login::none};
}

/// So that a cable that was pulled out is noticed within some 20 seconds.
void watch(int socket) {
    const auto set = [socket](int level, int option, int value) {
        ::setsockopt(socket, level, option, &value, sizeof value);
    };
    set(SOL_SOCKET, SO_KEEPALIVE, 1);
    set(IPPROTO_TCP, TCP_KEEPIDLE, 5);
    set(IPPROTO_TCP, TCP_KEEPINTVL, 5);
    set(IPPROTO_TCP, TCP_KEEPCNT, 3);
    set(IPPROTO_TCP, TCP_USER_TIMEOUT, 20'000);
    set(IPPROTO_TCP, TCP_NODELAY, 1);
}

} // namespace

Attempt::Attempt(asio::io_context& context, const LinkSettings& settings, asio::ssl::context* tls,
                 rfb::Credentials credentials)
    : settings_(settings),
      tls_(tls),
      credentials_(std::move(credentials)),
      resolver_(context),
      stream_(net::Stream::Socket(context.get_executor()), nullptr),
      handshake_(logins(tls != nullptr), settings.wishes.shared),
      some_(16 * 1024) {}

std::string Attempt::place() const {
    if (is_local())
        return settings_.host;
    return settings_.host + ":" + std::to_string(settings_.port);
}

void Attempt::start(std::function<void()> asking, Done done) {
    asking_ = std::move(asking);
    done_ = std::move(done);
    if (is_local()) {
        endpoints_.emplace_back(asio::local::stream_protocol::endpoint(settings_.host));
        connect();
        return;
    }
    resolver_.async_resolve(settings_.host, std::to_string(settings_.port),
                            [self = shared_from_this()](error_code error, const auto& found) {
                                if (!self->done_)
                                    return;
                                if (error) {
                                    self->end({{Errc::unavailable,
                                                "no machine is called '" + self->settings_.host +
                                                    "': " + error.message(),
                                                "check the name, or give an address", 0},
                                               false});
                                    return;
                                }
                                for (const auto& entry : found)
                                    self->endpoints_.emplace_back(entry.endpoint());
                                self->connect();
                            });
}

void Attempt::cancel() {
    done_ = {};
    resolver_.cancel();
    stream_.close();
}

void Attempt::connect() {
    if (next_endpoint_ == endpoints_.size()) {
        end({no_connection(last_), false});
        return;
    }
    if (next_endpoint_ > 0)
        stream_ = net::Stream(net::Stream::Socket(resolver_.get_executor()), nullptr);
    stream_.expires_after(settings_.connect_time);
    stream_.async_connect(endpoints_[next_endpoint_++],
                          [self = shared_from_this()](error_code error) {
                              if (!self->done_)
                                  return;
                              self->last_ = error;
                              if (error)
                                  self->connect();
                              else
                                  self->connected();
                          });
}

void Attempt::connected() {
    watch(stream_.descriptor());
    stream_.expires_after(settings_.connect_time);
    drive();
}

void Attempt::drive() {
    using Step = HandshakeClient::Step;
    const auto progress = handshake_.next(in_);
    out_ += handshake_.take_output();
    if (!progress) {
        end(refusal(progress.error()));
        return;
    }
    in_.erase(0, progress->used);
    switch (progress->step) {
    case Step::need_more:
        send_then([self = shared_from_this()] { self->receive(); });
        return;
    case Step::start_tls:
        send_then([self = shared_from_this()] { self->begin_tls(); });
        return;
    case Step::give_credentials:
        handshake_.give(credentials_);
        break;
    case Step::answer_challenge:
        if (const auto answered = answer_challenge(); !answered) {
            end({answered.error(), true});
            return;
        }
        break;
    case Step::done: {
        stream_.expires_never();
        const auto done = std::exchange(done_, {});
        done(Screen{std::move(stream_), handshake_.server_init(), std::move(in_)});
        return;
    }
    default:
        drive();
        return;
    }
    stream_.expires_after(settings_.login_time);
    asking_();
    drive();
}

Result<void> Attempt::answer_challenge() {
    if (credentials_.password.empty())
        return fail(Errc::unauthenticated, "the screen asks for a password", "give it");
    const auto answer = net::answer_vnc_challenge(credentials_.password, handshake_.challenge());
    if (!answer)
        return tl::unexpected(answer.error());
    handshake_.answer(*answer);
    return {};
}

void Attempt::send_then(std::function<void()> next) {
    if (out_.empty()) {
        next();
        return;
    }
    asio::async_write(
        stream_, asio::buffer(out_),
        [self = shared_from_this(), next = std::move(next)](error_code error, std::size_t) {
            if (!self->done_)
                return;
            if (error) {
                self->end({self->no_connection(error), false});
                return;
            }
            self->out_.clear();
            next();
        });
}

void Attempt::receive() {
    stream_.async_read_some(
        asio::buffer(some_), [self = shared_from_this()](error_code error, std::size_t got) {
            if (!self->done_)
                return;
            self->in_.append(self->some_.data(), got);
            if (error)
                self->end({self->no_connection(error), false});
            else if (self->in_.size() > most_handshake_bytes)
                self->end({{Errc::corrupt, self->place() + " does not come to an end",
                            "is this the port of a VNC screen?", 0},
                           true});
            else
                self->drive();
        });
}

void Attempt::begin_tls() {
    if (!in_.empty()) { // it cannot have been told to begin yet
        end({{Errc::corrupt, place() + " sent something before TLS began", "", 0}, true});
        return;
    }
    stream_.start_tls(*tls_);
    net::expect_name(stream_.ssl(), settings_.host);
    stream_.async_handshake(
        asio::ssl::stream_base::client, [self = shared_from_this()](error_code error) {
            if (!self->done_)
                return;
            if (!error) {
                self->drive();
                return;
            }
            const Error why = net::handshake_error(self->stream_.ssl(), error, self->place());
            self->end({why, why.code == Errc::unauthenticated});
        });
}

Attempt::Refusal Attempt::refusal(const Error& why) const {
    const std::string& reason = handshake_.reason();
    if (reason.empty())
        return {why, true}; // no reason: nothing in common, or no RFB
    if (reason == rfb::wrong_credentials ||
        rfb::proof_of(handshake_.login()) == rfb::Proof::vnc_password)
        return {{Errc::unauthenticated, reason, "", 0}, true};
    return {{Errc::refused, reason, "", 0}, false};
}

Error Attempt::no_connection(const error_code& error) const {
    const std::string running = "is it running, and is the network?";
    if (error == asio::error::connection_refused)
        return {Errc::unavailable, "nothing listens at " + place(), running, error.value()};
    if (error == boost::beast::error::timeout || error == asio::error::timed_out)
        return {Errc::timeout, place() + " does not answer", running, 0};
    if (error == asio::error::host_unreachable || error == asio::error::network_unreachable)
        return {Errc::unavailable, "there is no way to " + place(),
                "check the cable and the address", error.value()};
    return {Errc::unavailable, "the connection to " + place() + " was lost: " + error.message(),
            running, error.value()};
}

void Attempt::end(Refusal refusal) {
    stream_.close();
    const auto done = std::exchange(done_, {});
    done(tl::unexpected(std::move(refusal)));
}

} // namespace baton::viewer
