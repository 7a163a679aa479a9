#include "routing/helper_router.h"

#include "routing/helper_protocol.h"
#include "routing/unix_socket.h"

#include <mutex>

namespace baton::routing {

namespace {

class HelperRouter : public Router {
  public:
    HelperRouter(std::string path, std::chrono::milliseconds deadline)
        : path_(std::move(path)), deadline_(deadline) {}

    Result<void> point(const Route& route) override {
        return ask(RoutePoint{route}).map([](auto&&) {});
    }

    Result<void> remove(const SessionId& session) override {
        return ask(RouteRemove{session}).map([](auto&&) {});
    }

    Result<void> replace_all(const std::vector<Route>& routes) override {
        return ask(RoutesReplace{routes}).map([](auto&&) {});
    }

    Result<std::vector<Route>> list() override {
        return ask(RoutesList{}).map([](HelperAnswer&& answer) {
            return std::move(answer.routes);
        });
    }

  private:
    using Time = std::chrono::steady_clock;

    Result<HelperAnswer> ask(const HelperRequest& request) {
        const std::lock_guard lock(mutex_);
        const auto until = Time::now() + deadline_;
        // a connection that the helper closed since (it was restarted) is found out by using it;
        // every request may be repeated
        const bool kept = socket_.open();
        auto answer = attempt(request, until);
        if (!answer && answer.error().code == Errc::unavailable && kept && !socket_.open())
            answer = attempt(request, until);
        return answer;
    }

    Result<HelperAnswer> attempt(const HelperRequest& request, Time::time_point until) {
        if (!socket_.open()) {
            auto socket = connect_unix(path_);
            if (!socket)
                return fail(socket.error().code, "routes cannot be changed: " + socket.error().what,
                            "start baton-helper (as root), and see that both are told the same "
                            "socket");
            socket_ = std::move(*socket);
            buffer_.clear();
            if (auto ready = exchange(TableEnsure{}, until); !ready)
                return ready;
        }
        return exchange(request, until);
    }

    Result<HelperAnswer> exchange(const HelperRequest& request, Time::time_point until) {
        auto sent = send_all(socket_, encode(request), until);
        auto line = sent ? receive_line(socket_, buffer_, helper_longest_line, until)
                         : Result<std::string>(tl::unexpected(sent.error()));
        if (!line) {
            socket_ = UnixSocket(); // a late answer must not be taken for the next one's
            return tl::unexpected(line.error().in("asking baton-helper"));
        }
        return decode_helper_answer(*line);
    }

    std::mutex mutex_;
    std::string path_;
    std::chrono::milliseconds deadline_;
    UnixSocket socket_;
    std::string buffer_;
};

} // namespace

std::unique_ptr<Router> make_helper_router(std::string socket_path,
                                           std::chrono::milliseconds deadline) {
    return std::make_unique<HelperRouter>(std::move(socket_path), deadline);
}

} // namespace baton::routing
