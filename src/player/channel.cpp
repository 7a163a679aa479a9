#include "player/channel.h"

#include <boost/json.hpp>

#include <array>
#include <cerrno>
#include <cstring>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace baton::player {

namespace {

constexpr std::size_t largest_packet = 160 * 1024;
constexpr std::size_t most_files = 64;

} // namespace

Result<std::pair<Channel, Channel>> Channel::make() {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0)
        return fail_errno(errno, "cannot make a socket to the environment");
    return std::pair{Channel(process::Descriptor(ends[0])), Channel(process::Descriptor(ends[1]))};
}

Result<void> Channel::send(const boost::json::object& words, const std::vector<int>& files) {
    auto text = boost::json::serialize(words);
    if (text.size() > largest_packet || files.size() > most_files)
        return fail(Errc::invalid_argument, "the command and its environment are too long",
                    "put the words into a file");
    iovec part{text.data(), text.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * most_files)> control{};
    msghdr packet{};
    packet.msg_iov = &part;
    packet.msg_iovlen = 1;
    if (!files.empty()) {
        packet.msg_control = control.data();
        packet.msg_controllen = CMSG_SPACE(sizeof(int) * files.size());
        auto* header = CMSG_FIRSTHDR(&packet);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int) * files.size());
        std::memcpy(CMSG_DATA(header), files.data(), sizeof(int) * files.size());
    }
    while (::sendmsg(socket_.get(), &packet, MSG_NOSIGNAL) < 0)
        if (errno != EINTR)
            return fail(Errc::unavailable, "the environment has ended", "", errno);
    return {};
}

Result<Message> Channel::receive(std::chrono::milliseconds deadline) {
    pollfd ready{socket_.get(), POLLIN, 0};
    int events = 0;
    while ((events = ::poll(&ready, 1, static_cast<int>(deadline.count()))) < 0 && errno == EINTR) {
    }
    if (events == 0)
        return fail(Errc::timeout, "the environment does not answer");
    std::vector<char> text(largest_packet);
    iovec part{text.data(), text.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * most_files)> control{};
    msghdr packet{};
    packet.msg_iov = &part;
    packet.msg_iovlen = 1;
    packet.msg_control = control.data();
    packet.msg_controllen = control.size();
    ssize_t length = 0;
    while ((length = ::recvmsg(socket_.get(), &packet, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR) {
    }
    Message message;
    for (auto* header = CMSG_FIRSTHDR(&packet); length >= 0 && header != nullptr;
         header = CMSG_NXTHDR(&packet, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        std::vector<int> files((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        std::memcpy(files.data(), CMSG_DATA(header), files.size() * sizeof(int));
        for (const int file : files)
            message.files.emplace_back(file);
    }
    if (length <= 0)
        return fail(Errc::unavailable, "the environment has ended");
    boost::system::error_code wrong;
    const auto value = boost::json::parse({text.data(), static_cast<std::size_t>(length)}, wrong);
    if (wrong || !value.is_object())
        return fail(Errc::internal, "the environment says what nobody understands");
    message.words = value.as_object();
    return message;
}

boost::json::object to_words(const Error& error) {
    return {{"error", boost::json::object{{"code", to_string(error.code)},
                                          {"what", error.what},
                                          {"hint", error.hint},
                                          {"native", error.native}}}};
}

std::optional<Error> error_in(const boost::json::object& words) {
    const auto* found = words.if_contains("error");
    if (found == nullptr || !found->is_object())
        return std::nullopt;
    const auto text = [&](const char* key) {
        const auto* value = found->as_object().if_contains(key);
        return value != nullptr && value->is_string() ? std::string(value->as_string())
                                                      : std::string();
    };
    const auto* native = found->as_object().if_contains("native");
    return Error{errc_from_string(text("code")), text("what"), text("hint"),
                 native != nullptr && native->is_int64() ? static_cast<int>(native->as_int64())
                                                         : 0};
}

} // namespace baton::player
