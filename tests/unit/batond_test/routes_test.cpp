#include "programs/batond/route_keeper.h"

#include <gtest/gtest.h>

#include <future>
#include <mutex>
#include <vector>

namespace baton::controller {
namespace {

/// Writes down what it is asked, and is away for the first calls.
class RecordingRouter : public routing::Router {
  public:
    struct Log {
        std::mutex mutex;
        std::vector<std::string> calls;
        int away = 0;
        std::vector<routing::Route> all;
    };

    explicit RecordingRouter(Log& log) : log_(log) {}

    Result<void> point(const routing::Route& route) override {
        return note("point " + route.session.value + " to " + std::to_string(route.target.port));
    }

    Result<void> remove(const SessionId& session) override {
        return note("remove " + session.value);
    }

    Result<void> replace_all(const std::vector<routing::Route>& routes) override {
        if (auto there = note("replace"); !there)
            return there;
        const std::lock_guard lock(log_.mutex);
        log_.all = routes;
        return {};
    }

    Result<std::vector<routing::Route>> list() override { return log_.all; }

  private:
    Result<void> note(std::string call) {
        const std::lock_guard lock(log_.mutex);
        if (log_.away > 0) {
            --log_.away;
            log_.calls.push_back("(away) " + call);
            return fail(Errc::unavailable, "no helper");
        }
        log_.calls.push_back(std::move(call));
        return {};
    }

    Log& log_;
};

handoff::PathOrder order_of(const std::string& session, std::uint16_t screen) {
    handoff::PathOrder order;
    order.session = SessionId(session);
    order.client = "10.98.0.1";
    order.listen_port = 6000;
    order.target = {"10.99.0.11", screen};
    return order;
}

struct RouteKeeperTest : ::testing::Test {
    RecordingRouter::Log log;
    std::unique_ptr<store::Store> store = store::make_memory_store();
    Pool pool{2};
    Loop loop;
    RouteKeeper keeper{std::make_unique<RecordingRouter>(log), loop, pool};

    ~RouteKeeperTest() override {
        pool.stop();
        loop.stop();
    }

    void open(const std::string& id, std::uint16_t port, std::uint16_t screen,
              store::SessionPhase phase = store::SessionPhase::serving) {
        store::Change change;
        store::UserRow user;
        user.name = UserName(id);
        change.users.push_back(user);
        store::HostRow host;
        host.id = HostId("host1");
        host.memory = 4_GiB;
        change.hosts.push_back(host);
        store::SessionRow session;
        session.id = SessionId("s-" + id);
        session.user = UserName(id);
        session.image = OsImageId("tiny-1");
        session.client = "10.98.0.1";
        session.listen_port = port;
        session.phase = phase;
        session.desktop = DesktopId("d-" + id);
        store::DesktopRow desktop;
        desktop.id = session.desktop;
        desktop.session = session.id;
        desktop.host = host.id;
        desktop.memory = 1_GiB;
        desktop.image = session.image;
        desktop.screen = Endpoint{"10.99.0.11", screen};
        change.sessions.push_back(session);
        change.desktops.push_back(desktop);
        const auto done = store->commit(change);
        ASSERT_TRUE(done) << done.error().message();
    }

    Result<void> point(const std::string& id, std::uint16_t screen) {
        std::promise<Result<void>> outcome;
        loop.post([&] {
            keeper.point(order_of("s-" + id, screen),
                         [&](Result<void> result) { outcome.set_value(std::move(result)); });
        });
        return outcome.get_future().get();
    }
};

TEST_F(RouteKeeperTest, RoutesAreWhatTheStoreSays) {
    open("kim", 6000, 5901);
    open("lee", 6001, 5902, store::SessionPhase::handing_off);
    open("without-a-route", 0, 5903);
    open("not-drawn-yet", 6002, 0);
    open("gone", 6003, 5904, store::SessionPhase::closed);
    const auto routes = routes_of(*store);
    ASSERT_TRUE(routes);
    ASSERT_EQ(routes->size(), 2U);
    EXPECT_EQ((*routes)[0].session, SessionId("s-kim"));
    EXPECT_EQ((*routes)[0].target.port, 5901);
    EXPECT_EQ((*routes)[1].listen_port, 6001);
}

TEST_F(RouteKeeperTest, WhatTheStoreSaysComesBeforeWhatTheEngineAsks) {
    open("kim", 6000, 5901);
    keeper.restore(*store);
    EXPECT_TRUE(point("kim", 5999));
    const std::lock_guard lock(log.mutex);
    EXPECT_EQ(log.calls, (std::vector<std::string>{"replace", "point s-kim to 5999"}));
    EXPECT_EQ(log.all.size(), 1U);
}

TEST_F(RouteKeeperTest, AnOldRouteNeverReplacesANewOneWhenTheHelperComesLate) {
    open("kim", 6000, 5901);
    log.away = 2; // at the restore, and at the engine's first try
    keeper.restore(*store);
    EXPECT_FALSE(point("kim", 5999));
    EXPECT_TRUE(point("kim", 5999));
    EXPECT_TRUE(point("kim", 6001));
    const std::lock_guard lock(log.mutex);
    EXPECT_EQ(log.calls, (std::vector<std::string>{"(away) replace", "(away) replace", "replace",
                                                   "point s-kim to 5999", "point s-kim to 6001"}));
}

TEST(RouteKeeper, ASiteWithoutRoutesSaysSo) {
    Pool pool(1);
    Loop loop;
    RouteKeeper keeper(nullptr, loop, pool);
    std::promise<Result<void>> pointed;
    std::promise<Result<void>> removed;
    loop.post([&] {
        keeper.point(order_of("s-kim", 5901),
                     [&](Result<void> result) { pointed.set_value(std::move(result)); });
        keeper.remove(SessionId("s-kim"),
                      [&](Result<void> result) { removed.set_value(std::move(result)); });
    });
    EXPECT_EQ(pointed.get_future().get().error().code, Errc::unsupported);
    EXPECT_TRUE(removed.get_future().get());
    pool.stop();
    loop.stop();
}

} // namespace
} // namespace baton::controller
