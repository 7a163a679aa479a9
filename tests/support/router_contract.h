#pragma once

#include "routing/layout.h"
#include "routing/router.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

namespace baton::testing {

inline routing::Layout contract_layout() {
    return routing::layout_from_json(
               R"({"clients":[{"interface":"clients","network":"10.98.0.0/24"}],)"
               R"("hosts":{"interface":"hosts","network":"10.99.0.0/24"},)"
               R"("desktops":["10.101.1.0/24"],"outside":"outside"})")
        .value();
}

/// What every Router must do. Use: derive, give make(), then BATON_ROUTER_CONTRACT(Derived).
class RouterContract : public ::testing::Test {
  protected:
    /// A router without routes.
    virtual std::unique_ptr<routing::Router> make() = 0;

    static routing::Route route(const std::string& session, const std::string& client,
                                std::uint16_t port, std::uint16_t target_port) {
        return {SessionId(session), client, port, {"10.99.0.11", target_port}};
    }

    static std::vector<routing::Route> sorted(std::vector<routing::Route> routes) {
        std::sort(routes.begin(), routes.end(),
                  [](const auto& a, const auto& b) { return a.session < b.session; });
        return routes;
    }

    const routing::Route kim = route("s-kim00000", "10.98.0.51", 6001, 5901);
    const routing::Route lee = route("s-lee00000", "10.98.0.52", 6001, 5902);

    void points_and_re_points() {
        const auto router = make();
        EXPECT_TRUE(router->list().value().empty());
        ASSERT_TRUE(router->point(kim));
        ASSERT_TRUE(router->point(lee));
        EXPECT_EQ(sorted(router->list().value()), (std::vector{kim, lee}));
        auto moved = kim;
        moved.target = {"10.99.0.12", 5907};
        ASSERT_TRUE(router->point(moved));
        ASSERT_TRUE(router->point(moved)) << "idempotent";
        EXPECT_EQ(sorted(router->list().value()), (std::vector{moved, lee}));
    }

    void a_session_has_one_route() {
        const auto router = make();
        ASSERT_TRUE(router->point(kim));
        auto elsewhere = kim;
        elsewhere.client = "10.98.0.77";
        elsewhere.listen_port = 6002;
        ASSERT_TRUE(router->point(elsewhere));
        EXPECT_EQ(router->list().value(), std::vector{elsewhere});
    }

    void a_taken_port_is_busy() {
        const auto router = make();
        ASSERT_TRUE(router->point(kim));
        auto thief = lee;
        thief.client = kim.client;
        const auto result = router->point(thief);
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().code, Errc::busy);
        EXPECT_NE(result.error().what.find("s-kim00000"), std::string::npos);
        EXPECT_EQ(router->list().value(), std::vector{kim});
    }

    void removes_and_forgives() {
        const auto router = make();
        ASSERT_TRUE(router->point(kim));
        ASSERT_TRUE(router->remove(kim.session));
        ASSERT_TRUE(router->remove(kim.session)) << "no such route: success";
        EXPECT_TRUE(router->list().value().empty());
        EXPECT_TRUE(router->point(lee)) << "its port is free again";
    }

    void replaces_all_at_once() {
        const auto router = make();
        ASSERT_TRUE(router->point(kim));
        const auto park = route("s-park0000", "10.98.0.53", 6001, 5903);
        ASSERT_TRUE(router->replace_all({lee, park}));
        EXPECT_EQ(sorted(router->list().value()), (std::vector{lee, park}));
        ASSERT_TRUE(router->replace_all({lee, park}));
        EXPECT_EQ(sorted(router->list().value()), (std::vector{lee, park}));
        ASSERT_TRUE(router->replace_all({}));
        EXPECT_TRUE(router->list().value().empty());
    }

    void refuses_nonsense_and_changes_nothing() {
        const auto router = make();
        ASSERT_TRUE(router->point(kim));
        auto wrong = lee;
        wrong.target.address = "8.8.8.8";
        EXPECT_EQ(router->point(wrong).error().code, Errc::refused);
        EXPECT_EQ(router->replace_all({lee, wrong}).error().code, Errc::refused);
        wrong = lee;
        wrong.client = "10.98.0.5; drop";
        EXPECT_EQ(router->point(wrong).error().code, Errc::invalid_argument);
        EXPECT_EQ(router->replace_all({lee, lee}).error().code, Errc::invalid_argument);
        auto same_port = lee;
        same_port.session = SessionId("s-other000");
        EXPECT_EQ(router->replace_all({lee, same_port}).error().code, Errc::invalid_argument);
        EXPECT_EQ(router->remove(SessionId("x")).error().code, Errc::invalid_argument);
        EXPECT_EQ(router->list().value(), std::vector{kim});
    }
};

} // namespace baton::testing

// NOLINTBEGIN(bugprone-macro-parentheses)
#define BATON_ROUTER_CONTRACT(Fixture)                                                             \
    TEST_F(Fixture, PointsAndRePoints) {                                                           \
        points_and_re_points();                                                                    \
    }                                                                                              \
    TEST_F(Fixture, ASessionHasOneRoute) {                                                         \
        a_session_has_one_route();                                                                 \
    }                                                                                              \
    TEST_F(Fixture, ATakenPortIsBusy) {                                                            \
        a_taken_port_is_busy();                                                                    \
    }                                                                                              \
    TEST_F(Fixture, RemovesAndForgives) {                                                          \
        removes_and_forgives();                                                                    \
    }                                                                                              \
    TEST_F(Fixture, ReplacesAllAtOnce) {                                                           \
        replaces_all_at_once();                                                                    \
    }                                                                                              \
    TEST_F(Fixture, RefusesNonsenseAndChangesNothing) {                                            \
        refuses_nonsense_and_changes_nothing();                                                    \
    }
// NOLINTEND(bugprone-macro-parentheses)
