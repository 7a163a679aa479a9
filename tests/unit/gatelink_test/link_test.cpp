/// A controller's fleet and two gateways' directors in one thread and in simulated time.
#include "gatelink/director.h"
#include "gatelink/fleet.h"
#include "support/link_in_memory.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <optional>

namespace baton::gatelink {
namespace {

using baton::testing::HandClock;
using baton::testing::PipeEnd;
using namespace std::chrono_literals;

Screen screen(const std::string& desktop) {
    return {DesktopId(desktop), {"10.99.0.11", 5899}, std::string(32, 'a')};
}

/// Writes down what it is asked; how a point() ends is the test's to say.
class FakeSwitchboard : public gateway::Switchboard {
  public:
    void prepare(const SessionId& session, const Screen& where) override {
        heard.push_back(fmt::format("prepare {} {}", session.value, where.desktop.value));
    }

    void point(const SessionId& session, const Screen& where,
               gateway::Done<Switched> done) override {
        heard.push_back(fmt::format("point {} {}", session.value, where.desktop.value));
        if (answer)
            done(*answer);
        else
            waiting.push_back(std::move(done));
    }

    void close(const SessionId& session, const std::string& why) override {
        heard.push_back(fmt::format("close {}: {}", session.value, why));
    }

    void show(const SessionId& session, const std::string& text,
              std::chrono::milliseconds) override {
        heard.push_back(fmt::format("show {}: {}", session.value, text));
    }

    void drain(bool draining) override { heard.push_back(draining ? "drain" : "undrain"); }

    std::vector<Carried> carried() const override { return carries; }

    std::vector<std::string> take() { return std::exchange(heard, {}); }

    std::vector<std::string> heard;
    std::vector<Carried> carries;
    std::optional<Result<Switched>> answer = Switched{};
    std::vector<gateway::Done<Switched>> waiting;
};

struct Gate {
    explicit Gate(const std::string& name)
        : director(LinkDirector::make({GatewayId(name), "10.98.0.1", 5900, 8444, "0.1.0"})) {
        director->set_switchboard(switchboard);
    }

    FakeSwitchboard switchboard;
    std::shared_ptr<LinkDirector> director;
    std::vector<net::LinkEnd> ends;
};

class GateLinkTest : public ::testing::Test {
  protected:
    GateLinkTest() { spdlog::set_level(spdlog::level::off); }

    FleetDoors doors() {
        return {[](const GatewayId& gateway, const net::Peer& peer) -> Result<bool> {
                    if (peer.certificate_sha256 != "abc")
                        return fail(Errc::forbidden, "another certificate");
                    return gateway == GatewayId("tired");
                },
                [this](const Login& login, gateway::Done<Grant> done) {
                    logins.emplace_back(login, std::move(done));
                },
                [](const Redeem&, const gateway::Done<Grant>& done) {
                    done(fail(Errc::unauthenticated, "used before"));
                },
                [this](const SessionId& session) -> std::optional<Screen> {
                    const auto found = screens.find(session);
                    return found == screens.end() ? std::nullopt : std::optional(found->second);
                },
                [this](const GatewayId& gateway, const News& news) {
                    told.push_back(fmt::format("{} {}", gateway.value, news.index()));
                },
                [this](const SessionId&, const Switched& how) { switches.push_back(how); }};
    }

    std::shared_ptr<PipeEnd::Pipe> dial(Gate& gate, const std::string& certificate,
                                        const std::string& sha256 = "abc") {
        auto pipe = std::make_shared<PipeEnd::Pipe>();
        auto there = std::make_shared<PipeEnd>(pipe, 0, net::Peer{"10.99.0.1", "boot1", ""});
        auto here = std::make_shared<PipeEnd>(pipe, 1, net::Peer{"10.98.0.1", certificate, sha256});
        pipe->ends[0] = there;
        pipe->ends[1] = here;
        net::Request request;
        request.path = std::string(target);
        EXPECT_TRUE(fleet->accept(request, here));
        gate.director->serve(there, [&gate](net::LinkEnd end) { gate.ends.push_back(end); });
        pipes.push_back(pipe);
        settle();
        return pipe;
    }

    void settle() {
        for (bool more = true; more;) {
            more = clock.step();
            for (const auto& pipe : pipes)
                if (!more && !pipe->queue.empty()) {
                    auto action = std::move(pipe->queue.front());
                    pipe->queue.pop_front();
                    action();
                    more = true;
                }
        }
    }

    void pass(std::chrono::nanoseconds time) {
        const auto until = clock.monotonic() + time;
        settle();
        while (clock.advance_to_next(until))
            settle();
    }

    std::optional<Result<void>> point(const std::string& session, const std::string& desktop) {
        auto result = std::make_shared<std::optional<Result<void>>>();
        fleet->point(SessionId(session), screen(desktop),
                     [result](Result<void> how) { *result = std::move(how); });
        settle();
        outcome = result;
        return *result;
    }

    HandClock clock;
    std::vector<std::pair<Login, gateway::Done<Grant>>> logins;
    std::map<SessionId, Screen> screens;
    std::vector<std::string> told;
    std::vector<Switched> switches;
    std::vector<std::shared_ptr<PipeEnd::Pipe>> pipes;
    std::shared_ptr<std::optional<Result<void>>> outcome;
    std::unique_ptr<GatewayFleet> fleet = GatewayFleet::make(clock, doors());
};

TEST_F(GateLinkTest, AGatewayIsWhoItsCertificateSays) {
    Gate gate("gate1");
    dial(gate, "gateway/gate1");
    ASSERT_EQ(fleet->connected().size(), 1U);
    EXPECT_EQ(fleet->connected()[0].facts.vnc_port, 5900);
    EXPECT_TRUE(gate.director->linked());

    for (const auto& [name, sha256] :
         std::vector<std::pair<std::string, std::string>>{{"gate2", "abc"},
                                                          {"gateway/other", "abc"},
                                                          {"", "abc"},
                                                          {"gateway/gate2", "forged"}}) {
        Gate wrong("gate2");
        dial(wrong, name, sha256);
        EXPECT_FALSE(wrong.director->linked()) << name;
        ASSERT_EQ(wrong.ends.size(), 1U) << name;
        EXPECT_FALSE(wrong.ends[0].welcomed);
        EXPECT_NE(wrong.ends[0].why.code, Errc::unavailable) << "slow down: it was refused";
    }
    EXPECT_EQ(fleet->connected().size(), 1U);
}

TEST_F(GateLinkTest, LoginsAreAnsweredWhenTheControllerKnows) {
    Gate gate("gate1");
    std::optional<Result<Grant>> result;
    const auto keep = [&result](Result<Grant> grant) { result = std::move(grant); };
    gate.director->login(UserName("kim"), "secret", "10.98.0.51", keep);
    ASSERT_TRUE(result) << "no link: an answer at once";
    EXPECT_EQ(result->error().code, Errc::unavailable);

    dial(gate, "gateway/gate1");
    result.reset();
    gate.director->login(UserName("kim"), "secret", "10.98.0.51", keep);
    settle();
    EXPECT_FALSE(result);
    ASSERT_EQ(logins.size(), 1U);
    EXPECT_EQ(logins[0].first.password, "secret");
    const Grant grant{SessionId("s-1"), UserName("kim"), Access::full, screen("d-1"), "again"};
    logins[0].second(grant);
    settle();
    ASSERT_TRUE(result);
    EXPECT_EQ(result->value(), grant);

    result.reset();
    gate.director->redeem("old", "10.98.0.51", keep);
    settle();
    EXPECT_EQ(result->error().code, Errc::unauthenticated);
}

TEST_F(GateLinkTest, ALostLinkFailsWhatIsAskedAndKeepsNews) {
    Gate gate("gate1");
    auto pipe = dial(gate, "gateway/gate1");
    std::optional<Result<Grant>> result;
    gate.director->login(UserName("kim"), "secret", "10.98.0.51",
                         [&result](Result<Grant> grant) { result = std::move(grant); });
    settle();
    PipeEnd::cut(*pipe, "cut");
    settle();
    EXPECT_EQ(result->error().code, Errc::unavailable);
    ASSERT_EQ(gate.ends.size(), 1U);
    EXPECT_TRUE(gate.ends[0].welcomed);
    EXPECT_TRUE(fleet->connected().empty());

    gate.director->tell(gateway::ViewerCame{1, SessionId("s-1"), "10.98.0.51"});
    settle();
    EXPECT_TRUE(told.empty());
    dial(gate, "gateway/gate1");
    EXPECT_EQ(told, std::vector<std::string>{"gate1 0"});
    ASSERT_EQ(fleet->viewers().size(), 1U);
    EXPECT_EQ(fleet->viewers()[0].came.session, SessionId("s-1"));
    gate.director->tell(gateway::ViewerWent{1, SessionId("s-1"), "closed"});
    settle();
    EXPECT_TRUE(fleet->viewers().empty());
}

TEST_F(GateLinkTest, ASwitchIsDoneWhenEveryGatewayHasSwitched) {
    EXPECT_TRUE(point("s-1", "d-2").value()) << "no gateway: nobody to switch";
    Gate one("gate1");
    Gate two("gate2");
    dial(one, "gateway/gate1");
    dial(two, "gateway/gate2");
    one.switchboard.answer = Switched{1, 0, 700us, 31'000us};
    two.switchboard.answer.reset();
    EXPECT_FALSE(point("s-1", "d-2")) << "the second has not answered";
    two.switchboard.waiting.front()(Switched{2, 1, 900us, 20'000us});
    settle();
    ASSERT_TRUE(*outcome);
    EXPECT_TRUE((*outcome)->has_value());
    EXPECT_EQ(switches, (std::vector<Switched>{{3, 1, 900us, 31'000us}}));

    two.switchboard.answer = Result<Switched>(fail(Errc::timeout, "no picture"));
    EXPECT_EQ(point("s-1", "d-3").value().error().code, Errc::timeout);
}

TEST_F(GateLinkTest, AGatewayThatGoesOrHangsDoesNotHoldASwitchForEver) {
    Gate one("gate1");
    auto pipe = dial(one, "gateway/gate1");
    one.switchboard.answer.reset();
    EXPECT_FALSE(point("s-1", "d-2"));
    PipeEnd::cut(*pipe, "killed");
    settle();
    EXPECT_TRUE((*outcome)->has_value()) << "it is corrected when it is back";

    dial(one, "gateway/gate1");
    EXPECT_FALSE(point("s-1", "d-3"));
    pass(21s);
    EXPECT_EQ((*outcome)->error().code, Errc::timeout);
    one.switchboard.waiting.back()(Switched{});
    settle();
}

TEST_F(GateLinkTest, WhatHasChangedMeanwhileIsMadeGood) {
    Gate gate("gate1");
    gate.switchboard.carries = {{SessionId("s-1"), DesktopId("d-1"), 1},
                                {SessionId("s-2"), DesktopId("d-2"), 1},
                                {SessionId("s-3"), DesktopId("d-3"), 1}};
    screens[SessionId("s-1")] = screen("d-1");
    screens[SessionId("s-2")] = screen("d-9");
    dial(gate, "gateway/gate1");
    EXPECT_EQ(
        gate.switchboard.take(),
        (std::vector<std::string>{"undrain", "point s-2 d-9", "close s-3: the session has ended"}));
}

TEST_F(GateLinkTest, ASecondLinkTakesThePlaceOfTheFirst) {
    Gate gate("gate1");
    dial(gate, "gateway/gate1");
    dial(gate, "gateway/gate1");
    EXPECT_EQ(fleet->connected().size(), 1U);
    EXPECT_TRUE(gate.director->linked());
    fleet->prepare(SessionId("s-1"), screen("d-1"));
    settle();
    EXPECT_EQ(gate.switchboard.take().back(), "prepare s-1 d-1");
    fleet->expel(GatewayId("gate1"));
    settle();
    EXPECT_FALSE(gate.director->linked());
}

TEST_F(GateLinkTest, WhoIsLookedAtIsKnownAfterARestartToo) {
    Gate gate("gate1");
    gate.switchboard.carries = {{SessionId("s-1"), DesktopId("d-1"), 2},
                                {SessionId("s-2"), DesktopId("d-2"), 0}};
    dial(gate, "gateway/gate1");
    EXPECT_EQ(fleet->looked_at(), std::set<SessionId>{SessionId("s-1")});
    gate.director->tell(gateway::ViewerWent{8, SessionId("s-1"), "closed"});
    settle();
    EXPECT_EQ(fleet->looked_at(), std::set<SessionId>{SessionId("s-1")}) << "the other one stays";
    gate.director->tell(gateway::ViewerWent{9, SessionId("s-1"), "closed"});
    gate.director->tell(
        gateway::ViewerCame{10, SessionId("s-3"), "10.98.0.51", gateway::Access::view_only});
    settle();
    EXPECT_TRUE(fleet->looked_at().empty()) << "who only looks on does not act";
    gate.director->tell(gateway::ViewerCame{11, SessionId("s-3"), "10.98.0.51"});
    settle();
    EXPECT_EQ(fleet->looked_at(), std::set<SessionId>{SessionId("s-3")});
}

TEST_F(GateLinkTest, WhoSaysNothingOrNonsenseIsClosed) {
    auto pipe = std::make_shared<PipeEnd::Pipe>();
    auto mute = std::make_shared<PipeEnd>(pipe, 0, net::Peer{"10.99.0.1", "boot1", ""});
    auto here = std::make_shared<PipeEnd>(pipe, 1, net::Peer{"10.98.0.1", "gateway/gate1", "abc"});
    pipe->ends[0] = mute;
    pipe->ends[1] = here;
    net::Request request;
    request.path = std::string(target);
    EXPECT_TRUE(fleet->accept(request, here));
    pass(11s);
    EXPECT_TRUE(pipe->cut);

    Gate gate("tired");
    dial(gate, "gateway/tired");
    EXPECT_EQ(gate.switchboard.take(), std::vector<std::string>{"drain"})
        << "as it was told before";
    fleet->drain(GatewayId("tired"), false);
    settle();
    EXPECT_EQ(gate.switchboard.take(), std::vector<std::string>{"undrain"});
}

} // namespace
} // namespace baton::gatelink
