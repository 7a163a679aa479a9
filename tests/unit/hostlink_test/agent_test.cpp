#include "unit/hostlink_test/world.h"

namespace baton::hostlink::testing {
namespace {

using namespace std::chrono_literals;
using handoff::MountReport;
using handoff::Started;

class AgentTest : public World {
  protected:
    AgentTest() { connect(); }

    std::optional<Result<Started>> started;
    std::optional<Result<MountReport>> attached;
    std::optional<Result<void>> released;
    std::optional<Result<void>> stopped;
};

/// The messages of one kind that the guests were told.
template <class Message>
std::vector<Message> told(const FakeHypervisor& hypervisor) {
    std::vector<Message> all;
    for (const auto& message : hypervisor.told)
        if (const auto* found = std::get_if<Message>(&message))
            all.push_back(*found);
    return all;
}

// ---- start --------------------------------------------------------------------------------------

TEST_F(AgentTest, StartsADesktopAndWaitsForItsGuest) {
    hypervisor.guest_gets_ready = false;
    fleet->start(host1, order(), into(started));
    settle();
    EXPECT_EQ(images.ensured, 1);
    EXPECT_FALSE(started); // it runs, and is not booted
    const auto identified = told<guest::Identify>(hypervisor);
    ASSERT_EQ(identified.size(), 1U);
    EXPECT_EQ(identified[0].person, "kim");
    EXPECT_EQ(identified[0].hostname, "d-1");
    EXPECT_EQ(identified[0].memory_mib, 512);
    EXPECT_EQ(identified[0].unix_time_ms, clock.wall().time_since_epoch().count());
    EXPECT_EQ(identified[0].random_seed_hex.size(), 64U);
    hypervisor.say(d1, guest::Ready{});
    settle();
    ASSERT_TRUE(started && *started);
    EXPECT_EQ((*started)->screen, (Endpoint{"10.0.0.2", 5900}));
    EXPECT_EQ((*started)->memory, 512_MiB);
}

TEST_F(AgentTest, StartingWhatRunsAndIsReadyIsDone) {
    start_desktop();
    fleet->start(host1, order(), into(started));
    settle();
    EXPECT_TRUE(started && *started);
    EXPECT_EQ(hypervisor.machines.size(), 1U);
}

TEST_F(AgentTest, AGuestThatSaysNothingIsStoppedAndItsConsoleQuoted) {
    hypervisor.guest_speaks = false;
    fleet->start(host1, order(), into(started));
    pass(59s);
    EXPECT_FALSE(started);
    pass(2s);
    ASSERT_TRUE(started && !*started);
    EXPECT_EQ(started->error().code, Errc::timeout);
    EXPECT_NE(started->error().what.find("d-1 did not say that it is ready within 60 s"),
              std::string::npos);
    EXPECT_NE(started->error().hint.find("Kernel panic"), std::string::npos);
    EXPECT_TRUE(hypervisor.machines.empty());
    EXPECT_TRUE(heard.take().empty()); // no desktop_gone: the error says it
}

TEST_F(AgentTest, AGuestThatDiesWhileItBootsIsAnErrorAtOnce) {
    hypervisor.guest_gets_ready = false;
    fleet->start(host1, order(), into(started));
    settle();
    hypervisor.crash(d1);
    settle();
    ASSERT_TRUE(started && !*started);
    EXPECT_NE(started->error().what.find("crashed"), std::string::npos);
}

TEST_F(AgentTest, AnImageWithoutAnAgentNeedsOnlyToRun) {
    hypervisor.guest_speaks = false;
    images.has_guest_agent = false;
    fleet->start(host1, order(), into(started));
    settle();
    EXPECT_TRUE(started && *started);
}

TEST_F(AgentTest, SaysWhatStandsInTheWay) {
    images.missing = true;
    fleet->start(host1, order(), into(started));
    settle();
    ASSERT_TRUE(started && !*started);
    EXPECT_EQ(started->error().code, Errc::not_found);
    EXPECT_NE(started->error().what.find("tiny-1"), std::string::npos);
    started.reset();
    images.missing = false;
    hypervisor.fail_start = true;
    fleet->start(host1, order(), into(started));
    settle();
    EXPECT_EQ(started->error().code, Errc::full);
    started.reset();
    auto small = order();
    small.memory = 128_MiB;
    fleet->start(host1, small, into(started));
    settle();
    EXPECT_EQ(started->error().code, Errc::invalid_argument);
}

TEST_F(AgentTest, StopEndsAStartInEveryStage) {
    for (int stage = 0; stage < 3; ++stage) {
        SCOPED_TRACE(stage);
        started.reset();
        stopped.reset();
        hypervisor.guest_gets_ready = false;
        slow.held = stage == 0;  // the image is being brought
        quick.held = stage == 1; // the machine is being started
        fleet->start(host1, order(), into(started));
        settle();
        fleet->stop(host1, d1, into(stopped));
        settle();
        if (stage == 1) {
            EXPECT_FALSE(stopped); // not before the start under way has come back
        }
        slow.held = false;
        quick.held = false;
        settle();
        ASSERT_TRUE(started && !*started);
        EXPECT_EQ(started->error().code, Errc::cancelled);
        EXPECT_TRUE(stopped && *stopped);
        EXPECT_TRUE(hypervisor.machines.empty());
    }
    pass(120s);
    EXPECT_TRUE(hypervisor.machines.empty());
    EXPECT_TRUE(heard.take().empty());
    EXPECT_EQ(clock.timers(), 0U);
}

TEST_F(AgentTest, ListShowsWhatIsOnlyJustStarting) {
    std::optional<Result<std::vector<DesktopInfo>>> listed;
    hypervisor.guest_gets_ready = false;
    fleet->start(host1, order("d-2"), into(started));
    settle();
    hypervisor.machines.clear(); // as if it were not shown yet
    fleet->list(host1, into(listed));
    settle();
    ASSERT_TRUE(listed && *listed && (*listed)->size() == 1);
    EXPECT_EQ((**listed)[0].id, DesktopId("d-2"));
    EXPECT_EQ((**listed)[0].memory, 512_MiB);
    EXPECT_FALSE((**listed)[0].running);
}

// ---- attach -------------------------------------------------------------------------------------

TEST_F(AgentTest, AttachesADeskAndWaitsUntilItIsMounted) {
    start_desktop();
    hypervisor.guest_mounts = false;
    fleet->attach(host1, d1, desk(), 30s, into(attached));
    settle();
    EXPECT_FALSE(attached);
    const auto mounts = told<guest::Mount>(hypervisor);
    ASSERT_EQ(mounts.size(), 1U);
    EXPECT_EQ(mounts[0].serial, "desk-5");
    EXPECT_EQ(mounts[0].fence, 5U);
    hypervisor.say(d1, guest::Mounted{4, 9}); // of another desk: a claim about nothing
    settle();
    EXPECT_FALSE(attached);
    hypervisor.say(d1, guest::Mounted{5, 1234});
    settle();
    ASSERT_TRUE(attached && *attached);
    EXPECT_EQ((*attached)->free_bytes, 1234);
}

TEST_F(AgentTest, AttachingAgainIsDone) {
    start_desktop();
    attach_desk();
    attach_desk();
    std::optional<Result<MountReport>> other;
    fleet->attach(host1, d1, desk(6), 30s, into(other));
    settle();
    ASSERT_TRUE(other && !*other);
    EXPECT_EQ(other->error().code, Errc::conflict);
}

TEST_F(AgentTest, AGuestThatCannotMountSaysWhy) {
    start_desktop();
    hypervisor.guest_mounts = false;
    fleet->attach(host1, d1, desk(), 30s, into(attached));
    settle();
    hypervisor.say(d1, guest::Failed{"mount", "the journal is damaged"});
    settle();
    ASSERT_TRUE(attached && !*attached);
    EXPECT_NE(attached->error().what.find("the journal is damaged"), std::string::npos);
}

TEST_F(AgentTest, AGuestThatRebootedIsToldAgain) {
    start_desktop();
    hypervisor.port_open = false;
    fleet->attach(host1, d1, desk(), 30s, into(attached));
    settle();
    EXPECT_FALSE(attached); // not an error: it will open its port
    hypervisor.port_open = true;
    hypervisor.machines.at(d1).person.clear();
    hypervisor.say(d1, guest::Hello{1, "1", "tiny-1", "boot2", false, 0});
    settle();
    EXPECT_TRUE(attached && *attached); // it was told who it is for before it was told to mount
}

TEST_F(AgentTest, AMountThatTakesTooLongIsATimeout) {
    start_desktop();
    hypervisor.guest_mounts = false;
    fleet->attach(host1, d1, desk(), 30s, into(attached));
    pass(31s);
    ASSERT_TRUE(attached && !*attached);
    EXPECT_EQ(attached->error().code, Errc::timeout);
    EXPECT_NE(attached->error().what.find("host1"), std::string::npos);
}

// ---- release ------------------------------------------------------------------------------------

TEST_F(AgentTest, ReleasesInOrder) {
    start_desktop();
    attach_desk();
    hypervisor.guest_releases = false;
    fleet->release(host1, d1, 3s, 30s, into(released));
    settle();
    EXPECT_EQ(told<guest::Release>(hypervisor).at(0).grace_ms, 3000);
    EXPECT_TRUE(hypervisor.machines.at(d1).info.desk_attached); // the guest still has it mounted
    hypervisor.machines.at(d1).mounted = 0;
    hypervisor.say(d1, guest::Released{5});
    settle();
    EXPECT_TRUE(released && *released);
    EXPECT_FALSE(hypervisor.machines.at(d1).info.desk_attached);
    EXPECT_EQ(hypervisor.torn, 0);
}

TEST_F(AgentTest, ReleasingNothingIsDone) {
    for (int stage = 0; stage < 2; ++stage) {
        released.reset();
        fleet->release(host1, d1, 3s, 30s, into(released));
        settle();
        EXPECT_TRUE(released && *released); // no such desktop; then one without a desk
        start_desktop();
    }
}

TEST_F(AgentTest, ADesktopThatDiesHasReleased) {
    start_desktop();
    attach_desk();
    hypervisor.guest_releases = false;
    fleet->release(host1, d1, 3s, 30s, into(released));
    settle();
    hypervisor.crash(d1);
    settle();
    EXPECT_TRUE(released && *released);
}

TEST_F(AgentTest, AGuestThatRefusesIsBusyAndOneThatSaysNothingATimeout) {
    start_desktop();
    attach_desk();
    hypervisor.guest_releases = false;
    fleet->release(host1, d1, 3s, 30s, into(released));
    settle();
    hypervisor.say(d1, guest::Failed{"release", "a program holds it"});
    settle();
    ASSERT_TRUE(released && !*released);
    EXPECT_EQ(released->error().code, Errc::busy);
    released.reset();
    fleet->release(host1, d1, 3s, 30s, into(released));
    pass(31s);
    ASSERT_TRUE(released && !*released);
    EXPECT_EQ(released->error().code, Errc::timeout);
    EXPECT_TRUE(hypervisor.machines.at(d1).info.desk_attached);
}

TEST_F(AgentTest, ARefusedUnplugIsTriedAgainThreeTimesInAll) {
    start_desktop();
    attach_desk();
    hypervisor.refuse_detach = 2;
    fleet->release(host1, d1, 3s, 30s, into(released));
    settle();
    EXPECT_TRUE(released && *released);
    attach_desk();
    released.reset();
    hypervisor.refuse_detach = 3;
    fleet->release(host1, d1, 3s, 30s, into(released));
    settle();
    ASSERT_TRUE(released && !*released);
    EXPECT_EQ(released->error().code, Errc::busy);
}

// ---- the others ---------------------------------------------------------------------------------

TEST_F(AgentTest, CallsForOneDesktopKeepTheirOrder) {
    start_desktop();
    hypervisor.guest_mounts = false;
    fleet->attach(host1, d1, desk(), 30s, into(attached));
    fleet->release(host1, d1, 3s, 30s, into(released));
    settle();
    EXPECT_TRUE(told<guest::Release>(hypervisor).empty());
    hypervisor.machines.at(d1).mounted = 5;
    hypervisor.say(d1, guest::Mounted{5, 1});
    settle();
    EXPECT_TRUE(attached && *attached);
    EXPECT_TRUE(released && *released);
    EXPECT_EQ(hypervisor.torn, 0);
}

TEST_F(AgentTest, OneDesktopsTroublesAreNotAnothers) {
    hypervisor.guest_gets_ready = false;
    fleet->start(host1, order("d-2"), into(started));
    settle();
    hypervisor.guest_gets_ready = true;
    start_desktop();
    EXPECT_FALSE(started);
}

TEST_F(AgentTest, PassesWordsAndPasswordsOn) {
    start_desktop();
    std::optional<Result<void>> notified;
    std::optional<Result<void>> password;
    fleet->notify(host1, d1, "You will move to a smaller desktop.", 30s, true, into(notified));
    fleet->set_screen_password(host1, d1, "new", clock.wall(), into(password));
    settle();
    EXPECT_TRUE(notified && *notified && password && *password);
    EXPECT_EQ(told<guest::Notify>(hypervisor).at(0),
              (guest::Notify{"You will move to a smaller desktop.", 30, true}));
    EXPECT_EQ(hypervisor.screen_password, "new");
    hypervisor.say(d1, guest::Answer{false});
    hypervisor.say(d1, guest::LoggedOut{});
    settle();
    EXPECT_EQ(heard.take(), (std::vector<std::string>{"answer d-1 not now", "out d-1"}));
}

TEST_F(AgentTest, TellsWhenADesktopEndsUnaskedAndOnlyThen) {
    start_desktop();
    hypervisor.crash(d1);
    settle();
    EXPECT_EQ(heard.take(), std::vector<std::string>{"gone host1 d-1 crashed"});
    start_desktop();
    fleet->stop(host1, d1, into(stopped));
    settle();
    EXPECT_TRUE(stopped && *stopped);
    EXPECT_TRUE(heard.take().empty());
    stopped.reset();
    fleet->stop(host1, d1, into(stopped)); // not there
    settle();
    EXPECT_TRUE(stopped && *stopped);
}

TEST_F(AgentTest, AStopThatFailedLeavesTheDesktopOurs) {
    start_desktop();
    hypervisor.fail_stop = true;
    fleet->stop(host1, d1, into(stopped));
    settle();
    ASSERT_TRUE(stopped && !*stopped);
    hypervisor.crash(d1);
    settle();
    EXPECT_EQ(heard.take().size(), 1U);
}

TEST_F(AgentTest, NoticesWhatWentWhileTheHypervisorWasAway) {
    start_desktop();
    hypervisor.emit(hypervisor::ConnectionChanged{false});
    hypervisor.machines.clear(); // nobody could tell
    settle();
    hypervisor.emit(hypervisor::ConnectionChanged{true});
    settle();
    EXPECT_EQ(heard.take(),
              std::vector<std::string>{"gone host1 d-1 it was gone when the hypervisor came back"});
}

TEST_F(AgentTest, ADesktopThatGotReadyBetweenTwoAgentsIsToldWhoItIsFor) {
    start_desktop();
    agent.reset();
    settle();
    hypervisor.machines.at(d1).info.guest_ready = true;
    hypervisor.machines.at(d1).person.clear();
    AgentSettings settings;
    settings.facts = {HostId("host1"), "10.0.0.2", 4_GiB, 2, {false, "no"}, "0.1.0"};
    make_agent(settings);
    heard.take();
    connect();
    start_desktop();
    EXPECT_EQ(hypervisor.machines.at(d1).person, "kim");
    attach_desk(); // which a guest refuses that does not know its person
}

TEST_F(AgentTest, ARestartedAgentKnowsWhatRuns) {
    start_desktop();
    attach_desk();
    agent.reset();
    settle();
    EXPECT_EQ(heard.take(), std::vector<std::string>{"down host1"});
    hypervisor.machines.at(d1).info.guest_ready = true;
    AgentSettings settings;
    settings.facts = {HostId("host1"), "10.0.0.2", 4_GiB, 2, {false, "no"}, "0.1.0"};
    make_agent(settings);
    connect();
    fleet->start(host1, order(), into(started));
    settle();
    EXPECT_TRUE(started && *started); // as it is
    hypervisor.crash(d1);
    settle();
    EXPECT_EQ(heard.take(), std::vector<std::string>{"gone host1 d-1 crashed"});
}

} // namespace
} // namespace baton::hostlink::testing
