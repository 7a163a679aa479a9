#include "gateway/screen_dialer.h"

#include "gateway/wire.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/error.hpp>

#include <algorithm>
#include <utility>

namespace baton::gateway {

namespace {

using Endpoints = asio::generic::stream_protocol::endpoint;

std::string shown(const Screen& screen) {
    return screen.relay.port == 0 ? screen.relay.address
                                  : screen.relay.address + ":" + std::to_string(screen.relay.port);
}

Result<Endpoints> endpoint_of(const Screen& screen) {
    if (screen.relay.port == 0 && screen.relay.address.rfind('/', 0) == 0)
        return Endpoints(asio::local::stream_protocol::endpoint(screen.relay.address));
    error_code error;
    const auto address = asio::ip::make_address(screen.relay.address, error);
    if (error || screen.relay.port == 0)
        return fail(Errc::invalid_argument,
                    "'" + shown(screen) + "' is not the address of a host's screen relay",
                    "the host's address has to be a numeric one");
    return Endpoints(asio::ip::tcp::endpoint(address, screen.relay.port));
}

/// One attempt: connect, then with a TLS context the relay's greeting. Handlers hold it.
class Dial : public std::enable_shared_from_this<Dial> {
  public:
    Dial(const asio::any_io_executor& executor, Screen screen, ScreenDialer::DialDone done)
        : screen_(std::move(screen)),
          stream_(net::Stream::Socket(executor), nullptr),
          done_(std::move(done)) {}

    void start(const Endpoints& endpoint, std::chrono::milliseconds time, asio::ssl::context* tls) {
        // the whole attempt has one deadline: it is set once
        stream_.expires_after(time);
        stream_.async_connect(endpoint, [self = shared_from_this(), tls](error_code error) {
            if (error) {
                self->end(self->no_connection(error));
                return;
            }
            keep_alive(self->stream_.descriptor());
            if (tls == nullptr)
                self->through({});
            else
                self->shake_hands(*tls);
        });
    }

  private:
    static constexpr std::size_t most_answer_bytes = 512;

    [[nodiscard]] Error no_connection(const error_code& error) const {
        if (error == boost::beast::error::timeout)
            return {Errc::timeout,
                    "the host's screen relay at " + shown(screen_) + " did not answer in time",
                    "is the host up, and is the network?", 0};
        return {Errc::unavailable,
                "no connection to the host's screen relay at " + shown(screen_) + ": " +
                    error.message(),
                "is baton-hostd's screen relay running there?", error.value()};
    }

    void shake_hands(asio::ssl::context& tls) {
        stream_.start_tls(tls);
        stream_.async_handshake(
            asio::ssl::stream_base::client, [self = shared_from_this()](error_code error) {
                if (error)
                    self->end(net::handshake_error(self->stream_.ssl(), error,
                                                   "the screen relay at " + shown(self->screen_)));
                else
                    self->ask();
            });
    }

    void ask() {
        text_ = "baton-screen/1 " + screen_.desktop.value + " " + screen_.ticket + "\n";
        asio::async_write(stream_, asio::buffer(text_),
                          [self = shared_from_this()](error_code error, std::size_t) {
                              if (error) {
                                  self->end(self->no_connection(error));
                                  return;
                              }
                              self->text_.clear();
                              self->hear();
                          });
    }

    void hear() {
        stream_.async_read_some(
            asio::buffer(some_), [self = shared_from_this()](error_code error, std::size_t got) {
                if (error) {
                    self->end(self->no_connection(error));
                    return;
                }
                self->text_.append(self->some_.data(), got);
                const std::size_t line = self->text_.find('\n');
                if (line != std::string::npos)
                    self->judge(line);
                else if (self->text_.size() > most_answer_bytes)
                    self->end({Errc::unavailable,
                               "what answers at " + shown(self->screen_) + " is no screen relay",
                               "check the host's configuration", 0});
                else
                    self->hear();
            });
    }

    void judge(std::size_t line) {
        const std::string answer = text_.substr(0, line);
        if (answer == "ok") {
            through(text_.substr(line + 1));
            return;
        }
        std::string why = answer.rfind("no ", 0) == 0 ? answer.substr(3) : "it gives no reason";
        std::replace_if(why.begin(), why.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
        end({Errc::unavailable,
             "the screen relay at " + shown(screen_) + " does not open desktop " +
                 screen_.desktop.value + ": " + why,
             "the desktop may have ended", 0});
    }

    void through(std::string rest) {
        stream_.expires_never();
        const auto done = std::exchange(done_, {});
        done(Dialed{std::move(stream_), std::move(rest)});
    }

    void end(Error why) {
        stream_.close();
        const auto done = std::exchange(done_, {});
        done(tl::unexpected(std::move(why)));
    }

    Screen screen_;
    net::Stream stream_;
    ScreenDialer::DialDone done_;
    std::string text_;
    std::array<char, 256> some_{};
};

class Dialer : public ScreenDialer {
  public:
    Dialer(asio::any_io_executor executor, std::optional<net::FreshTls> tls)
        : executor_(std::move(executor)), tls_(std::move(tls)) {}

    void dial(const Screen& screen, std::chrono::milliseconds time, DialDone done) override {
        const auto endpoint = endpoint_of(screen);
        if (!endpoint) {
            asio::post(executor_, [done = std::move(done), why = endpoint.error()] {
                done(tl::unexpected(why));
            });
            return;
        }
        std::make_shared<Dial>(executor_, screen, std::move(done))
            ->start(*endpoint, time, tls_ ? tls_->now() : nullptr);
    }

  private:
    asio::any_io_executor executor_;
    std::optional<net::FreshTls> tls_;
};

} // namespace

MakeScreenDialer relay_screens(const net::TlsFiles& tls) {
    return [tls](const asio::any_io_executor& executor) -> Result<std::unique_ptr<ScreenDialer>> {
        if (tls.authority.empty() || tls.certificate.empty())
            return fail(Errc::invalid_argument,
                        "the gateway has no certificate for the hosts' screen relays",
                        "join the gateway to its site first");
        auto fresh = net::FreshTls::start(tls, [tls] { return net::client_tls(tls, {}); });
        if (!fresh)
            return tl::unexpected(fresh.error());
        return std::make_unique<Dialer>(executor, std::move(*fresh));
    };
}

MakeScreenDialer plain_screens() {
    return [](const asio::any_io_executor& executor) -> Result<std::unique_ptr<ScreenDialer>> {
        return std::make_unique<Dialer>(executor, std::nullopt);
    };
}

} // namespace baton::gateway
