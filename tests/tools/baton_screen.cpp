/// baton-screen: looks at a desktop's screen as a viewer does, and types on it. For the lab,
/// benches and tests; not installed.
#include "guest/status_strip.h"
#include "model/error.h"
#include "net/vnc_password.h"
#include "rfb/client.h"
#include "rfb/handshake_client.h"
#include "screen_line.h"

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <poll.h>
#include <string>
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

struct Options {
    std::string address;
    std::string password;
    std::string user; ///< not empty: a gateway's login, with `password` and the CA in `authority`
    std::string authority;
    std::string out;
    std::string text;
    int timeout_s = 30;
};

/// One connection to a screen, with deadlines on everything.
class Connection {
  public:
    explicit Connection(const Options& options) : options_(options) {}

    Result<void> open(milliseconds deadline) {
        BATON_TRY(line_.open(options_.address, deadline));
        if (options_.user.empty())
            client_.emplace([password = options_.password](const rfb::Challenge& challenge) {
                return answer(password, challenge);
            });
        else
            BATON_TRY(log_in());
        return flush();
    }

    /// Reads what comes within `deadline`: true if anything came.
    Result<bool> pump(milliseconds deadline) {
        BATON_TRY(flush());
        const auto got = line_.receive(buffer_.data(), buffer_.size(), deadline);
        if (!got)
            return tl::unexpected(got.error());
        BATON_TRY(client_->feed({buffer_.data(), *got}));
        BATON_TRY(flush());
        return *got > 0;
    }

    Result<void> flush() { return line_.send(client_->take_output()); }

    rfb::Client& client() { return *client_; }

    std::optional<guest::StripState> strip() const {
        const rfb::Picture& picture = client_->picture();
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
    /// VeNCrypt's X509Plain, the way into a gateway.
    Result<void> log_in() {
        using Step = rfb::HandshakeClient::Step;
        rfb::HandshakeClient handshake({rfb::Login::x509_plain});
        std::string come;
        for (;;) {
            const auto progress = handshake.next(come);
            if (!progress)
                return tl::unexpected(progress.error());
            come.erase(0, progress->used);
            if (progress->step == Step::give_credentials)
                handshake.give({options_.user, options_.password});
            BATON_TRY(line_.send(handshake.take_output()));
            if (progress->step == Step::start_tls)
                BATON_TRY(line_.start_tls(options_.authority, login_deadline));
            if (progress->step == Step::done)
                break;
            if (progress->step != Step::need_more)
                continue;
            const auto got = line_.receive(buffer_.data(), buffer_.size(), login_deadline);
            if (!got)
                return tl::unexpected(got.error());
            if (*got == 0)
                return fail(Errc::timeout, "no answer to the login at " + options_.address);
            come.append(buffer_.data(), *got);
        }
        client_.emplace(handshake.server_init());
        return client_->feed(come);
    }

    static constexpr milliseconds login_deadline{20'000};

    const Options& options_;
    tools::ScreenLine line_;
    std::optional<rfb::Client> client_;
    std::array<char, 256 * 1024> buffer_{};
};

void say(boost::json::object word) {
    fmt::print("{}\n", boost::json::serialize(word));
    std::fflush(stdout);
}

/// Runs until `finished` on one connection that has shown a complete picture.
Result<std::unique_ptr<Connection>> look(const Options& options) {
    const auto end = Clock::now() + std::chrono::seconds(options.timeout_s);
    auto connection = std::make_unique<Connection>(options);
    BATON_TRY(connection->open(std::chrono::seconds(options.timeout_s)));
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

using Size = std::pair<std::uint16_t, std::uint16_t>;

Size size_of(Connection& connection) {
    const rfb::Picture& picture = connection.client().picture();
    return {picture.width, picture.height};
}

/// Says every change of what the status strip shows, and of the screen's size while one connection
/// lasts; comes back by itself after every drop.
Result<void> follow(const Options& options) {
    // not a wait for a state: bounds how often a screen that is away is tried; a gateway bounds how
    // often people may log in
    const int pause_ms = options.user.empty() ? 5 : 250;
    std::optional<guest::StripState> shown;
    std::string last_trouble;
    for (;;) {
        auto connection = std::make_unique<Connection>(options);
        std::uint64_t frames = 0;
        Size size;
        auto going = connection->open(milliseconds(1000));
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
            if (const Size now = size_of(*connection); now != size) {
                if (size != Size{})
                    say({{"event", "resized"},
                         {"t_ns", at},
                         {"width", now.first},
                         {"height", now.second}});
                size = now;
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
        ::poll(nullptr, 0, pause_ms);
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
        command->add_option("--password", options.password, "VNC password, or that of --user");
        auto* user = command->add_option("--user", options.user,
                                         "log in at a gateway by this name (X509Plain over TLS)");
        auto* authority = command->add_option("--ca", options.authority,
                                              "with --user: the CA of the gateway's certificate");
        user->needs(authority);
        authority->needs(user);
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
