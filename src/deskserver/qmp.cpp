#include "deskserver/qmp.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace baton::deskserver {

namespace {

namespace json = boost::json;

constexpr std::size_t longest_message = 1024 * 1024;

tl::unexpected<Error> gone() {
    return fail(Errc::unavailable, "the storage daemon has ended or hung up");
}

/// Until the descriptor can be read or written.
Result<void> wait_for(int fd, short events, Clock::time_point until) {
    while (true) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
        if (left.count() <= 0)
            return fail(Errc::timeout, "the storage daemon does not answer");
        pollfd set{fd, events, 0};
        const int ready =
            ::poll(&set, 1, static_cast<int>(std::min<std::int64_t>(left.count(), 60'000)));
        if (ready > 0)
            return {};
        if (ready < 0 && errno != EINTR)
            return fail_errno(errno, "cannot wait for the storage daemon");
    }
}

struct Address {
    sockaddr_un address{};
    process::Descriptor folder; ///< what the address goes through
};

/// Through the folder's descriptor, because a socket's path has 107 bytes at most.
Result<Address> address_of(const std::string& path) {
    const std::filesystem::path full(path);
    Address result;
    result.folder =
        process::Descriptor(::open(full.parent_path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!result.folder.open())
        return fail_errno(errno, "cannot open the folder of the socket " + path);
    const std::string shortened =
        "/proc/self/fd/" + std::to_string(result.folder.get()) + "/" + full.filename().string();
    if (shortened.size() >= sizeof result.address.sun_path)
        return fail(Errc::invalid_argument, "the name of the socket " + path + " is too long");
    result.address.sun_family = AF_UNIX;
    std::memcpy(result.address.sun_path, shortened.c_str(), shortened.size() + 1);
    return result;
}

} // namespace

Result<process::Descriptor> listen_unix(const std::string& path) {
    auto address = address_of(path);
    if (!address)
        return tl::unexpected(address.error());
    process::Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ::unlink(path.c_str());
    if (!socket.open() ||
        ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address->address),
               sizeof address->address) != 0 ||
        ::listen(socket.get(), 4) != 0)
        return fail_errno(errno, "cannot make the socket " + path);
    return socket;
}

Result<process::Descriptor> connect_unix(const std::string& path) {
    auto address = address_of(path);
    if (!address)
        return tl::unexpected(address.error());
    process::Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket.open() ||
        ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address->address),
                  sizeof address->address) != 0)
        return fail(Errc::unavailable, "nobody listens at " + path, {}, errno);
    return socket;
}

Result<void> QmpReader::take(std::string_view bytes) {
    for (const char c : bytes) {
        if (c != '\n') {
            line_.push_back(c);
            if (line_.size() > longest_message)
                return fail(Errc::corrupt, "the storage daemon sent an endless message");
            continue;
        }
        if (line_.find_first_not_of(" \r\t") != std::string::npos) {
            json::error_code error;
            auto value = json::parse(line_, error);
            if (error || !value.is_object())
                return fail(Errc::corrupt, "the storage daemon sent something that is no message");
            messages_.push_back(std::move(value.get_object()));
        }
        line_.clear();
    }
    return {};
}

bool QmpReader::next(json::object& message) {
    if (messages_.empty())
        return false;
    message = std::move(messages_.front());
    messages_.pop_front();
    return true;
}

Error qmp_error(std::string_view command, const json::object& error) {
    std::string reason = "no reason given";
    if (const auto* text = error.if_contains("desc"); text != nullptr && text->is_string())
        reason = std::string(text->get_string());
    Error result{
        Errc::io, "the storage daemon refused " + std::string(command) + ": " + reason, {}, 0};
    if (reason.find(" lock") != std::string::npos) {
        result.code = Errc::busy;
        result.hint = "another program has the desk's image open; end that program first";
    } else if (reason.find("No space left") != std::string::npos) {
        result.code = Errc::full;
    }
    return result;
}

Result<Qmp> Qmp::connect(const std::string& socket, Clock::time_point until) {
    auto connected = connect_unix(socket);
    if (!connected)
        return tl::unexpected(connected.error());
    Qmp qmp;
    qmp.socket_ = std::move(*connected);
    auto greeting = qmp.receive(until);
    if (!greeting)
        return tl::unexpected(greeting.error());
    if (!greeting->contains("QMP"))
        return fail(Errc::corrupt, "what listens at " + socket + " is no storage daemon");
    auto ready = qmp.execute("qmp_capabilities", {}, until);
    if (!ready)
        return tl::unexpected(ready.error());
    return qmp;
}

Result<void> Qmp::send(std::string_view text, Clock::time_point until) {
    while (!text.empty()) {
        const ssize_t n = ::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL);
        if (n > 0) {
            text.remove_prefix(static_cast<std::size_t>(n));
            continue;
        }
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN)
            return gone();
        BATON_TRY(wait_for(socket_.get(), POLLOUT, until));
    }
    return {};
}

Result<json::object> Qmp::receive(Clock::time_point until) {
    json::object message;
    while (!reader_.next(message)) {
        BATON_TRY(wait_for(socket_.get(), POLLIN, until));
        std::array<char, 4096> buffer{};
        const ssize_t n = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (n <= 0)
            return gone();
        BATON_TRY(reader_.take(std::string_view(buffer.data(), static_cast<std::size_t>(n))));
    }
    return message;
}

Result<json::value> Qmp::execute(std::string_view command, json::object arguments,
                                 Clock::time_point until) {
    const std::uint64_t id = ++last_id_;
    json::object request{{"execute", command}, {"id", id}};
    if (!arguments.empty())
        request["arguments"] = std::move(arguments);
    BATON_TRY(send(json::serialize(request) + "\n", until));
    while (true) {
        auto message = receive(until);
        if (!message)
            return tl::unexpected(message.error().in(command));
        if (message->contains("event")) {
            events_.push_back(std::move(*message));
            continue;
        }
        const auto* answered = message->if_contains("id");
        if (answered == nullptr || *answered != json::value(id))
            continue; // the answer to a command whose deadline had passed
        if (const auto* error = message->if_contains("error");
            error != nullptr && error->is_object())
            return tl::unexpected(qmp_error(command, error->get_object()));
        if (const auto* value = message->if_contains("return"))
            return *value;
        return fail(Errc::corrupt, "the storage daemon's answer has no result");
    }
}

Result<json::object> Qmp::wait_event(std::string_view name, Clock::time_point until) {
    const auto is_it = [&](const json::object& event) {
        const auto* called = event.if_contains("event");
        return called != nullptr && called->is_string() && called->get_string() == name;
    };
    while (true) {
        const auto found = std::find_if(events_.begin(), events_.end(), is_it);
        if (found != events_.end()) {
            auto event = std::move(*found);
            events_.erase(found);
            return event;
        }
        auto message = receive(until);
        if (!message)
            return tl::unexpected(message.error().in(name));
        if (message->contains("event"))
            events_.push_back(std::move(*message));
    }
}

} // namespace baton::deskserver
