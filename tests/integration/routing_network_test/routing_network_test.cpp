/// The nftables router on a real kernel, between network namespaces
/// (tests/support/with-routing-network).
#include "process/run.h"
#include "routing/host_guard.h"
#include "routing/nft_router.h"
#include "routing/probe.h"
#include "support/namespaced_tcp.h"
#include "support/router_contract.h"

#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <thread>

namespace baton::routing {
namespace {

using namespace std::chrono_literals;
using baton::testing::connect_in;
using baton::testing::EchoServer;
using baton::testing::who_answers;

Layout layout() {
    return baton::testing::contract_layout();
}

Route route(const std::string& session, const std::string& client, std::uint16_t port,
            const std::string& target, std::uint16_t target_port) {
    return {SessionId(session), client, port, {target, target_port}};
}

std::string nft(std::vector<std::string> words) {
    words.insert(words.begin(), "nft");
    process::Command command;
    command.words = std::move(words);
    return process::run_checked(command, "nft").value().out;
}

class RealNetwork : public ::testing::Test {
  protected:
    RealNetwork()
        : prober(Prober::make().value()),
          router(layout(), process::run, [this](const std::vector<Flow>& flows) {
              cut += flows.size();
              for (const auto& flow : flows)
                  prober.send(flow);
          }) {
        process::Command forget;
        forget.words = {"conntrack", "-F"};
        (void)process::run(forget);
        (void)process::run(nft_text_command("add table ip baton\ndelete table ip baton\n"));
        const auto ready = router.ensure();
        EXPECT_TRUE(ready) << ready.error().message();
    }

    Prober prober;
    std::size_t cut = 0;
    NftRouter router;
    EchoServer a{"host1", "10.99.0.11", 5901, "A"};
    EchoServer b{"host2", "10.99.0.12", 5902, "B"};
    const Route to_a = route("s-kim00001", "10.98.0.51", 6001, "10.99.0.11", 5901);
    const Route to_b = route("s-kim00001", "10.98.0.51", 6001, "10.99.0.12", 5902);
};

TEST_F(RealNetwork, AClientReachesItsDesktopOnlyWhileItsRuleIsThere) {
    EXPECT_EQ(who_answers("client1", "10.98.0.1", 6001).error().code, Errc::unavailable);
    EXPECT_EQ(who_answers("client1", "10.99.0.11", 5901).error().code, Errc::unavailable)
        << "past the boot server's map";
    ASSERT_TRUE(router.point(to_a));
    EXPECT_EQ(who_answers("client1", "10.98.0.1", 6001).value(), "A");
    EXPECT_EQ(who_answers("client2", "10.98.0.1", 6001).error().code, Errc::unavailable)
        << "another client's route";
    EXPECT_EQ(who_answers("client1", "10.99.0.11", 5901).error().code, Errc::unavailable);
    ASSERT_TRUE(router.remove(to_a.session));
    EXPECT_EQ(who_answers("client1", "10.98.0.1", 6001).error().code, Errc::unavailable);
}

TEST_F(RealNetwork, AnIdleViewerNoticesARePointAtOnceAndReconnectsToTheNewDesktop) {
    ASSERT_TRUE(router.point(to_a));
    const auto idle = connect_in("client1", "10.98.0.1", 6001).value();
    EXPECT_EQ(idle.receive(3s), "A");
    ASSERT_TRUE(router.point(to_b));
    // generous for a busy machine; without the cut it would be for ever
    const auto noticed = idle.wait_for_end(5s);
    ASSERT_TRUE(noticed);
    RecordProperty("noticed_after_ms", static_cast<int>(noticed->count()));
    EXPECT_EQ(cut, 1U);
    EXPECT_EQ(who_answers("client1", "10.98.0.1", 6001).value(), "B");
}

TEST_F(RealNetwork, ABusyViewerIsCutToo) {
    ASSERT_TRUE(router.point(to_a));
    const auto busy = connect_in("client1", "10.98.0.1", 6001).value();
    EXPECT_EQ(busy.receive(3s), "A");
    std::jthread talk([&](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            try {
                busy.send("x");
            } catch (const std::exception&) {
                return; // cut, as it should be
            }
            std::this_thread::yield();
        }
    });
    ASSERT_TRUE(router.point(to_b));
    EXPECT_TRUE(busy.wait_for_end(5s));
}

TEST_F(RealNetwork, PointingToTheSameTargetAgainCutsNothing) {
    ASSERT_TRUE(router.point(to_a));
    const auto viewer = connect_in("client1", "10.98.0.1", 6001).value();
    EXPECT_EQ(viewer.receive(3s), "A");
    ASSERT_TRUE(router.point(to_a));
    ASSERT_TRUE(router.replace_all({to_a}));
    ASSERT_TRUE(router.ensure());
    ASSERT_TRUE(router.cut_strays());
    viewer.send("still here");
    EXPECT_EQ(viewer.receive(3s), "still here");
    EXPECT_EQ(cut, 0U);
}

TEST_F(RealNetwork, OtherClientsAreNotDisturbed) {
    const auto other = route("s-lee00001", "10.98.0.52", 6001, "10.99.0.11", 5901);
    ASSERT_TRUE(router.point(to_a));
    ASSERT_TRUE(router.point(other));
    const auto neighbour = connect_in("client2", "10.98.0.1", 6001).value();
    EXPECT_EQ(neighbour.receive(3s), "A");
    const auto moved = connect_in("client1", "10.98.0.1", 6001).value();
    EXPECT_EQ(moved.receive(3s), "A");
    ASSERT_TRUE(router.point(to_b));
    EXPECT_TRUE(moved.wait_for_end(5s));
    neighbour.send("undisturbed");
    EXPECT_EQ(neighbour.receive(3s), "undisturbed");
}

TEST_F(RealNetwork, ReconnectingFromTheSamePortIsLetThrough) {
    ASSERT_TRUE(router.point(to_a));
    const auto connect = [] {
        return connect_in("client1", "10.98.0.1", 6001, "10.98.0.51", 40123);
    };
    std::optional viewer = connect().value();
    for (const std::string next : {"B", "A", "B", "A"}) {
        ASSERT_TRUE(router.point(next == "B" ? to_b : to_a));
        ASSERT_TRUE(viewer->wait_for_end(5s));
        viewer.reset();
        viewer.emplace(connect().value());
        EXPECT_EQ(viewer->receive(3s), next);
        viewer->send("on");
        EXPECT_EQ(viewer->receive(3s), "on");
    }
}

TEST_F(RealNetwork, NoNewConnectionFailsWhileRoutesAreRePointed) {
    ASSERT_TRUE(router.point(to_a));
    std::atomic<int> good = 0;
    std::atomic<int> failed = 0;
    {
        std::jthread viewer([&](const std::stop_token& stop) {
            while (!stop.stop_requested()) {
                // refused is what must never be; reset is a re-point in the middle of it
                const auto socket = connect_in("client1", "10.98.0.1", 6001);
                ++(socket ? good : failed);
            }
        });
        for (int i = 0; i < 10; ++i)
            ASSERT_TRUE(router.point(i % 2 == 0 ? to_b : to_a));
    }
    EXPECT_GT(good, 0);
    EXPECT_EQ(failed, 0);
}

TEST_F(RealNetwork, WhatACrashLeftIsCutAtTheNextStart) {
    ASSERT_TRUE(router.point(to_a));
    const auto viewer = connect_in("client1", "10.98.0.1", 6001).value();
    EXPECT_EQ(viewer.receive(3s), "A");
    // the map was changed, then the helper died
    ASSERT_EQ(process::run(nft_json_command(change_of({to_a}, {to_b}, {}))).value().status, 0);
    EXPECT_EQ(router.list().value(), std::vector{to_b});
    EXPECT_EQ(router.cut_strays().value(), 1U);
    EXPECT_TRUE(viewer.wait_for_end(5s));
}

TEST_F(RealNetwork, BothSidesReachTheOutsideAndNothingElse) {
    const EchoServer outside{"outside", "10.97.0.1", 80, "outside"};
    const EchoServer control{"boot", "0.0.0.0", 8443, "control"};
    EXPECT_EQ(who_answers("client1", "10.97.0.1", 80).value(), "outside");
    EXPECT_EQ(who_answers("host1", "10.97.0.1", 80, "10.101.1.5").value(), "outside")
        << "a desktop";
    EXPECT_EQ(who_answers("client1", "10.98.0.1", 8443).value(), "control");
    EXPECT_EQ(who_answers("host1", "10.99.0.1", 8443).value(), "control") << "a host";
    EXPECT_FALSE(who_answers("host1", "10.99.0.1", 8443, "10.101.1.5"))
        << "a desktop at the controller";
    EXPECT_FALSE(who_answers("host1", "10.98.0.1", 8443, "10.101.1.5"));
    const EchoServer client{"client1", "10.98.0.51", 80, "client"};
    EXPECT_FALSE(who_answers("host1", "10.98.0.51", 80, "10.101.1.5")) << "a desktop at a client";
    EXPECT_FALSE(who_answers("host1", "10.98.0.51", 80)) << "a host at a client";
    EXPECT_FALSE(who_answers("outside", "10.97.0.2", 6001));
}

TEST_F(RealNetwork, ForeignTablesStayAsTheyAre) {
    nft({"add", "table", "inet", "somebody"});
    nft({"add", "map", "inet", "somebody", "route", "{ type ipv4_addr : ipv4_addr; }"});
    nft({"add", "chain", "inet", "somebody", "in",
         "{ type filter hook input priority 5; policy accept; }"});
    nft({"add", "rule", "inet", "somebody", "in", "tcp", "dport", "22", "accept"});
    const auto before = nft({"-s", "list", "table", "inet", "somebody"});
    ASSERT_TRUE(router.ensure());
    ASSERT_TRUE(router.point(to_a));
    ASSERT_TRUE(router.point(to_b));
    ASSERT_TRUE(router.replace_all({}));
    EXPECT_EQ(nft({"-s", "list", "table", "inet", "somebody"}), before);
    EXPECT_EQ(nft({"list", "tables"}), "table ip baton\ntable inet somebody\n");
    nft({"delete", "table", "inet", "somebody"});
}

TEST_F(RealNetwork, RoutesSurviveTheHelperAndANewLayout) {
    ASSERT_TRUE(router.point(to_a));
    auto wider = layout();
    wider.desktops.push_back(parse_network("10.101.2.0/24").value());
    NftRouter another(wider, process::run, {});
    ASSERT_TRUE(another.ensure());
    EXPECT_EQ(another.list().value(), std::vector{to_a});
    EXPECT_EQ(who_answers("client1", "10.98.0.1", 6001).value(), "A");
}

TEST_F(RealNetwork, AnElementOfSomebodyElseIsNamed) {
    nft({"add", "element", "ip", "baton", "route", "{ 10.98.0.9 . 1 : 10.99.0.9 . 2 }"});
    const auto routes = router.list();
    ASSERT_FALSE(routes);
    EXPECT_EQ(routes.error().code, Errc::corrupt);
    EXPECT_NE(routes.error().message().find("10.98.0.9"), std::string::npos);
}

class NftRouterTest : public baton::testing::RouterContract {
  protected:
    std::unique_ptr<Router> make() override {
        (void)process::run(nft_text_command("add table ip baton\ndelete table ip baton\n"));
        auto router = std::make_unique<NftRouter>(layout(), process::run, OnCut());
        EXPECT_TRUE(router->ensure());
        return router;
    }
};

BATON_ROUTER_CONTRACT(NftRouterTest)

/// The greeting, or why there was none.
std::string said(const Result<std::string>& answer) {
    return answer ? *answer : answer.error().message();
}

/// Runs programs in the network namespace of a host.
Result<process::Finished> on_host1(process::Command command) {
    command.words.insert(command.words.begin(), {"nsenter", "--net=/run/netns/host1"});
    return process::run(command);
}

/// A desktop on a bridge of host1, in a namespace of its own.
class GuardedHost : public RealNetwork {
  protected:
    GuardedHost() {
        sh("ip netns add desktop && ip -n desktop link set lo up &&"
           "ip -n host1 link add baton0 type bridge forward_delay 0 stp_state 0 &&"
           "ip -n host1 addr add 10.101.1.1/24 dev baton0 && ip -n host1 link set baton0 up &&"
           "ip link add name d1 netns host1 type veth peer name eth0 netns desktop &&"
           "ip -n host1 link set d1 master baton0 up && ip -n desktop link set eth0 up &&"
           "ip -n desktop addr add 10.101.1.7/24 dev eth0 &&"
           "ip -n desktop route add default via 10.101.1.1 &&"
           "ip netns exec host1 sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward' &&"
           "ip -n host1 route replace default via 10.99.0.1");
        const auto guarded = guard_host({"baton0", parse_ipv4("10.99.0.1").value()}, on_host1);
        EXPECT_TRUE(guarded) << guarded.error().message();
    }

    ~GuardedHost() override {
        sh("ip netns del desktop; ip -n host1 link del baton0; nsenter --net=/run/netns/host1 nft "
           "delete table ip baton_host");
    }

    static void sh(const std::string& script) {
        process::Command command;
        command.words = {"sh", "-c", script};
        const auto done = process::run_checked(command, "preparing");
        EXPECT_TRUE(done) << done.error().message();
    }
};

TEST_F(GuardedHost, ADesktopReachesNeitherItsHostNorScreensNorOtherHosts) {
    const EchoServer outside{"outside", "10.97.0.1", 80, "outside"};
    const EchoServer ssh{"host1", "0.0.0.0", 22, "ssh"};
    EXPECT_EQ(said(who_answers("desktop", "10.97.0.1", 80)), "outside");
    EXPECT_FALSE(who_answers("desktop", "10.99.0.11", 5901)) << "a screen of its host";
    EXPECT_FALSE(who_answers("desktop", "10.101.1.1", 22)) << "its host";
    EXPECT_FALSE(who_answers("desktop", "10.99.0.11", 22)) << "its host's other address";
    EXPECT_EQ(said(who_answers("host2", "10.99.0.11", 22)), "ssh") << "none of our business";
}

TEST_F(GuardedHost, OnlyTheBootServerReachesScreensAndNobodyADesktop) {
    EXPECT_EQ(said(who_answers("boot", "10.99.0.11", 5901)), "A");
    EXPECT_FALSE(who_answers("host2", "10.99.0.11", 5901));
    ASSERT_TRUE(router.point(to_a));
    EXPECT_EQ(said(who_answers("client1", "10.98.0.1", 6001)), "A");
    const EchoServer inside{"desktop", "10.101.1.7", 80, "inside"};
    EXPECT_FALSE(who_answers("boot", "10.101.1.7", 80));
    EXPECT_FALSE(who_answers("client1", "10.101.1.7", 80));
}

TEST_F(GuardedHost, TheRelayOfScreensIsForGatewaysAlone) {
    const EchoServer relay{"host1", "0.0.0.0", 5899, "relay"};
    HostGuard guard{"baton0", parse_ipv4("10.99.0.1").value()};
    guard.relay = 5899;
    ASSERT_TRUE(guard_host(guard, on_host1));
    EXPECT_EQ(said(who_answers("boot", "10.99.0.11", 5899)), "relay");
    EXPECT_EQ(said(who_answers("host1", "10.99.0.11", 5899)), "relay");
    EXPECT_FALSE(who_answers("host2", "10.99.0.11", 5899));
    guard.gateways = parse_network("10.99.0.0/24").value();
    ASSERT_TRUE(guard_host(guard, on_host1));
    EXPECT_EQ(said(who_answers("boot", "10.99.0.11", 5899)), "relay");
    EXPECT_EQ(said(who_answers("host2", "10.99.0.11", 5899)), "relay") << "a gateway's machine";
    EXPECT_FALSE(who_answers("client1", "10.99.0.11", 5899));
    EXPECT_FALSE(who_answers("desktop", "10.99.0.11", 5899)) << "a desktop of its own";
    EXPECT_FALSE(who_answers("desktop", "10.101.1.1", 5899));
    EXPECT_FALSE(who_answers("host2", "10.99.0.11", 5901)) << "screens with a port stay closed";
}

TEST(WithoutRoot, IsSaidInASentence) {
    // the same programs without their privileges
    const auto unprivileged = [](process::Command command) {
        command.words.insert(command.words.begin(), {"setpriv", "--reuid=65534", "--clear-groups",
                                                     "--bounding-set=-all", "--inh-caps=-all"});
        return process::run(command);
    };
    NftRouter router(layout(), unprivileged, {});
    const auto result = router.ensure();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::forbidden) << result.error().message();
    EXPECT_NE(result.error().message().find("root"), std::string::npos);
}

TEST(WithoutNft, IsSaidInASentence) {
    const auto missing = [](process::Command command) {
        command.words.front() = "baton-no-such-" + command.words.front();
        return process::run(command);
    };
    NftRouter router(layout(), missing, {});
    const auto result = router.ensure();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::unavailable);
    EXPECT_NE(result.error().message().find("install"), std::string::npos);
}

} // namespace
} // namespace baton::routing
