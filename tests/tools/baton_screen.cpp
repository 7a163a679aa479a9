/// baton-screen: looks at a desktop's screen as a viewer does, and types on it. For the lab,
/// benches and tests; not installed.
#include "guest/status_strip.h"
#include "model/error.h"
#include "net/vnc_password.h"
#include "rfb/client.h"

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <iostream>
#include <memory>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <optional>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

namespace baton {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

std::int64_t now_ns() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch())
        .count();
}

rfb::Challenge answer(const std::string& password, const rfb::Challenge& challenge) {
    auto result = net::answer_vnc_challenge(password, challenge);
    if (!result)
        throw std::runtime_error(result.error().message());
    return *result;
}

/// One connection to a screen, with deadlines on everything.
class Connection {
  public:
    explicit Connection(const std::string& password)
        : client_([password](const rfb::Challenge& challenge) {
              return answer(password, challenge);
          }) {}

    ~Connection() {
        if (fd_ >= 0)
            ::close(fd_);
    }

    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    Result<void> open(const std::string& address, milliseconds deadline) {
        BATON_TRY(start(address));
        pollfd wait{fd_, POLLOUT, 0};
        if (::poll(&wait, 1, static_cast<int>(deadline.count())) != 1)
            return fail(Errc::timeout, "no answer from " + address);
        int status = 0;
        socklen_t length = sizeof status;
        ::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &status, &length);
        if (status != 0)
            return fail_errno(status, "cannot connect to " + address);
        return {};
    }

    /// Reads what comes within `deadline`: true if anything came.
    Result<bool> pump(milliseconds deadline) {
        BATON_TRY(flush());
        pollfd wait{fd_, POLLIN, 0};
        const int ready = ::poll(&wait, 1, static_cast<int>(deadline.count()));
        if (ready == 0)
            return false;
        const ssize_t got = ::recv(fd_, buffer_.data(), buffer_.size(), 0);
        if (got == 0)
            return fail(Errc::unavailable, "the screen closed the connection");
        if (got < 0)
            return fail_errno(errno, "reading from the screen");
        BATON_TRY(client_.feed({buffer_.data(), static_cast<std::size_t>(got)}));
        BATON_TRY(flush());
        return true;
    }

    Result<void> flush() {
        pending_ += client_.take_output();
        while (!pending_.empty()) {
            const ssize_t sent = ::send(fd_, pending_.data(), pending_.size(), MSG_NOSIGNAL);
            if (sent < 0 && errno == EAGAIN) {
                pollfd wait{fd_, POLLOUT, 0};
                if (::poll(&wait, 1, 5000) != 1)
                    return fail(Errc::timeout, "the screen takes no input");
                continue;
            }
            if (sent < 0)
                return fail_errno(errno, "writing to the screen");
            pending_.erase(0, static_cast<std::size_t>(sent));
        }
        return {};
    }

    rfb::Client& client() { return client_; }

    std::optional<guest::StripState> strip() const {
        const rfb::Picture& picture = client_.picture();
        if (picture.width < guest::strip::width || picture.height < guest::strip::cell_height)
            return std::nullopt;
        return guest::read_strip([&](int x, int y) {
            const std::uint32_t pixel = picture.at(x, y);
            return guest::Rgb{static_cast<std::uint8_t>(pixel >> 16),
                              static_cast<std::uint8_t>(pixel >> 8),
                              static_cast<std::uint8_t>(pixel)};
        });
    }

  private:
    Result<void> start(const std::string& address) {
        if (address.find('/') != std::string::npos) {
            sockaddr_un local{};
            local.sun_family = AF_UNIX;
            if (address.size() >= sizeof local.sun_path)
                return fail(Errc::invalid_argument, "the path is too long: " + address);
            std::copy(address.begin(), address.end(), local.sun_path);
            return connect(AF_UNIX, reinterpret_cast<const sockaddr*>(&local), sizeof local,
                           address);
        }
        const auto colon = address.rfind(':');
        sockaddr_in remote{};
        remote.sin_family = AF_INET;
        const std::string host = address.substr(0, colon);
        int port = 0;
        if (colon == std::string::npos ||
            !CLI::detail::lexical_cast(address.substr(colon + 1), port) || port < 1 ||
            port > 65535 || ::inet_pton(AF_INET, host.c_str(), &remote.sin_addr) != 1)
            return fail(Errc::invalid_argument, "'" + address + "' is no screen",
                        "write ADDRESS:PORT, or the path of a unix socket");
        remote.sin_port = htons(static_cast<std::uint16_t>(port));
        return connect(AF_INET, reinterpret_cast<const sockaddr*>(&remote), sizeof remote, address);
    }

    Result<void> connect(int family, const sockaddr* to, socklen_t length,
                         const std::string& address) {
        fd_ = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd_ < 0)
            return fail_errno(errno, "cannot make a socket");
        const int on = 1;
        if (family == AF_INET)
            ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (::connect(fd_, to, length) != 0 && errno != EINPROGRESS)
            return fail_errno(errno, "cannot connect to " + address);
        return {};
    }

    int fd_ = -1;
    rfb::Client client_;
    std::string pending_;
    std::array<char, 256 * 1024> buffer_{};
};

struct Options {
    std::string address;
    std::string password;
    std::string out;
    std::string text;
    int timeout_s = 30;
};

void say(boost::json::object word) {
    fmt::print("{}\n", boost::json::serialize(word));
    std::fflush(stdout);
}

/// Runs until `finished` on one connection that has shown a complete picture.
Result<std::unique_ptr<Connection>> look(const Options& options) {
    const auto end = Clock::now() + std::chrono::seconds(options.timeout_s);
    auto connection = std::make_unique<Connection>(options.password);
    BATON_TRY(connection->open(options.address, std::chrono::seconds(options.timeout_s)));
    while (connection->client().complete_frames() == 0) {
        const auto left = std::chrono::duration_cast<milliseconds>(end - Clock::now());
        if (left.count() <= 0)
            return fail(Errc::timeout, "no complete picture came in time");
        if (auto pumped = connection->pump(left); !pumped)
            return tl::unexpected(std::move(pumped).error());
    }
    return connection;
}

Result<void> shot(const Options& options) {
    auto connection = look(options);
    if (!connection)
        return tl::unexpected(std::move(connection).error());
    if (!options.out.empty()) {
        std::ofstream file(options.out, std::ios::binary);
        file << (*connection)->client().picture().ppm();
        if (!file.flush())
            return fail_errno(errno, "cannot write " + options.out);
    }
    const auto strip = (*connection)->strip();
    const rfb::Picture& picture = (*connection)->client().picture();
    boost::json::object word{{"width", picture.width}, {"height", picture.height}};
    word["fence"] = strip ? boost::json::value(strip->fence) : boost::json::value(nullptr);
    word["memory_mib"] =
        strip ? boost::json::value(strip->memory().count) : boost::json::value(nullptr);
    say(std::move(word));
    return {};
}

/// Says every change of what the status strip shows; comes back by itself after every drop.
Result<void> follow(const Options& options) {
    std::optional<guest::StripState> shown;
    std::string last_trouble;
    for (;;) {
        auto connection = std::make_unique<Connection>(options.password);
        std::uint64_t frames = 0;
        auto going = connection->open(options.address, milliseconds(1000));
        bool told = false;
        while (going) {
            auto pumped = connection->pump(milliseconds(1000));
            if (!pumped) {
                going = tl::unexpected(std::move(pumped).error());
                break;
            }
            const std::int64_t at = now_ns();
            if (!told && connection->client().ready()) {
                told = true;
                last_trouble.clear();
                say({{"event", "connected"}, {"t_ns", at}});
            }
            if (connection->client().complete_frames() == frames)
                continue;
            frames = connection->client().complete_frames();
            const auto strip = connection->strip();
            if (strip && strip != shown) {
                shown = strip;
                say({{"event", "frame"},
                     {"t_ns", at},
                     {"fence", strip->fence},
                     {"memory_mib", strip->memory().count}});
            }
        }
        if (going.error().code == Errc::invalid_argument)
            return going;
        if (going.error().what != last_trouble) {
            last_trouble = going.error().what;
            say({{"event", told ? "dropped" : "refused"},
                 {"t_ns", now_ns()},
                 {"why", going.error().what}});
        }
        // not a wait for a state: bounds how often a screen that is away is tried
        ::poll(nullptr, 0, 5);
    }
}

void press(rfb::Client& client, char character) {
    constexpr std::uint32_t shift_left = 0xFFE1;
    constexpr std::uint32_t enter = 0xFF0D;
    static constexpr std::string_view shifted = "~!@#$%^&*()_+{}|:\"<>?";
    const bool needs_shift =
        (character >= 'A' && character <= 'Z') || shifted.find(character) != std::string_view::npos;
    const std::uint32_t key =
        character == '\n' ? enter
                          : static_cast<std::uint32_t>(static_cast<unsigned char>(character));
    if (needs_shift)
        client.key(shift_left, true);
    client.key(key, true);
    client.key(key, false);
    if (needs_shift)
        client.key(shift_left, false);
}

/// Types, a key at a time: a guest under emulation drops what overruns its keyboard's queue.
Result<void> type(const Options& options) {
    auto connection = look(options);
    if (!connection)
        return tl::unexpected(std::move(connection).error());
    for (const char character : options.text) {
        press((*connection)->client(), character);
        BATON_TRY((*connection)->flush());
        const auto next = Clock::now() + milliseconds(25);
        for (auto left = milliseconds(25); left.count() > 0;
             left = std::chrono::duration_cast<milliseconds>(next - Clock::now()))
            if (auto pumped = (*connection)->pump(left); !pumped)
                return tl::unexpected(std::move(pumped).error());
    }
    return {};
}

/// Finds a status strip anywhere in a picture: a screenshot of a viewer has frames around it.
Result<void> find_strip(const Options& options) {
    std::ifstream file;
    if (options.address != "-")
        file.open(options.address, std::ios::binary);
    std::istream& in = options.address == "-" ? std::cin : file;
    std::string kind;
    int width = 0;
    int height = 0;
    int most = 0;
    in >> kind >> width >> height >> most;
    in.get();
    if (!in || kind != "P6" || most != 255 || width < guest::strip::width || width > 16384 ||
        height < guest::strip::cell_height || height > 16384)
        return fail(Errc::corrupt, options.address + " is no binary PPM of a usable size");
    std::string pixels(static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * 3, 0);
    if (!in.read(pixels.data(), static_cast<std::streamsize>(pixels.size())))
        return fail(Errc::corrupt, options.address + " ends too early");
    for (int top = 0; top + guest::strip::cell_height <= height; ++top)
        for (int left = 0; left + guest::strip::width <= width; ++left) {
            const auto strip = guest::read_strip([&](int x, int y) {
                const auto at =
                    (static_cast<std::size_t>(top + y) * static_cast<std::size_t>(width) +
                     static_cast<std::size_t>(left + x)) *
                    3;
                return guest::Rgb{static_cast<std::uint8_t>(pixels[at]),
                                  static_cast<std::uint8_t>(pixels[at + 1]),
                                  static_cast<std::uint8_t>(pixels[at + 2])};
            });
            if (strip) {
                say({{"x", left},
                     {"y", top},
                     {"fence", strip->fence},
                     {"memory_mib", strip->memory().count}});
                return {};
            }
        }
    return fail(Errc::not_found, "no status strip is in " + options.address);
}

} // namespace
} // namespace baton

int main(int argc, char** argv) {
    CLI::App app{"Looks at a desktop's screen (VNC) as a viewer does, and types on it."};
    app.require_subcommand(1);
    baton::Options options;
    baton::Result<void> result;
    const auto common = [&](CLI::App* command) {
        command->add_option("address", options.address, "ADDRESS:PORT, or a unix socket's path")
            ->required();
        command->add_option("--password", options.password, "VNC password");
        command->add_option("--timeout", options.timeout_s, "seconds")->check(CLI::Range(1, 600));
        return command;
    };
    CLI::App* shot = common(app.add_subcommand("shot", "one complete picture"));
    shot->add_option("--out", options.out, "write it as PPM");
    shot->callback([&] { result = baton::shot(options); });
    common(app.add_subcommand("follow", "say each change of the status strip, one JSON a line"))
        ->callback([&] { result = baton::follow(options); });
    CLI::App* strip = app.add_subcommand("strip", "find a status strip in a picture");
    strip->add_option("file", options.address, "a binary PPM, or - for standard input")->required();
    strip->callback([&] { result = baton::find_strip(options); });
    CLI::App* type = common(app.add_subcommand("type", "press keys"));
    type->add_option("text", options.text, "what to type; a newline is Enter")->required();
    type->callback([&] { result = baton::type(options); });

    CLI11_PARSE(app, argc, argv);
    if (!result) {
        fmt::print(stderr, "baton-screen: {}\n", result.error().message());
        return 1;
    }
    return 0;
}
