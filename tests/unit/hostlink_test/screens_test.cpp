#include "support/temporary_directory.h"
#include "unit/hostlink_test/world.h"

#include <fstream>

namespace baton::hostlink::testing {
namespace {

using baton::testing::TemporaryDirectory;
using handoff::Started;
using screenrelay::Tickets;

const std::string word = "0123456789abcdef0123456789abcdef";
const Endpoint relay{"10.0.0.2", 5899};

/// A host whose screens gateways reach by its relay.
class ScreensTest : public World {
  protected:
    ScreensTest() { restart(); }

    /// Another agent takes the place of the one there was.
    void restart() {
        AgentSettings settings;
        settings.facts = {HostId("host1"), "10.0.0.2", 4_GiB, 2, {false, "no /dev/kvm"}, "0.1.0"};
        settings.screens = {relay, tickets.folder(),
                            [](const DesktopId& desktop) { return "/vm/sc/" + desktop.value; }};
        agent.reset();
        settle();
        heard.take();
        make_agent(settings);
        connect_again();
    }

    void connect_again() {
        dial();
        settle();
        heard.take();
    }

    Result<Started> start(const std::string& ticket, const std::string& desktop = "d-1") {
        handoff::StartOrder local = order(desktop);
        local.screen_ticket = ticket;
        std::optional<Result<Started>> started;
        fleet->start(host1, local, into(started));
        settle();
        return started.value_or(fail(Errc::timeout, "not yet"));
    }

    std::vector<DesktopInfo> list() {
        std::optional<Result<std::vector<DesktopInfo>>> listed;
        fleet->list(host1, into(listed));
        settle();
        return listed.value().value();
    }

    bool ticketed(const DesktopId& desktop) { return tickets.read(desktop).has_value(); }

    TemporaryDirectory folder;
    Tickets tickets{folder.file("screens")};
};

TEST_F(ScreensTest, TheTicketIsThereBeforeTheDesktopAndGoesWithIt) {
    bool before = false;
    hypervisor.on_start = [&](const hypervisor::DesktopSpec& spec) {
        before = spec.local_screen &&
                 tickets.read(d1).value() == screenrelay::Ticket{"/vm/sc/d-1", word};
    };
    const auto started = start(word);
    ASSERT_TRUE(started) << started.error().message();
    EXPECT_TRUE(before);
    EXPECT_EQ(started->screen, relay);
    ASSERT_EQ(list().size(), 1U);
    EXPECT_EQ(list()[0].screen, relay);
    EXPECT_EQ(start(word)->screen, relay) << "repeated";
    std::optional<Result<void>> stopped;
    fleet->stop(host1, d1, into(stopped));
    settle();
    EXPECT_TRUE(stopped.value());
    EXPECT_FALSE(ticketed(d1));
}

TEST_F(ScreensTest, OnesWithAPortAreAsEver) {
    hypervisor.on_start = [](const hypervisor::DesktopSpec& spec) {
        EXPECT_FALSE(spec.local_screen);
    };
    EXPECT_EQ(start("")->screen, (Endpoint{"10.0.0.2", 5900}));
    EXPECT_EQ(list()[0].screen, (Endpoint{"10.0.0.2", 5900}));
    EXPECT_TRUE(tickets.desktops()->empty());
}

TEST_F(ScreensTest, AStartThatFailsLeavesWhatWasThere) {
    hypervisor.fail_start = true;
    EXPECT_FALSE(start(word));
    EXPECT_FALSE(ticketed(d1));
    hypervisor.fail_start = false;
    ASSERT_TRUE(start(word));
    hypervisor.fail_start = true; // as for a desktop of that id that is another one's
    EXPECT_FALSE(start(std::string(32, 'f')));
    EXPECT_EQ(tickets.read(d1)->word, word);
}

TEST_F(ScreensTest, ADesktopThatEndsByItselfTakesItsTicketAlong) {
    ASSERT_TRUE(start(word));
    ASSERT_TRUE(start(word, "d-2"));
    hypervisor.crash(d1);
    settle();
    EXPECT_FALSE(ticketed(d1));
    EXPECT_TRUE(ticketed(DesktopId("d-2")));
    // a late word of an earlier one of the same id
    hypervisor.emit(hypervisor::Stopped{DesktopId("d-2"), "destroyed"});
    settle();
    EXPECT_TRUE(ticketed(DesktopId("d-2"))) << "it runs";
}

TEST_F(ScreensTest, AGuestThatDoesNotGetReadyLeavesNoTicket) {
    hypervisor.guest_gets_ready = false;
    std::optional<Result<Started>> started;
    handoff::StartOrder local = order();
    local.screen_ticket = word;
    fleet->start(host1, local, into(started));
    settle();
    EXPECT_TRUE(ticketed(d1));
    pass(local.ready_deadline);
    ASSERT_TRUE(started);
    EXPECT_EQ(started->error().code, Errc::timeout);
    EXPECT_FALSE(ticketed(d1));
}

TEST_F(ScreensTest, AnotherAgentKeepsTicketsOfWhatRunsAndRemovesTheOthers) {
    ASSERT_TRUE(start(word));
    ASSERT_TRUE(start(word, "d-2"));
    agent.reset();
    hypervisor.machines.erase(DesktopId("d-2")); // while nobody looks
    std::ofstream(folder.file("screens/d-3.0a1b2c.new")) << "{";
    restart();
    EXPECT_EQ(tickets.desktops().value(), std::vector{d1});
    EXPECT_FALSE(std::filesystem::exists(folder.file("screens/d-3.0a1b2c.new")));
    EXPECT_EQ(list()[0].screen, relay);

    // and so after the hypervisor was away
    hypervisor.machines.clear();
    hypervisor.emit(hypervisor::ConnectionChanged{true});
    settle();
    EXPECT_TRUE(tickets.desktops()->empty());
}

TEST_F(ScreensTest, WithoutARelayOnlyScreensWithAPortAreStarted) {
    AgentSettings settings;
    settings.facts = {HostId("host1"), "10.0.0.2", 4_GiB, 2, {false, "no /dev/kvm"}, "0.1.0"};
    agent.reset();
    settle();
    make_agent(settings);
    connect_again();
    const auto refused = start(word);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::unsupported);
    EXPECT_EQ(hypervisor.starts, 0);
    EXPECT_TRUE(start(""));
}

} // namespace
} // namespace baton::hostlink::testing
