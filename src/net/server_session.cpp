#include "net/server_session.h"

#include "net/http_text.h"
#include "net/tls.h"
#include "net/websocket.h"

#include <boost/asio/write.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace baton::net {

namespace http = beast::http;

namespace {

constexpr std::uint32_t header_limit = 16 * 1024;
constexpr std::int64_t piece_size = 256 * 1024;

/// What a Respond holds. The order matters: the session goes before what it lives in.
struct Pending {
    std::shared_ptr<ServerCore> core;
    std::shared_ptr<ServerSession> session;
    asio::any_io_executor executor;
    std::atomic<bool> used{false};

    void answer(Response response) {
        if (used.exchange(true))
            return;
        asio::post(executor, [session = session, response = std::move(response)]() mutable {
            session->answer(std::move(response));
        });
    }

    ~Pending() {
        if (!used)
            answer(error_response(
                Error{Errc::internal, "the server gave no answer to this request", "", 0}));
    }

    Pending(std::shared_ptr<ServerCore> core_in, std::shared_ptr<ServerSession> session_in,
            asio::any_io_executor executor_in)
        : core(std::move(core_in)),
          session(std::move(session_in)),
          executor(std::move(executor_in)) {}

    Pending(const Pending&) = delete;
    Pending& operator=(const Pending&) = delete;
};

std::string lower(beast::string_view text) {
    std::string result(text);
    std::transform(result.begin(), result.end(), result.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return result;
}

/// Line breaks would begin another header.
bool plain_text(const std::string& text) {
    return std::none_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20; });
}

} // namespace

ServerSession::~ServerSession() {
    if (file_ >= 0)
        ::close(file_);
    if (!ended_ && id_ != 0)
        core_.leave(id_);
}

void ServerSession::start(std::uint64_t id) {
    asio::post(stream_.get_executor(), [self = shared_from_this(), id] {
        self->id_ = id;
        if (self->ended_) {
            self->core_.leave(id);
            return;
        }
        if (!self->stream_.encrypted()) {
            self->peer_ = self->stream_.peer(self->address_);
            self->wait_for_request();
            return;
        }
        self->stream_.expires_after(self->core_.settings.header_timeout);
        self->stream_.async_handshake(asio::ssl::stream_base::server, [self](error_code error) {
            if (error) {
                spdlog::debug("TLS handshake with {}: {}", self->address_, error.message());
                self->end();
                return;
            }
            self->peer_ = self->stream_.peer(self->address_);
            self->wait_for_request();
        });
    });
}

void ServerSession::close_soon() {
    asio::post(stream_.get_executor(), [self = shared_from_this()] { self->end(); });
}

void ServerSession::end() {
    if (ended_)
        return;
    ended_ = true;
    stream_.close();
    if (id_ != 0)
        core_.leave(id_);
}

void ServerSession::wait_for_request() {
    if (ended_)
        return;
    parser_.emplace();
    parser_->header_limit(header_limit);
    parser_->body_limit(core_.settings.body_limit);
    if (buffer_.size() > 0) {
        read_head();
        return;
    }
    stream_.expires_after(core_.settings.idle_timeout);
    stream_.async_read_some(buffer_.prepare(4096),
                            [self = shared_from_this()](error_code error, std::size_t bytes) {
                                if (error) {
                                    self->end();
                                    return;
                                }
                                self->buffer_.commit(bytes);
                                self->read_head();
                            });
}

void ServerSession::read_head() {
    stream_.expires_after(core_.settings.header_timeout);
    http::async_read_header(
        stream_, buffer_, *parser_,
        [self = shared_from_this()](error_code error, std::size_t) { self->head_read(error); });
}

void ServerSession::head_read(error_code error) {
    if (ended_)
        return;
    if (error == http::error::header_limit)
        return refuse(431, "the header is larger than 16 KiB");
    if (error == http::error::body_limit)
        return refuse(413, "the body is larger than " + std::to_string(core_.settings.body_limit) +
                               " bytes");
    if (error == beast::error::timeout)
        return end();
    if (error) {
        if (error == http::error::end_of_stream || error == http::error::partial_message ||
            error.category() != http::make_error_code(http::error::bad_method).category())
            return end();
        return refuse(400, "this is not HTTP: " + error.message());
    }
    const auto& message = parser_->get();
    version_ = message.version();
    keep_alive_ = message.keep_alive();
    head_only_ = message.method() == http::verb::head;
    if (beast::websocket::is_upgrade(message)) {
        upgrade();
        return;
    }
    if (lower(message[http::field::expect]) == "100-continue") {
        write("HTTP/1.1 100 Continue\r\n\r\n", [self = shared_from_this()] { self->read_body(); });
        return;
    }
    read_body();
}

void ServerSession::read_body() {
    stream_.expires_after(core_.settings.body_timeout);
    http::async_read(
        stream_, buffer_, *parser_,
        [self = shared_from_this()](error_code error, std::size_t) { self->body_read(error); });
}

void ServerSession::body_read(error_code error) {
    if (ended_)
        return;
    if (error == http::error::body_limit)
        return refuse(413, "the body is larger than " + std::to_string(core_.settings.body_limit) +
                               " bytes");
    if (error)
        return end();
    hand_over();
}

void ServerSession::refuse(int status, const std::string& why) {
    keep_alive_ = false;
    refused_ = true;
    auto response = error_response(Error{Errc::invalid_argument, why, "", 0});
    response.status = status;
    answer(std::move(response));
}

bool ServerSession::fill(Request& request) {
    const auto& message = parser_->get();
    if (!parse_target(std::string_view(message.target().data(), message.target().size()), request))
        return false;
    request.method = std::string(message.method_string());
    for (const auto& field : message) {
        auto& value = request.headers[lower(field.name_string())];
        if (!value.empty())
            value += ", ";
        value += std::string(field.value());
    }
    request.peer = peer_;
    return true;
}

void ServerSession::hand_over() {
    Request request;
    if (!fill(request)) {
        refuse(400, "the path is ill-formed");
        return;
    }
    request.body = std::move(parser_->get().body());
    const auto range = request.headers.find("range");
    range_ = range != request.headers.end() && request.method == "GET" ? range->second : "";
    // While the handler works, nothing is awaited from this peer.
    stream_.expires_never();
    auto pending = std::make_shared<Pending>(core_.shared_from_this(), shared_from_this(),
                                             stream_.get_executor());
    try {
        core_.handler(std::move(request),
                      [pending](Response response) { pending->answer(std::move(response)); });
    } catch (const std::exception& fault) {
        spdlog::error("a request handler threw: {}", fault.what());
        pending->answer(error_response(Error{Errc::internal, fault.what(), "", 0}));
    }
}

void ServerSession::upgrade() {
    Request request;
    if (!fill(request) || !core_.on_websocket || buffer_.size() > 0 || !parser_->is_done()) {
        auto response =
            error_response(Error{Errc::not_found, "no WebSocket is served here", "", 0});
        keep_alive_ = false;
        answer(std::move(response));
        return;
    }
    stream_.expires_never();
    auto link = std::make_shared<WebSocketLink>(std::move(stream_), peer_,
                                                core_.settings.websocket_idle_timeout);
    ended_ = true; // the stream is the link's now
    core_.leave(id_);
    const auto id = core_.enter([weak = std::weak_ptr(link)] {
        if (auto live = weak.lock())
            live->close();
    });
    {
        const std::lock_guard lock(core_.mutex);
        core_.links[id] = link;
    }
    link->on_finished = [core = &core_, id] { core->leave(id); };
    bool taken = false;
    try {
        taken = core_.on_websocket(
            request, std::make_shared<WebSocketHandle>(core_.shared_from_this(), link));
    } catch (const std::exception& fault) {
        spdlog::error("a WebSocket handler threw: {}", fault.what());
    }
    if (taken)
        link->accept(parser_->release());
    else
        link->refuse("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
}

std::string ServerSession::head(const Response& response, std::int64_t length) const {
    std::string text = version_ == 10 ? "HTTP/1.0 " : "HTTP/1.1 ";
    text += std::to_string(response.status) + " ";
    text += reason_phrase(response.status);
    text += "\r\nContent-Length: " + std::to_string(length) + "\r\n";
    if (!response.content_type.empty() && plain_text(response.content_type))
        text += "Content-Type: " + response.content_type + "\r\n";
    for (const auto& [name, value] : response.headers)
        if (plain_text(name) && plain_text(value))
            text.append(name).append(": ").append(value).append("\r\n");
    text += keep_alive_ ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n";
    return text;
}

void ServerSession::answer(Response response) {
    if (ended_)
        return;
    if (!response.file.empty()) {
        const std::string path = std::exchange(response.file, {});
        send_file(path, range_, std::move(response));
        return;
    }
    auto text = head(response, static_cast<std::int64_t>(response.body.size()));
    if (!head_only_)
        text += response.body;
    write(std::move(text), [self = shared_from_this()] { self->answered(); });
}

void ServerSession::send_file(const std::string& path, const std::string& range_header,
                              Response response) {
    file_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat info{};
    if (file_ < 0 || ::fstat(file_, &info) != 0 || !S_ISREG(info.st_mode)) {
        const int why = file_ < 0 ? errno : EISDIR;
        answer(error_response(fail_errno(why, "cannot read " + path).value()));
        return;
    }
    file_at_ = 0;
    file_left_ = info.st_size;
    response.headers["Accept-Ranges"] = "bytes";
    Range range;
    const auto size = std::to_string(info.st_size);
    switch (response.status == 200 ? parse_range(range_header, info.st_size, range)
                                   : RangeKind::whole) {
    case RangeKind::whole:
        break;
    case RangeKind::part:
        response.status = 206;
        response.headers["Content-Range"] =
            "bytes " + std::to_string(range.first) + "-" + std::to_string(range.last) + "/" + size;
        file_at_ = range.first;
        file_left_ = range.last - range.first + 1;
        break;
    case RangeKind::unsatisfiable:
        response.status = 416;
        response.headers["Content-Range"] = "bytes */" + size;
        file_left_ = 0;
        break;
    }
    auto text = head(response, file_left_);
    if (head_only_)
        file_left_ = 0;
    write(std::move(text), [self = shared_from_this()] { self->send_piece(); });
}

void ServerSession::send_piece() {
    if (file_left_ == 0) {
        ::close(std::exchange(file_, -1));
        answered();
        return;
    }
    std::string piece(static_cast<std::size_t>(std::min(piece_size, file_left_)), '\0');
    const auto got = ::pread(file_, piece.data(), piece.size(), file_at_);
    if (got <= 0) { // cut short while it was sent: the length that was promised cannot be kept
        spdlog::warn("a file changed or could not be read while it was being sent");
        end();
        return;
    }
    piece.resize(static_cast<std::size_t>(got));
    file_at_ += got;
    file_left_ -= got;
    write(std::move(piece), [self = shared_from_this()] { self->send_piece(); });
}

void ServerSession::write(std::string text, std::function<void()> then) {
    out_ = std::move(text);
    stream_.expires_after(core_.settings.write_timeout);
    asio::async_write(
        stream_, asio::buffer(out_),
        [self = shared_from_this(), then = std::move(then)](error_code error, std::size_t) {
            if (error || self->ended_)
                self->end();
            else
                then();
        });
}

void ServerSession::answered() {
    if (refused_)
        linger();
    else if (!keep_alive_)
        end();
    else
        wait_for_request();
}

void ServerSession::linger() {
    // Closing with bytes unread resets the connection, and the peer may never see the answer.
    stream_.finish_writing();
    stream_.expires_after(std::chrono::seconds(2));
    drain();
}

void ServerSession::drain() {
    buffer_.consume(buffer_.size());
    stream_.async_read_some(buffer_.prepare(4096),
                            [self = shared_from_this()](error_code error, std::size_t) {
                                if (error || self->ended_)
                                    self->end();
                                else
                                    self->drain();
                            });
}

} // namespace baton::net
