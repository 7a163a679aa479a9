#include "screenrelay/connection.h"

#include "net/descriptor.h"

#include <boost/asio/ssl/error.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

namespace baton::screenrelay {

namespace asio = boost::asio;
namespace beast = boost::beast;
using net::error_code;

namespace {

constexpr std::string_view gateways = "gateway/";
/// What is read of a peer that is to go, so that it hears the answer.
constexpr std::size_t most_drained = 64UL * 1024;
constexpr std::chrono::milliseconds place_pause{20};

/// Connects to the socket of that path itself: the folder is QEMU's own, and a link that a QEMU
/// gone bad might put there would lead root to whatever it likes. EAGAIN: no place just now.
Result<int> connect_to(const std::string& path) {
    const std::string what = "the socket " + path;
    const net::Descriptor file(::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    struct stat status{};
    if (file.get() < 0 || ::fstat(file.get(), &status) != 0)
        return fail_errno(errno, what);
    if (!S_ISSOCK(status.st_mode))
        return fail(Errc::corrupt, what + " is none");
    net::Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (socket.get() < 0)
        return fail_errno(errno, "making a socket");
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string own = fmt::format("/proc/self/fd/{}", file.get());
    std::memcpy(address.sun_path, own.c_str(), own.size() + 1);
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        return fail_errno(errno, what);
    return socket.release();
}

} // namespace

Connection::Connection(RelayCore& core, net::Stream&& gateway, std::string address)
    : core_(core), gateway_(std::move(gateway)), address_(std::move(address)) {
    ++core_.open;
    ++core_.unproved;
}

Connection::~Connection() {
    proved();
    --core_.open;
    core_.connections.erase(this);
}

void Connection::proved() {
    if (!std::exchange(proved_, true))
        --core_.unproved;
}

std::string Connection::who() const {
    return name_.empty() ? address_ : name_ + " at " + address_;
}

void Connection::close() {
    gateway_.close();
    if (screen_)
        screen_->close();
    if (timer_)
        timer_->cancel();
}

// ---- who it is ----------------------------------------------------------------------------------

void Connection::start() {
    gateway_.expires_after(core_.settings.handshake_timeout);
    gateway_.async_handshake(
        asio::ssl::stream_base::server,
        [self = shared_from_this()](error_code error) { self->shaken(error); });
}

void Connection::shaken(error_code error) {
    if (error)
        return failed(net::handshake_error(gateway_.ssl(), error, address_).message());
    name_ = gateway_.peer(address_).certificate_name;
    if (!name_.starts_with(gateways) || name_.size() == gateways.size())
        return refuse("only gateways may look at screens", "its certificate is no gateway's");
    // one deadline for the whole line, however many pieces it comes in
    gateway_.expires_after(core_.settings.line_timeout);
    read_line();
}

void Connection::read_line() {
    gateway_.async_read_some(asio::buffer(line_),
                             [self = shared_from_this()](error_code error, std::size_t bytes) {
                                 self->line_came(error, bytes);
                             });
}

void Connection::line_came(error_code error, std::size_t bytes) {
    if (error == beast::error::timeout)
        return failed("it did not say in time which screen it wants");
    if (error)
        return failed("it went before it said which screen it wants: " + error.message());
    const auto request = reader_.feed(std::string_view(line_.data(), bytes));
    if (!request)
        return refuse(request.error().what, request.error().what);
    if (!*request)
        return read_line();
    asked(**request);
}

void Connection::asked(const Request& request) {
    desktop_ = request.desktop;
    const auto ticket = core_.tickets.read(request.desktop);
    // unknown and wrong look alike, also to a clock
    const Ticket none{"", std::string(ticket_digits, 'x')};
    if (!same_word(ticket ? ticket->word : none.word, request.ticket))
        return refuse("unknown desktop or ticket",
                      ticket ? fmt::format("a wrong ticket for {}", desktop_.value)
                             : ticket.error().message());
    reach(ticket->socket, std::chrono::steady_clock::now() + core_.settings.connect_timeout);
}

// ---- the screen ---------------------------------------------------------------------------------

void Connection::reach(const std::string& socket, std::chrono::steady_clock::time_point until) {
    const auto connected = connect_to(socket);
    if (!connected && connected.error().native == EAGAIN &&
        std::chrono::steady_clock::now() + place_pause < until) {
        // nobody tells when QEMU has taken the others in
        timer_.emplace(gateway_.get_executor(), place_pause);
        timer_->async_wait([self = shared_from_this(), socket, until](error_code error) {
            if (!error)
                self->reach(socket, until);
        });
        return;
    }
    if (!connected)
        return refuse(
            "the screen cannot be reached",
            fmt::format("the screen of {}: {}", desktop_.value, connected.error().message()));
    net::Stream::Socket made(gateway_.get_executor());
    made.socket().assign(asio::generic::stream_protocol(AF_UNIX, 0), *connected);
    screen_.emplace(std::move(made), nullptr);
    answer_ok();
}

void Connection::answer_ok() {
    proved();
    say("ok\n", [this] { carry(); });
}

void Connection::carry() {
    spdlog::info("{} looks at {}", who(), desktop_.value);
    gateway_.expires_never();
    screen_->expires_never();
    const auto self = shared_from_this();
    ways_ = 2;
    to_screen_.emplace(gateway_, *screen_);
    to_gateway_.emplace(*screen_, gateway_);
    to_screen_->start(self, reader_.take_rest(),
                      [this](error_code error) { one_way_ended(error, "the gateway"); });
    to_gateway_->start(self, {}, [this](error_code error) { one_way_ended(error, "the screen"); });
}

void Connection::one_way_ended(error_code error, const char* side) {
    if (ways_ == 2)
        spdlog::info("{} looks no more at {}: {}", who(), desktop_.value,
                     error ? error.message() : std::string(side) + " has ended");
    if (--ways_ == 0 || error)
        return close();
    timer_.emplace(gateway_.get_executor(), core_.settings.half_open_timeout);
    timer_->async_wait([weak = weak_from_this()](error_code cancelled) {
        if (const auto self = weak.lock(); self && !cancelled)
            self->close();
    });
}

// ---- words --------------------------------------------------------------------------------------

void Connection::refuse(const std::string& why, const std::string& detail) {
    spdlog::warn("{} is refused: {}", who(), detail);
    say("no " + why + "\n", [this] {
        gateway_.finish_writing();
        drain();
    });
}

void Connection::failed(const std::string& detail) {
    spdlog::warn("{} failed: {}", who(), detail);
    close();
}

void Connection::say(std::string text, std::function<void()> then) {
    answer_ = std::move(text);
    then_ = std::move(then);
    gateway_.expires_after(core_.settings.answer_timeout);
    say_rest();
}

void Connection::say_rest() {
    gateway_.async_write_some(asio::buffer(answer_.data() + answered_, answer_.size() - answered_),
                              [self = shared_from_this()](error_code error, std::size_t bytes) {
                                  if (error)
                                      return self->failed("it did not take the answer: " +
                                                          error.message());
                                  self->answered_ += bytes;
                                  if (self->answered_ < self->answer_.size())
                                      return self->say_rest();
                                  std::exchange(self->then_, nullptr)();
                              });
}

/// Closing with something unread would take the answer back.
void Connection::drain() {
    gateway_.async_read_some(asio::buffer(line_),
                             [self = shared_from_this()](error_code error, std::size_t bytes) {
                                 self->drained_ += bytes;
                                 if (error || self->drained_ > most_drained)
                                     return self->close();
                                 self->drain();
                             });
}

} // namespace baton::screenrelay
