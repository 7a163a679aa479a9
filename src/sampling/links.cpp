#include "sampling/links.h"

#include "sampling/link_messages.h"

#include <algorithm>
#include <cerrno>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include <utility>

namespace baton::sampling {

using monitor::NetCounters;

namespace {

class Socket {
  public:
    explicit Socket(int descriptor) : descriptor_(descriptor) {}

    Socket(Socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

    Socket& operator=(Socket&&) = delete;

    ~Socket() {
        if (descriptor_ >= 0)
            ::close(descriptor_);
    }

    [[nodiscard]] int get() const { return descriptor_; }

  private:
    int descriptor_;
};

Result<Socket> open_socket(unsigned groups) {
    Socket socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups = groups;
    const timeval second{1, 0};
    if (socket.get() < 0 ||
        ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second) != 0)
        return fail_errno(errno, "cannot ask the kernel for its network interfaces");
    return socket;
}

struct StatsQuestion {
    nlmsghdr header{};
    if_stats_msg body{};
};

struct LinksQuestion {
    nlmsghdr header{};
    ifinfomsg body{};
    rtattr attribute{};
    std::uint32_t mask = 0;
};

} // namespace

struct Links::State {
    State(Socket asked, Socket told) : questions(std::move(asked)), news(std::move(told)) {}

    Socket questions;
    Socket news; ///< hears of interfaces that come, go or change
    std::uint32_t sequence = 0;
    std::vector<std::byte> buffer = std::vector<std::byte>(64 * 1024);
    std::vector<NetCounters> known; ///< names, ascending by index

    /// A dump: sends `question` and gives each datagram of the answer to `parse`.
    template <class Question, class Parse>
    Result<void> ask(Question question, std::uint16_t type, Parse parse,
                     std::vector<NetCounters>& into);
    Result<std::span<const std::byte>> receive();
    /// Whether something has changed since it was asked last.
    bool anything_new();
    Result<void> learn_names();
    NetCounters* find(unsigned index);
};

Result<std::span<const std::byte>> Links::State::receive() {
    while (true) {
        const ssize_t got = ::recv(questions.get(), buffer.data(), buffer.size(), MSG_TRUNC);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return fail(Errc::timeout, "the kernel does not tell its network interfaces");
        if (got < 0)
            return fail_errno(errno, "cannot read the kernel's network interfaces");
        const auto size = static_cast<std::size_t>(got);
        if (size > buffer.size()) {
            buffer.resize(size * 2); // this one is cut; the next question gets it whole
            return fail(Errc::io, "the kernel's answer about network interfaces was cut");
        }
        nlmsghdr header{};
        if (size >= sizeof header)
            std::copy_n(buffer.data(), sizeof header, reinterpret_cast<std::byte*>(&header));
        if (header.nlmsg_seq == sequence) // else the rest of a question that was given up
            return std::span<const std::byte>(buffer.data(), size);
    }
}

template <class Question, class Parse>
Result<void> Links::State::ask(Question question, std::uint16_t type, Parse parse,
                               std::vector<NetCounters>& into) {
    constexpr int tries = 3;
    question.header.nlmsg_len = sizeof question;
    question.header.nlmsg_type = type;
    question.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    for (int i = 0; i < tries; ++i) {
        question.header.nlmsg_seq = ++sequence;
        into.clear();
        if (::send(questions.get(), &question, sizeof question, 0) < 0)
            return fail_errno(errno, "cannot ask the kernel for its network interfaces");
        DumpState all;
        while (!all.done) {
            const auto datagram = receive();
            if (!datagram)
                return tl::unexpected(datagram.error());
            const Result<DumpState> state = parse(*datagram, into);
            if (!state)
                return tl::unexpected(state.error());
            all = {state->done, all.interrupted || state->interrupted};
        }
        if (!all.interrupted)
            return {};
    }
    return {}; // interfaces come and go all the time: what came last is as good as it gets
}

bool Links::State::anything_new() {
    bool heard = false;
    std::array<std::byte, 64> ignored{};
    while (::recv(news.get(), ignored.data(), ignored.size(), MSG_DONTWAIT | MSG_TRUNC) >= 0 ||
           errno == ENOBUFS || errno == EINTR)
        heard = true;
    return heard;
}

Result<void> Links::State::learn_names() {
    LinksQuestion question;
    question.body.ifi_family = AF_UNSPEC;
    question.attribute.rta_type = IFLA_EXT_MASK;
    question.attribute.rta_len = sizeof(rtattr) + sizeof question.mask;
    question.mask = RTEXT_FILTER_SKIP_STATS;
    BATON_TRY(ask(question, RTM_GETLINK, parse_links, known));
    std::ranges::sort(known, {}, &NetCounters::index);
    return {};
}

NetCounters* Links::State::find(unsigned index) {
    const auto found = std::ranges::lower_bound(known, index, {}, &NetCounters::index);
    return found != known.end() && found->index == index ? &*found : nullptr;
}

Result<Links> Links::open() {
    auto questions = open_socket(0);
    if (!questions)
        return tl::unexpected(questions.error());
    auto news = open_socket(RTMGRP_LINK);
    if (!news)
        return tl::unexpected(news.error());
    return Links(std::make_unique<State>(std::move(*questions), std::move(*news)));
}

Links::Links(std::unique_ptr<State> state) : state_(std::move(state)) {}

Links::Links(Links&&) noexcept = default;
Links& Links::operator=(Links&&) noexcept = default;
Links::~Links() = default;

Result<void> Links::read(std::vector<NetCounters>& interfaces) {
    StatsQuestion question;
    question.body.filter_mask = IFLA_STATS_FILTER_BIT(IFLA_STATS_LINK_64);
    BATON_TRY(state_->ask(question, RTM_GETSTATS, parse_link_stats, interfaces));
    std::ranges::sort(interfaces, {}, &NetCounters::index);
    const auto unknown = [&](const NetCounters& one) { return state_->find(one.index) == nullptr; };
    if (state_->anything_new() || std::ranges::any_of(interfaces, unknown))
        BATON_TRY(state_->learn_names());
    std::erase_if(interfaces, unknown); // gone between the two questions
    for (NetCounters& one : interfaces) {
        const NetCounters& name = *state_->find(one.index);
        one.net_name = name.net_name;
        one.net_hwaddress = name.net_hwaddress;
        one.physical = name.physical;
    }
    return {};
}

} // namespace baton::sampling
