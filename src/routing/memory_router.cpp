#include "routing/memory_router.h"

#include <algorithm>
#include <mutex>

namespace baton::routing {

namespace {

class MemoryRouter : public Router {
  public:
    explicit MemoryRouter(Layout layout) : layout_(std::move(layout)) {}

    Result<void> point(const Route& route) override {
        BATON_TRY(check_route(layout_, route));
        const std::lock_guard lock(mutex_);
        const auto taken = std::find_if(routes_.begin(), routes_.end(), [&](const Route& other) {
            return other.session != route.session && other.client == route.client &&
                   other.listen_port == route.listen_port;
        });
        if (taken != routes_.end())
            return fail(Errc::busy, "port " + std::to_string(route.listen_port) + " of client " +
                                        route.client + " leads to the desktop of session " +
                                        taken->session.value);
        std::erase_if(routes_, [&](const Route& old) { return old.session == route.session; });
        routes_.push_back(route);
        return {};
    }

    Result<void> remove(const SessionId& session) override {
        BATON_TRY(check_session(session));
        const std::lock_guard lock(mutex_);
        std::erase_if(routes_, [&](const Route& old) { return old.session == session; });
        return {};
    }

    Result<void> replace_all(const std::vector<Route>& routes) override {
        BATON_TRY(check_routes(layout_, routes));
        const std::lock_guard lock(mutex_);
        routes_ = routes;
        return {};
    }

    Result<std::vector<Route>> list() override {
        const std::lock_guard lock(mutex_);
        return routes_;
    }

  private:
    std::mutex mutex_;
    Layout layout_;
    std::vector<Route> routes_;
};

} // namespace

std::unique_ptr<Router> make_memory_router(Layout layout) {
    return std::make_unique<MemoryRouter>(std::move(layout));
}

} // namespace baton::routing
