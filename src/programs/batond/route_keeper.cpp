#include "programs/batond/route_keeper.h"

#include "routing/helper_router.h"

#include <spdlog/spdlog.h>

namespace baton::controller {

namespace {

constexpr std::chrono::seconds retry_after{2};

std::unique_ptr<routing::Router> router_for(const Config& config) {
    if (config.helper_socket.empty())
        return nullptr;
    return routing::make_helper_router(config.helper_socket);
}

} // namespace

RouteKeeper::RouteKeeper(const Config& config, Loop& loop, Pool& pool)
    : RouteKeeper(router_for(config), loop, pool) {}

RouteKeeper::RouteKeeper(std::unique_ptr<routing::Router> router, Loop& loop, Pool& pool)
    : router_(std::move(router)), loop_(loop), in_order_(pool) {}

Result<std::vector<routing::Route>> routes_of(store::Store& store) {
    auto sessions = store.sessions(false);
    if (!sessions)
        return tl::unexpected(sessions.error());
    auto desktops = store.desktops();
    if (!desktops)
        return tl::unexpected(desktops.error());
    std::vector<routing::Route> routes;
    for (const store::SessionRow& session : *sessions) {
        if (session.listen_port == 0)
            continue;
        for (const store::DesktopRow& desktop : *desktops)
            if (desktop.id == session.desktop && desktop.screen.port != 0)
                routes.push_back({session.id, session.client, session.listen_port, desktop.screen});
    }
    return routes;
}

void RouteKeeper::restore(store::Store& store) {
    store_ = &store;
    if (!router_)
        return;
    restored_ = false;
    run([] { return Result<void>(); },
        [this](const Result<void>& done) {
            if (!done) {
                spdlog::warn("routes cannot be restored yet: {}", done.error().message());
                try_again_later();
            }
        });
}

void RouteKeeper::try_again_later() {
    loop_.after(retry_after, [this] {
        run([] { return Result<void>(); },
            [this](const Result<void>& done) {
                if (done)
                    spdlog::info("routes are restored");
                else
                    try_again_later();
            });
    });
}

Result<void> RouteKeeper::restore_now() {
    if (restored_)
        return {};
    auto routes = routes_of(*store_);
    if (!routes)
        return tl::unexpected(routes.error());
    BATON_TRY(router_->replace_all(*routes));
    restored_ = true;
    return {};
}

void RouteKeeper::run(std::function<Result<void>()> work, handoff::Done<void> done) {
    in_order_.run("routes", [this, work = std::move(work), done = std::move(done)] {
        auto result = restore_now();
        if (result)
            result = work();
        loop_.post([done, result = std::move(result)] { done(result); });
    });
}

void RouteKeeper::point(const handoff::PathOrder& order, handoff::Done<void> done) {
    if (!router_)
        return loop_.post([done = std::move(done)] {
            done(fail(Errc::unsupported, "this site has no routes: routing.helper_socket is empty",
                      "open the session without --client"));
        });
    run([this, route = routing::Route{order.session, order.client, order.listen_port,
                                      order.target}] { return router_->point(route); },
        std::move(done));
}

void RouteKeeper::remove(const SessionId& session, handoff::Done<void> done) {
    if (!router_)
        return loop_.post([done = std::move(done)] { done({}); });
    run([this, session] { return router_->remove(session); }, std::move(done));
}

} // namespace baton::controller
