#include "net/connector.h"
#include "net/http_text.h"
#include "net/websocket.h"

#include <boost/asio/ssl/error.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <fcntl.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace baton::net {

namespace http = beast::http;

namespace {

constexpr std::uint64_t response_limit = 256 * 1024 * 1024;

bool repeatable(const std::string& method) {
    return method == "GET" || method == "HEAD" || method == "PUT" || method == "DELETE";
}

template <class Message>
Response response_of(const Message& message) {
    Response response;
    response.status = static_cast<int>(message.result_int());
    response.content_type = std::string(message[http::field::content_type]);
    for (const auto& field : message) {
        std::string name(field.name_string());
        std::transform(name.begin(), name.end(), name.begin(),
                       [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        response.headers[name] = std::string(field.value());
    }
    return response;
}

/// Where a download has got to.
class Landing {
  public:
    ~Landing() {
        if (descriptor_ >= 0)
            ::close(descriptor_);
    }

    Landing() = default;
    Landing(const Landing&) = delete;
    Landing& operator=(const Landing&) = delete;

    Result<void> open(const std::string& path) {
        path_ = path;
        descriptor_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        struct stat info{};
        if (descriptor_ < 0 || ::fstat(descriptor_, &info) != 0)
            return fail_errno(errno, "cannot write " + path);
        size_ = info.st_size;
        return {};
    }

    Result<void> restart() {
        if (::ftruncate(descriptor_, 0) != 0)
            return fail_errno(errno, "cannot write " + path_);
        size_ = 0;
        return {};
    }

    Result<void> append(const char* bytes, std::size_t count) {
        while (count > 0) {
            const auto written = ::pwrite(descriptor_, bytes, count, size_);
            if (written < 0)
                return fail_errno(errno, "cannot write " + path_, "is there space left?");
            size_ += written;
            bytes += written;
            count -= static_cast<std::size_t>(written);
        }
        return {};
    }

    Result<void> close() {
        if (::fsync(descriptor_) != 0 || ::close(std::exchange(descriptor_, -1)) != 0)
            return fail_errno(errno, "cannot write " + path_, "is there space left?");
        return {};
    }

    [[nodiscard]] std::int64_t size() const { return size_; }

  private:
    std::string path_;
    int descriptor_ = -1;
    std::int64_t size_ = 0;
};

class BeastClient : public Client {
  public:
    explicit BeastClient(std::unique_ptr<Connector> connector) : connector_(std::move(connector)) {}

    Result<Response> request(std::string method, std::string target, std::string body) override {
        Result<Response> response = fail(Errc::internal, "not tried");
        exchange(
            method, target, body, "", [&] { response = read_whole(method == "HEAD"); },
            [&](Error error) { response = tl::unexpected(std::move(error)); });
        return response;
    }

    Result<void> download(std::string target, const std::string& path,
                          std::function<void(std::int64_t, std::int64_t)> progress) override {
        Landing landing;
        BATON_TRY(landing.open(path));
        const std::string range =
            landing.size() > 0 ? "bytes=" + std::to_string(landing.size()) + "-" : "";
        Result<bool> complete = fetch(target, range, landing, progress);
        if (complete && !*complete) { // what is there is none of it: from the beginning
            BATON_TRY(landing.restart());
            complete = fetch(target, "", landing, progress);
            if (complete && !*complete)
                return fail(Errc::unavailable,
                            connector_->where().shown() + " does not give all of " + target);
        }
        if (!complete)
            return tl::unexpected(complete.error());
        return landing.close();
    }

  private:
    [[nodiscard]] Result<std::string> head(const std::string& method, const std::string& target,
                                           std::size_t length, const std::string& range) const {
        const auto& token = connector_->settings().bearer_token;
        for (const auto* text : {&method, &target, &token})
            if (std::any_of(text->begin(), text->end(),
                            [](unsigned char c) { return c <= 0x20 || c == 0x7f; }))
                return fail(Errc::invalid_argument,
                            "a request's method, target or token holds a space or a line break");
        std::string text = method + " " + target + " HTTP/1.1\r\nHost: " + connector_->host() +
                           "\r\nUser-Agent: baton\r\n";
        if (length > 0 || method == "POST" || method == "PUT")
            text += "Content-Type: application/json\r\nContent-Length: " + std::to_string(length) +
                    "\r\n";
        if (!token.empty())
            text += "Authorization: Bearer " + token + "\r\n";
        if (!range.empty())
            text += "Range: " + range + "\r\n";
        return text + "\r\n";
    }

    /// Sends the request (connecting first if need be) and calls `read`. A kept connection that
    /// turns out to be dead before anything of an answer came is made anew, once.
    void exchange(const std::string& method, const std::string& target, const std::string& body,
                  const std::string& range, const std::function<void()>& read,
                  const std::function<void(Error)>& failed) {
        auto text = head(method, target, body.size(), range);
        if (!text)
            return failed(text.error());
        *text += body;
        if (stream_ && stream_->readable())
            stream_.reset(); // closed by the server meanwhile
        const bool kept = stream_.has_value();
        if (auto open = send(*text); !open)
            return failed(open.error());
        nothing_came_ = false;
        read();
        if (nothing_came_ && kept && repeatable(method)) {
            if (auto open = send(*text); !open)
                return failed(open.error());
            read();
        }
    }

    Result<void> send(const std::string& text) {
        if (!stream_) {
            buffer_.clear();
            auto stream = connector_->connect();
            if (!stream)
                return tl::unexpected(stream.error());
            stream_.emplace(std::move(*stream));
        }
        stream_->expires_after(connector_->settings().timeout);
        error_code result;
        connector_->run([&](bool& finished) {
            asio::async_write(*stream_, asio::buffer(text), [&](error_code error, std::size_t) {
                result = error;
                finished = true;
            });
        });
        // A server that refuses early closes while we still send: its answer may be there to read.
        if (result && result != asio::error::broken_pipe &&
            result != asio::error::connection_reset) {
            auto error = connector_->lost(&*stream_, result);
            stream_.reset();
            return tl::unexpected(std::move(error));
        }
        return {};
    }

    template <class Parser>
    error_code read_header(Parser& parser) {
        error_code result;
        connector_->run([&](bool& finished) {
            http::async_read_header(*stream_, buffer_, parser, [&](error_code error, std::size_t) {
                result = error;
                finished = true;
            });
        });
        return result;
    }

    Error lost(error_code error) {
        nothing_came_ = error == http::error::end_of_stream ||
                        error == asio::ssl::error::stream_truncated ||
                        error == asio::error::connection_reset || error == asio::error::broken_pipe;
        auto result = connector_->lost(&*stream_, error);
        stream_.reset();
        return result;
    }

    Result<Response> read_whole(bool head_only) {
        http::response_parser<http::string_body> parser;
        parser.body_limit(response_limit);
        parser.header_limit(64 * 1024);
        parser.skip(head_only);
        if (const auto error = read_header(parser))
            return tl::unexpected(lost(error));
        error_code result;
        connector_->run([&](bool& finished) {
            http::async_read(*stream_, buffer_, parser, [&](error_code error, std::size_t) {
                result = error;
                finished = true;
            });
        });
        if (result) {
            auto error = lost(result);
            nothing_came_ = false;
            return tl::unexpected(std::move(error));
        }
        auto response = response_of(parser.get());
        response.body = std::move(parser.get().body());
        if (!parser.get().keep_alive())
            stream_.reset();
        return response;
    }

    /// False: the file's present content is not a beginning of what the server has.
    Result<bool> fetch(const std::string& target, const std::string& range, Landing& landing,
                       const std::function<void(std::int64_t, std::int64_t)>& progress) {
        Result<bool> result = fail(Errc::internal, "not tried");
        exchange(
            "GET", target, "", range, [&] { result = read_into(landing, progress); },
            [&](Error error) { result = tl::unexpected(std::move(error)); });
        if (!result || !*result)
            stream_.reset(); // perhaps in the middle of an answer
        return result;
    }

    Result<bool> read_into(Landing& landing,
                           const std::function<void(std::int64_t, std::int64_t)>& progress) {
        http::response_parser<http::buffer_body> parser;
        parser.body_limit(boost::none);
        if (const auto error = read_header(parser))
            return tl::unexpected(lost(error));
        const auto response = response_of(parser.get());
        const auto length = static_cast<std::int64_t>(parser.content_length().value_or(0));
        const auto content_range = response.headers.find("content-range");
        std::pair<std::int64_t, std::int64_t> covered(-1, -1); // first byte, total
        if (content_range != response.headers.end())
            covered = parse_content_range(content_range->second).value_or(covered);
        std::int64_t total = landing.size() + length;
        if (response.status == 416)
            return covered.second == landing.size();
        if (response.status == 206) {
            if (covered.first != landing.size())
                return false;
            total = covered.second;
        } else if (response.status == 200) {
            BATON_TRY(landing.restart());
            total = length;
        } else {
            return tl::unexpected(status_error(parser, response));
        }
        BATON_TRY(read_pieces(parser, landing, total, progress));
        return true;
    }

    Error status_error(http::response_parser<http::buffer_body>& parser, Response response) {
        std::array<char, 16 * 1024> bytes{};
        parser.get().body().data = bytes.data();
        parser.get().body().size = bytes.size();
        connector_->run([&](bool& finished) {
            http::async_read(*stream_, buffer_, parser,
                             [&](error_code, std::size_t) { finished = true; });
        });
        response.body.assign(bytes.data(), bytes.size() - parser.get().body().size);
        return error_from_response(response);
    }

    Result<void> read_pieces(http::response_parser<http::buffer_body>& parser, Landing& landing,
                             std::int64_t total,
                             const std::function<void(std::int64_t, std::int64_t)>& progress) {
        std::vector<char> piece(256 * 1024);
        while (!parser.is_done()) {
            parser.get().body().data = piece.data();
            parser.get().body().size = piece.size();
            stream_->expires_after(connector_->settings().timeout);
            error_code result;
            connector_->run([&](bool& finished) {
                http::async_read(*stream_, buffer_, parser, [&](error_code error, std::size_t) {
                    result = error;
                    finished = true;
                });
            });
            const auto got = piece.size() - parser.get().body().size;
            BATON_TRY(landing.append(piece.data(), got));
            if (result && result != http::error::need_buffer) {
                auto error = lost(result);
                nothing_came_ = false;
                return tl::unexpected(std::move(error));
            }
            if (progress)
                progress(landing.size(), total);
        }
        if (!parser.get().keep_alive())
            stream_.reset();
        return {};
    }

    std::unique_ptr<Connector> connector_;
    std::optional<Stream> stream_;
    beast::flat_buffer buffer_;
    bool nothing_came_ = false;
};

/// Keeps a WebSocket client's context and thread.
struct ClientThread {
    explicit ClientThread(std::unique_ptr<Connector> connector_in)
        : connector(std::move(connector_in)) {}

    std::unique_ptr<Connector> connector;
    std::thread thread;
};

class ClientWebSocket : public WebSocketHandle {
  public:
    ClientWebSocket(const std::shared_ptr<ClientThread>& owner,
                    const std::shared_ptr<WebSocketLink>& link)
        : WebSocketHandle(owner, link), owner_(owner), link_(link) {}

    ~ClientWebSocket() override {
        link_->drop();
        // Dropped by its own callback: the thread ends by itself and keeps what it needs.
        if (owner_->thread.get_id() == std::this_thread::get_id())
            owner_->thread.detach();
        else
            owner_->thread.join();
    }

    ClientWebSocket(const ClientWebSocket&) = delete;
    ClientWebSocket& operator=(const ClientWebSocket&) = delete;

  private:
    std::shared_ptr<ClientThread> owner_;
    std::shared_ptr<WebSocketLink> link_;
};

} // namespace

Result<std::unique_ptr<Client>> make_client(const ClientSettings& settings) {
    auto connector = Connector::make(settings);
    if (!connector)
        return tl::unexpected(connector.error());
    return std::make_unique<BeastClient>(std::move(*connector));
}

Result<std::shared_ptr<WebSocket>> connect_websocket(const ClientSettings& settings,
                                                     const std::string& target) {
    auto connector = Connector::make(settings);
    if (!connector)
        return tl::unexpected(connector.error());
    auto owner = std::make_shared<ClientThread>(std::move(*connector));
    auto& shared = *owner->connector;
    auto stream = shared.connect();
    if (!stream)
        return tl::unexpected(stream.error());
    auto peer = stream->peer(shared.where().host);
    auto link = std::make_shared<WebSocketLink>(std::move(*stream), std::move(peer),
                                                settings.websocket_idle_timeout);
    error_code result;
    Response refusal;
    shared.run([&](bool& finished) {
        link->handshake(shared.host(), target, settings.bearer_token,
                        [&](error_code error, int status, std::string body) {
                            result = error;
                            refusal.status = status;
                            refusal.body = std::move(body);
                            finished = true;
                        });
    });
    if (result == beast::websocket::error::upgrade_declined)
        return tl::unexpected(
            error_from_response(refusal).in("opening " + target + " at " + shared.where().shown()));
    if (result)
        return tl::unexpected(shared.lost(&link->stream(), result));
    // Stopped rather than left to run dry: Beast's own timers outlast a connection that was cut.
    link->on_finished = [context = shared.context().get()] { context->stop(); };
    owner->thread = std::thread([owner, work = asio::make_work_guard(*shared.context())] {
        owner->connector->context()->restart();
        owner->connector->context()->run();
    });
    return std::make_shared<ClientWebSocket>(owner, link);
}

} // namespace baton::net
