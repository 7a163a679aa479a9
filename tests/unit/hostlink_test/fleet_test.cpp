#include "unit/hostlink_test/world.h"

#include <gmock/gmock.h>

namespace baton::hostlink::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// A host that is played by the test.
class FleetTest : public World {
  protected:
    FleetTest() { agent.reset(); }

    struct Puppet {
        std::shared_ptr<PipeEnd::Pipe> pipe;
        std::shared_ptr<PipeEnd> end;
        std::vector<std::string> heard;
        bool closed = false;
    };

    std::shared_ptr<Puppet> puppet(const std::string& certificate = "host1") {
        auto made = std::make_shared<Puppet>();
        made->pipe = std::make_shared<PipeEnd::Pipe>();
        made->end = std::make_shared<PipeEnd>(made->pipe, 0, net::Peer{});
        auto controller_end =
            std::make_shared<PipeEnd>(made->pipe, 1, net::Peer{"10.0.0.2", certificate, "abc"});
        made->pipe->ends[0] = made->end;
        made->pipe->ends[1] = controller_end;
        const std::weak_ptr<Puppet> weak = made;
        made->end->listen(
            [weak](std::string text) { weak.lock()->heard.push_back(std::move(text)); },
            [weak](const std::string&) { weak.lock()->closed = true; });
        pipes.push_back(made->pipe);
        net::Request request;
        request.path = std::string(target);
        EXPECT_TRUE(fleet->accept(request, controller_end));
        settle();
        return made;
    }

    static std::string hello(const std::string& host = "host1", int protocol = protocol_version) {
        return encode(FromHost(
            Hello{protocol, {HostId(host), "10.0.0.2", 4_GiB, 2, {false, "no"}, "0.1.0"}}));
    }

    void say(Puppet& host, const std::string& text) {
        host.end->send(text);
        settle();
    }

    std::shared_ptr<Puppet> welcomed(const std::string& host = "host1") {
        auto made = puppet(host);
        say(*made, hello(host));
        EXPECT_THAT(made->heard, ElementsAre(HasSubstr("welcome")));
        made->heard.clear();
        return made;
    }

    std::optional<Result<void>> stopped;
    std::optional<Result<std::vector<DesktopInfo>>> listed;
};

TEST_F(FleetTest, OtherPathsAreNotItsOwn) {
    net::Request request;
    request.path = "/v1/events";
    EXPECT_FALSE(fleet->accept(request, nullptr));
}

TEST_F(FleetTest, AdmitsOnlyTheHostThatItsCertificateNames) {
    const auto admitted = welcomed();
    EXPECT_THAT(heard.take(), ElementsAre("up host1"));

    struct Case {
        std::string certificate;
        std::string first_words;
        std::string reason;
    };

    for (const auto& wrong :
         {Case{"host1", hello("host2"), "not for 'host2'"}, Case{"", hello("host1"), "certificate"},
          Case{"host3", hello("host3"), "has joined"},
          Case{"host2", hello("host2", 99), "version 99"}}) {
        const auto stranger = puppet(wrong.certificate);
        say(*stranger, wrong.first_words);
        EXPECT_THAT(stranger->heard, ElementsAre(HasSubstr(wrong.reason))) << wrong.first_words;
        EXPECT_TRUE(stranger->closed);
    }
    EXPECT_THAT(heard.take(), IsEmpty());
    EXPECT_FALSE(admitted->closed);
}

TEST_F(FleetTest, ClosesWhoDoesNotSayHello) {
    const auto silent = puppet();
    pass(11s);
    EXPECT_TRUE(silent->closed);
    const auto rude = puppet();
    say(*rude, encode(FromHost(PersonLoggedOut{DesktopId("d-1")})));
    EXPECT_TRUE(rude->closed);
    const auto babbling = puppet();
    say(*babbling, "\x01{{{");
    EXPECT_TRUE(babbling->closed);
    EXPECT_THAT(heard.take(), IsEmpty());
    EXPECT_EQ(clock.timers(), 0U);
}

TEST_F(FleetTest, ASecondLinkTakesTheFirstOnesPlace) {
    const auto first = welcomed();
    fleet->stop(host1, d1, into(stopped));
    const auto second = welcomed();
    EXPECT_TRUE(first->closed);
    EXPECT_FALSE(second->closed);
    ASSERT_TRUE(stopped && !*stopped);
    EXPECT_EQ(stopped->error().code, Errc::unavailable);
    EXPECT_THAT(heard.take(), ElementsAre("up host1", "down host1", "up host1"));
}

TEST_F(FleetTest, AHostThatIsAwayIsUnavailable) {
    fleet->stop(host1, d1, into(stopped));
    EXPECT_FALSE(stopped); // never from inside the call
    settle();
    ASSERT_TRUE(stopped && !*stopped);
    EXPECT_EQ(stopped->error().code, Errc::unavailable);
}

TEST_F(FleetTest, AHostThatGoesLeavesItsCallsUnavailable) {
    const auto host = welcomed();
    fleet->stop(host1, d1, into(stopped));
    fleet->list(host1, into(listed));
    settle();
    PipeEnd::cut(*host->pipe, "the cable was pulled");
    settle();
    ASSERT_TRUE(stopped && !*stopped && listed && !*listed);
    EXPECT_EQ(listed->error().code, Errc::unavailable);
    EXPECT_NE(listed->error().what.find("the cable was pulled"), std::string::npos);
    EXPECT_THAT(heard.take(), ElementsAre("up host1", "down host1"));
    EXPECT_EQ(clock.timers(), 0U);
}

TEST_F(FleetTest, AHostThatDoesNotAnswerIsATimeoutAndItsLateAnswerNothing) {
    const auto host = welcomed();
    fleet->stop(host1, d1, into(stopped));
    pass(61s);
    ASSERT_TRUE(stopped && !*stopped);
    EXPECT_EQ(stopped->error().code, Errc::timeout);
    say(*host, encode(FromHost(Reply{1, boost::json::object()})));
    say(*host, encode(FromHost(Reply{1, boost::json::object()})));
    say(*host, encode(FromHost(Reply{77, boost::json::object()})));
    EXPECT_FALSE(host->closed);
}

TEST_F(FleetTest, ADuplicateAnswerIsNothing) {
    const auto host = welcomed();
    fleet->stop(host1, d1, into(stopped));
    settle();
    for (int i = 0; i < 3; ++i)
        say(*host, encode(FromHost(Reply{1, boost::json::object()})));
    EXPECT_TRUE(stopped && *stopped);
}

TEST_F(FleetTest, AnAnswerOfTheWrongShapeIsAnError) {
    const auto host = welcomed();
    fleet->list(host1, into(listed));
    settle();
    say(*host, encode(FromHost(Reply{1, boost::json::object{{"desktops", 5}}})));
    ASSERT_TRUE(listed && !*listed);
    EXPECT_EQ(listed->error().code, Errc::internal);
    EXPECT_NE(listed->error().what.find("host1"), std::string::npos);
}

TEST_F(FleetTest, AnErrorKeepsItsMeaning) {
    const auto host = welcomed();
    fleet->stop(host1, d1, into(stopped));
    settle();
    say(*host, encode(FromHost(Reply{1, tl::unexpected(Error{Errc::busy, "in use", "wait", 0})})));
    ASSERT_TRUE(stopped && !*stopped);
    EXPECT_EQ(stopped->error().code, Errc::busy);
    EXPECT_EQ(stopped->error().what, "host host1: in use");
    EXPECT_EQ(stopped->error().hint, "wait");
}

TEST_F(FleetTest, AHostSpeaksForItsOwnDesktopsAlone) {
    const auto one = welcomed("host1");
    const auto two = welcomed("host2");
    heard.take();
    std::optional<Result<void>> notified;
    fleet->notify(host1, d1, "soon", 5s, true, into(notified));
    settle();
    const auto answer = encode(FromHost(PersonAnswered{d1, true}));
    say(*two, answer);
    say(*two, encode(FromHost(PersonLoggedOut{d1})));
    EXPECT_THAT(heard.take(), IsEmpty());
    // Claiming it in a list does not make it its own.
    fleet->list(HostId("host2"), into(listed));
    settle();
    DesktopInfo claimed;
    claimed.id = d1;
    say(*two, encode(FromHost(Reply{1, to_json(std::vector{claimed})})));
    say(*two, answer);
    EXPECT_THAT(heard.take(), IsEmpty());
    say(*one, answer);
    EXPECT_THAT(heard.take(), ElementsAre("answer d-1 now"));
}

TEST_F(FleetTest, AHostMeasuresItselfAndItsOwnDesktopsAlone) {
    std::vector<monitor::Reading> told;
    fleet->on_reading([&](monitor::Reading reading) { told.push_back(std::move(reading)); });
    const auto one = welcomed("host1");
    const auto two = welcomed("host2");
    std::optional<Result<void>> notified;
    fleet->notify(host1, d1, "soon", 5s, true, into(notified));
    settle();
    monitor::Reading reading;
    reading.host = host1;
    reading.desktops.resize(2);
    reading.desktops[0].who.desktop = d1;
    reading.desktops[0].who.session = SessionId("s-1");
    reading.desktops[1].who.name = "somebody else's";
    say(*two, encode(FromHost(Sampled{reading})));
    say(*one, encode(FromHost(Sampled{reading})));
    ASSERT_EQ(told.size(), 2U);
    EXPECT_EQ(told[0].host, HostId("host2"));
    EXPECT_TRUE(told[0].desktops[0].who.desktop.empty());
    EXPECT_TRUE(told[0].desktops[0].who.session.empty());
    EXPECT_EQ(told[1].host, host1);
    EXPECT_EQ(told[1].address, "10.0.0.2");
    EXPECT_EQ(told[1].desktops[0].who.desktop, d1);
    EXPECT_EQ(told[1].desktops[1].who.name, "somebody else's");
}

TEST_F(FleetTest, AListComesAfterTheEventsThatItTakesIn) {
    const auto host = welcomed();
    heard.take();
    fleet->list(host1, into(listed));
    settle();
    heard.also = [&](const std::string& word) {
        EXPECT_EQ(listed.has_value(), word == "gone host1 d-2 x") << word;
    };
    // All three are in the queue before anything of them is looked at.
    host->end->send(encode(FromHost(DesktopGone{d1, "x"})));
    host->end->send(encode(FromHost(Reply{1, to_json(std::vector<DesktopInfo>{})})));
    host->end->send(encode(FromHost(DesktopGone{DesktopId("d-2"), "x"})));
    settle();
    EXPECT_THAT(heard.take(), ElementsAre("gone host1 d-1 x", "gone host1 d-2 x"));
}

TEST_F(FleetTest, AHostThatIsRemovedIsSentAway) {
    const auto host = welcomed();
    fleet->expel(host1);
    settle();
    EXPECT_TRUE(host->closed);
    EXPECT_THAT(heard.take(), ElementsAre("up host1", "down host1"));
}

TEST_F(FleetTest, ItsEndIsQuiet) {
    const auto host = welcomed();
    fleet->stop(host1, d1, into(stopped));
    settle();
    fleet.reset();
    say(*host, encode(FromHost(Reply{1, boost::json::object()})));
    pass(120s);
    EXPECT_FALSE(stopped);
    EXPECT_TRUE(host->closed);
}

} // namespace
} // namespace baton::hostlink::testing
