#include "player/control.h"

#include <boost/json.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <optional>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace baton::player {

namespace {

using process::Descriptor;

constexpr std::string_view prefix = "baton-play/";
constexpr std::size_t largest_word = 16 * 1024;
constexpr std::chrono::milliseconds to_ask{200};
constexpr std::chrono::milliseconds to_answer{5'000};

struct Address {
    sockaddr_un name{};
    socklen_t length = 0;
};

Address address_of(const std::string& name) {
    Address address;
    address.name.sun_family = AF_UNIX;
    const auto length = std::min(name.size(), sizeof address.name.sun_path - 1);
    name.copy(address.name.sun_path + 1, length);
    address.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + length);
    return address;
}

bool speaks_for(int socket, uid_t person) {
    ucred peer{};
    socklen_t length = sizeof peer;
    return ::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
           (peer.uid == 0 || peer.uid == person);
}

std::optional<std::string> packet_from(int socket, std::chrono::milliseconds limit) {
    pollfd ready{socket, POLLIN, 0};
    while (::poll(&ready, 1, static_cast<int>(limit.count())) < 0 && errno == EINTR) {
    }
    std::string packet(largest_word, '\0');
    const auto n = ::recv(socket, packet.data(), packet.size(), MSG_DONTWAIT);
    if (n <= 0)
        return std::nullopt;
    packet.resize(static_cast<std::size_t>(n));
    return packet;
}

bool say(int socket, const std::string& packet) {
    return ::send(socket, packet.data(), packet.size(), MSG_NOSIGNAL | MSG_DONTWAIT) ==
           static_cast<ssize_t>(packet.size());
}

constexpr std::array<std::pair<Ask, std::string_view>, 3> asks{
    {{Ask::status, "status"}, {Ask::show, "show"}, {Ask::hide, "hide"}}};

std::optional<boost::json::object> object_in(std::string_view packet) {
    boost::system::error_code wrong;
    auto value = boost::json::parse({packet.data(), packet.size()}, wrong);
    if (wrong || !value.is_object())
        return std::nullopt;
    return std::move(value.as_object());
}

std::string text_in(const boost::json::object& words, const char* key) {
    const auto* value = words.if_contains(key);
    return value != nullptr && value->is_string() ? std::string(value->as_string()) : "";
}

std::int64_t number_in(const boost::json::object& words, const char* key) {
    const auto* value = words.if_contains(key);
    return value != nullptr && value->is_int64() ? value->as_int64() : 0;
}

std::string to_packet(const Error& error) {
    return boost::json::serialize(
        boost::json::object{{"error", boost::json::object{{"code", to_string(error.code)},
                                                          {"what", error.what},
                                                          {"hint", error.hint}}}});
}

} // namespace

std::string to_packet(Ask ask) {
    for (const auto& [value, name] : asks)
        if (value == ask)
            return boost::json::serialize(boost::json::object{{"ask", name}});
    return "";
}

Result<Ask> parse_ask(std::string_view packet) {
    if (const auto words = object_in(packet); words && words->size() == 1)
        for (const auto& [value, name] : asks)
            if (text_in(*words, "ask") == name)
                return value;
    return fail(Errc::invalid_argument, "the player is asked what it does not understand",
                "the two are of different versions: end the player and begin again");
}

std::string to_packet(const Playing& playing) {
    return boost::json::serialize(boost::json::object{{"owner", playing.owner},
                                                      {"desk", playing.desk},
                                                      {"pid", playing.pid},
                                                      {"since", playing.since},
                                                      {"display", playing.display},
                                                      {"shown", playing.shown}});
}

Result<Playing> parse_playing(std::string_view packet) {
    const auto words = object_in(packet);
    if (words) {
        if (const auto* error = words->if_contains("error"); error != nullptr && error->is_object())
            return fail(errc_from_string(text_in(error->as_object(), "code")),
                        text_in(error->as_object(), "what"), text_in(error->as_object(), "hint"));
        const auto* shown = words->if_contains("shown");
        const auto pid = number_in(*words, "pid");
        if (pid > 0 && shown != nullptr && shown->is_bool())
            return Playing{
                text_in(*words, "owner"),   text_in(*words, "desk"),    pid,
                number_in(*words, "since"), text_in(*words, "display"), shown->as_bool()};
    }
    return fail(Errc::invalid_argument, "the player answers what nobody understands",
                "the two are of different versions: end the player and begin again");
}

Result<ControlSocket> ControlSocket::listen(uid_t person) {
    ControlSocket control;
    control.person_ = person;
    control.socket_ =
        Descriptor(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    // a name may be somebody else's: who looks for players asks the kernel who listens
    for (int attempt = 0; attempt < 8; ++attempt) {
        const auto address = address_of(std::string(prefix) + std::to_string(::getpid()) + "/" +
                                        std::to_string(attempt));
        if (::bind(control.socket_.get(), reinterpret_cast<const sockaddr*>(&address.name),
                   address.length) == 0) {
            if (::listen(control.socket_.get(), 16) == 0)
                return control;
            break;
        }
        if (errno != EADDRINUSE)
            break;
    }
    return fail_errno(errno, "cannot make the player's control socket");
}

void ControlSocket::answer(const std::function<Result<Playing>(Ask)>& answer_to) const {
    const Descriptor one(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!one.open() || !speaks_for(one.get(), person_))
        return;
    const auto packet = packet_from(one.get(), to_ask);
    if (!packet)
        return;
    const auto ask = parse_ask(*packet);
    const auto answered = ask ? answer_to(*ask) : tl::unexpected(ask.error());
    say(one.get(), answered ? to_packet(*answered) : to_packet(answered.error()));
}

Result<Playing> ask_player(const std::string& socket, Ask ask) {
    const Descriptor one(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const auto address = address_of(socket);
    if (!one.open() ||
        ::connect(one.get(), reinterpret_cast<const sockaddr*>(&address.name), address.length) != 0)
        return fail(Errc::unavailable, "the player has ended", "", errno);
    if (!speaks_for(one.get(), ::getuid()))
        return fail(Errc::forbidden, "that player is somebody else's");
    if (!say(one.get(), to_packet(ask)))
        return fail(Errc::unavailable, "the player does not listen", "", errno);
    const auto packet = packet_from(one.get(), to_answer);
    if (!packet)
        return fail(Errc::unavailable, "the player does not answer");
    return parse_playing(*packet);
}

std::vector<Player> players_here() {
    std::vector<Player> players;
    std::ifstream sockets("/proc/net/unix");
    constexpr std::string_view listens = " 00010000 ";
    for (std::string line; std::getline(sockets, line);) {
        const auto at = line.find(" @" + std::string(prefix));
        if (at == std::string::npos || line.find(listens) == std::string::npos)
            continue;
        const auto name = line.substr(at + 2);
        // an abstract name is padded or not: what /proc shows as '@' is a zero
        if (auto playing = ask_player(name, Ask::status))
            players.push_back({name, std::move(*playing)});
    }
    std::ranges::sort(players, [](const Player& a, const Player& b) {
        return std::pair(a.playing.since, a.playing.pid) <
               std::pair(b.playing.since, b.playing.pid);
    });
    return players;
}

namespace {

bool is_called(const Playing& playing, const std::string& word) {
    const auto file = playing.desk.substr(playing.desk.rfind('/') + 1);
    return playing.owner == word || playing.desk == word || file == word || file == word + ".desk";
}

Turn next_turn(const std::vector<const Player*>& circle) {
    const auto shown =
        std::ranges::find_if(circle, [](const Player* one) { return one->playing.shown; });
    if (shown == circle.end())
        return {circle.front()->socket, Ask::show};
    if (shown + 1 == circle.end())
        return {(*shown)->socket, Ask::hide};
    return {(*(shown + 1))->socket, Ask::show};
}

} // namespace

Result<Turn> turn_to(const std::vector<Player>& players, const std::string& word,
                     const std::string& display) {
    std::vector<const Player*> circle;
    bool named = false;
    for (const auto& one : players) {
        named = named || is_called(one.playing, word);
        if (!one.playing.display.empty() && (display.empty() || one.playing.display == display))
            circle.push_back(&one);
    }
    if (circle.empty() && named)
        return fail(Errc::not_found, "the desk " + word + " has no desktop here to switch to",
                    "a desk has one when it is opened with --graphical");
    if (circle.empty())
        return fail(Errc::not_found, "no desk is open here with a desktop of its own",
                    "open one: baton-play DESK --graphical");
    if (word.empty())
        return next_turn(circle);
    if (word == "host" || word == "pc") {
        for (const auto* one : circle)
            if (one->playing.shown)
                return Turn{one->socket, Ask::hide};
        return Turn{};
    }
    std::vector<const Player*> meant;
    std::ranges::copy_if(circle, std::back_inserter(meant),
                         [&](const Player* one) { return is_called(one->playing, word); });
    if (meant.empty())
        return fail(Errc::not_found, "no desk " + word + " is open here with a desktop of its own",
                    "see them: baton-play list");
    if (meant.size() > 1)
        return fail(Errc::invalid_argument, "several desks here are called " + word,
                    "name the image with its path, as baton-play list shows it");
    return Turn{meant.front()->socket, Ask::show};
}

} // namespace baton::player
