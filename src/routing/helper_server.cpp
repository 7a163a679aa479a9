#include "routing/helper_server.h"

#include "model/overloaded.h"
#include "routing/helper_protocol.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <list>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace baton::routing {

namespace {

using Time = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr std::size_t most_connections = 16;
/// A client answers one probe in half a second at most (Linux: tcp_invalid_ratelimit), and a
/// packet can be lost: asked again twice.
constexpr std::array probe_again_after{40ms, 600ms};

class Helper {
  public:
    Helper(const HelperSettings& settings, UnixSocket listener, Prober prober)
        : settings_(settings),
          listener_(std::move(listener)),
          prober_(std::move(prober)),
          router_(settings.layout, process::run,
                  [this](const std::vector<Flow>& flows) { on_cut(flows); }) {}

    Result<void> prepare() {
        BATON_TRY(router_.ensure());
        const auto cut = router_.cut_strays();
        if (!cut)
            return tl::unexpected(cut.error());
        if (*cut > 0)
            log("cut " + std::to_string(*cut) + " connections that no route leads along");
        return {};
    }

    void run() {
        while (wait()) {
        }
    }

  private:
    struct Connection {
        UnixSocket socket;
        std::string buffer;
        bool over = false;
    };

    struct Reminder {
        Time::time_point when;
        std::vector<Flow> flows;
    };

    void log(const std::string& line) const {
        if (settings_.log)
            settings_.log(line);
    }

    void on_cut(const std::vector<Flow>& flows) {
        for (const auto& flow : flows)
            prober_.send(flow);
        for (const auto delay : probe_again_after)
            reminders_.push_back({Time::now() + delay, flows});
    }

    void remind() {
        const auto now = Time::now();
        for (const auto& reminder : reminders_)
            if (reminder.when <= now)
                for (const auto& flow : reminder.flows)
                    prober_.send(flow);
        std::erase_if(reminders_, [&](const Reminder& r) { return r.when <= now; });
    }

    [[nodiscard]] int patience() const {
        if (reminders_.empty())
            return -1;
        const auto next =
            std::min_element(reminders_.begin(), reminders_.end(),
                             [](const Reminder& a, const Reminder& b) { return a.when < b.when; });
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(next->when - Time::now());
        return static_cast<int>(std::max<long>(0, left.count()));
    }

    /// False: told to stop.
    bool wait() {
        std::vector<pollfd> set{{settings_.stop_fd, POLLIN, 0}, {listener_.fd(), POLLIN, 0}};
        for (const auto& connection : connections_)
            set.push_back({connection.socket.fd(), POLLIN, 0});
        ::poll(set.data(), set.size(), patience());
        remind();
        if (set[0].revents != 0)
            return false;
        std::size_t at = 2;
        for (auto& connection : connections_)
            if (set[at++].revents != 0)
                read(connection);
        connections_.remove_if([](const Connection& c) { return c.over; });
        if (set[1].revents != 0)
            accept();
        return true;
    }

    void accept() {
        UnixSocket socket(
            ::accept4(listener_.fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (!socket.open())
            return;
        ucred peer{};
        socklen_t size = sizeof peer;
        const bool known = ::getsockopt(socket.fd(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0;
        std::string refusal;
        if (!known || (peer.uid != settings_.allowed_uid && peer.uid != 0))
            refusal = "user " + std::to_string(peer.uid) + " may not ask baton-helper";
        else if (connections_.size() >= most_connections)
            refusal = "baton-helper is asked by too many at once";
        if (refusal.empty()) {
            connections_.push_back({std::move(socket), {}, false});
            return;
        }
        log("refused: " + refusal);
        const Result<HelperAnswer> answer = fail(Errc::forbidden, refusal);
        (void)send_all(socket, encode(answer), Time::now() + 100ms);
    }

    void read(Connection& connection) {
        std::array<char, 65'536> bytes{};
        const ssize_t n = ::recv(connection.socket.fd(), bytes.data(), bytes.size(), 0);
        if (n <= 0) {
            connection.over = n == 0 || (errno != EAGAIN && errno != EINTR);
            return;
        }
        connection.buffer.append(bytes.data(), static_cast<std::size_t>(n));
        std::size_t begin = 0;
        for (auto end = connection.buffer.find('\n'); end != std::string::npos && !connection.over;
             end = connection.buffer.find('\n', begin)) {
            answer(connection, std::string_view(connection.buffer).substr(begin, end - begin));
            begin = end + 1;
        }
        connection.buffer.erase(0, begin);
        if (connection.buffer.size() > helper_longest_line)
            connection.over = true;
    }

    void answer(Connection& connection, std::string_view line) {
        const auto request = decode_helper_request(line);
        const Result<HelperAnswer> said =
            request ? carry_out(*request) : Result<HelperAnswer>(tl::unexpected(request.error()));
        if (!said)
            log(said.error().message());
        // whoever asks without reading is not waited for
        if (!send_all(connection.socket, encode(said), Time::now() + 2s))
            connection.over = true;
    }

    Result<HelperAnswer> carry_out(const HelperRequest& request) {
        const auto plain = [](Result<void> result) {
            return result.map([] { return HelperAnswer{}; });
        };
        return std::visit(
            Overloaded{
                [&](const TableEnsure&) { return plain(router_.ensure()); },
                [&](const RoutesReplace& r) {
                    log("routes.replace: " + std::to_string(r.routes.size()) + " routes");
                    return plain(router_.replace_all(r.routes));
                },
                [&](const RoutePoint& r) {
                    log("route.point: " + r.route.session.value + ": " + r.route.client +
                        ", port " + std::to_string(r.route.listen_port) + " to " +
                        r.route.target.address + ":" + std::to_string(r.route.target.port));
                    return plain(router_.point(r.route));
                },
                [&](const RouteRemove& r) {
                    log("route.remove: " + r.session.value);
                    return plain(router_.remove(r.session));
                },
                [&](const RoutesList&) {
                    return router_.list().map([](std::vector<Route>&& routes) {
                        return HelperAnswer{std::move(routes)};
                    });
                },
                [&](const FlowsCut&) {
                    return router_.cut_strays().map([](std::size_t cut) {
                        return HelperAnswer{{}, static_cast<std::int64_t>(cut)};
                    });
                },
            },
            request);
    }

    const HelperSettings& settings_;
    UnixSocket listener_;
    Prober prober_;
    NftRouter router_;
    std::list<Connection> connections_;
    std::vector<Reminder> reminders_;
};

} // namespace

Result<void> serve_helper(const HelperSettings& settings) {
    if (::geteuid() != 0)
        return fail(Errc::forbidden, "baton-helper changes routes, which is root's alone",
                    "start it as root");
    auto prober = Prober::make();
    if (!prober)
        return tl::unexpected(prober.error());
    auto listener = listen_unix(settings.socket_path, settings.allowed_uid);
    if (!listener)
        return tl::unexpected(listener.error());
    Helper helper(settings, std::move(*listener), std::move(*prober));
    const auto prepared = helper.prepare();
    if (prepared) {
        if (settings.log)
            settings.log("serving at " + settings.socket_path + " for user " +
                         std::to_string(settings.allowed_uid));
        helper.run();
    }
    ::unlink(settings.socket_path.c_str());
    return prepared;
}

} // namespace baton::routing
