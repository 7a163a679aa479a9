#include "guest/agent.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <map>
#include <string>
#include <vector>

namespace {

using namespace baton;
using namespace baton::guest;
using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Phase = ScreenState::Phase;

/// A machine in which everything works at once, unless it is told otherwise; time stands still
/// until it is moved. Keeps what was done, in order.
class FakeMachine : public Machine {
  public:
    [[nodiscard]] Moment now() const override { return now_; }

    void send(const FromGuest& message) override {
        std::string line = encode(message);
        line.pop_back();
        said.push_back(message);
        done.push_back("say " + line.substr(9, line.find('"', 9) - 9));
    }

    void show(const ScreenState& state) override {
        screen = state;
        ++shows;
    }

    Result<void> set_identity(const Identify& identity) override {
        done.push_back("identity " + identity.hostname);
        return answer("identity");
    }

    std::optional<std::string> find_disk(std::string_view serial) override {
        const auto found = disks.find(std::string(serial));
        if (found == disks.end())
            return std::nullopt;
        return found->second;
    }

    Result<bool> file_system_is_clean(const std::string&) override {
        if (const auto it = answer("inspect"); !it)
            return tl::unexpected(it.error());
        return clean;
    }

    Result<void> start_check(const std::string& device) override {
        done.push_back("check " + device);
        return answer("check");
    }

    void cancel_check() override { done.emplace_back("cancel check"); }

    Result<void> mount_desk(const std::string& device, bool read_only,
                            const std::string& person) override {
        done.push_back("mount " + device + (read_only ? " read-only" : "") + " for " + person);
        const auto outcome = answer("mount");
        mounted = mounted || outcome.has_value();
        return outcome;
    }

    Result<void> make_home(const std::string& person) override {
        done.push_back("home of " + person);
        return answer("home");
    }

    [[nodiscard]] std::int64_t desk_free_bytes() const override { return 4096; }

    Result<void> unmount_desk() override {
        done.emplace_back("unmount");
        const auto outcome = answer("unmount");
        mounted = mounted && !outcome.has_value();
        return outcome;
    }

    Result<void> start_session(const std::string& person) override {
        done.push_back("start " + person);
        return answer("start");
    }

    void ask_session_to_end(std::chrono::milliseconds grace) override {
        done.push_back("ask " + std::to_string(grace.count()));
    }

    void kill_session() override { done.emplace_back("kill"); }

    void fail_next(const std::string& call, const std::string& why) { failing[call] = why; }

    std::vector<std::string> take() { return std::exchange(done, {}); }

    Moment now_{};
    std::vector<std::string> done;
    std::vector<FromGuest> said;
    ScreenState screen;
    int shows = 0;
    std::map<std::string, std::string> disks;
    std::map<std::string, std::string> failing;
    bool clean = true;
    bool mounted = false;

  private:
    Result<void> answer(const std::string& call) {
        const auto found = failing.find(call);
        if (found == failing.end())
            return {};
        const std::string why = found->second;
        failing.erase(found);
        return fail(Errc::io, why);
    }
};

class AgentTest : public ::testing::Test {
  protected:
    void say(const ToGuest& message) {
        const std::string line = encode(message);
        agent.host_said(std::string_view(line).substr(0, line.size() - 1));
    }

    void identify(const std::string& person = "kim") {
        Identify identity;
        identity.hostname = "d-1";
        identity.person = person;
        say(identity);
        machine.take();
    }

    void plug(const std::string& serial) {
        machine.disks[serial] = "/dev/vdb";
        agent.disks_changed();
    }

    void work(std::uint64_t fence = 7) {
        identify();
        plug("desk-" + std::to_string(fence));
        say(Mount{"desk-" + std::to_string(fence), fence, false});
        agent.session_visible();
        machine.take();
    }

    void pass(std::chrono::milliseconds time) {
        machine.now_ += time;
        agent.tick();
    }

    template <class Message>
    Message last() {
        return std::get<Message>(machine.said.back());
    }

    FakeMachine machine;
    Agent agent{machine, GuestFacts{"0.1.0", "tiny-1", "boot", 512_MiB}};
};

TEST_F(AgentTest, SaysHelloWhenTheHostComesAndReadyOnceTheScreenIsDrawn) {
    agent.host_connected();
    EXPECT_EQ(last<Hello>(), (Hello{1, "0.1.0", "tiny-1", "boot", false, 0}));
    agent.screen_drawn();
    EXPECT_EQ(last<Ready>(), Ready{});
    agent.screen_drawn();
    EXPECT_THAT(machine.take(), ElementsAre("say hello", "say ready"));
    agent.host_connected();
    EXPECT_THAT(machine.take(), ElementsAre("say hello", "say ready"));
}

TEST_F(AgentTest, MountsChecksForwardsAndStartsInThisOrder) {
    identify();
    machine.clean = false;
    plug("desk-7");
    say(Mount{"desk-7", 7, false});
    EXPECT_THAT(machine.take(), ElementsAre("check /dev/vdb"));
    EXPECT_EQ(machine.screen.phase, Phase::mounting);
    agent.check_finished({});
    EXPECT_THAT(machine.take(), ElementsAre("mount /dev/vdb for kim", "start kim"));
    EXPECT_EQ(machine.screen.fence, 7U) << "the strip is there before the session's first picture";
    agent.session_visible();
    EXPECT_EQ(last<Mounted>(), (Mounted{7, 4096}));
    EXPECT_EQ(machine.screen.phase, Phase::working);
    EXPECT_FALSE(agent.next_deadline().has_value());
}

TEST_F(AgentTest, WithoutADeskTheSessionBeginsInAHomeOfThisMachine) {
    identify("guest-1");
    say(Begin{});
    EXPECT_THAT(machine.take(), ElementsAre("home of guest-1", "start guest-1"));
    EXPECT_EQ(machine.screen.fence, 0U);
    agent.session_visible();
    EXPECT_THAT(machine.take(), ElementsAre()) << "nothing is mounted";
    EXPECT_EQ(machine.screen.phase, Phase::working);
    say(Begin{}); // by an agent that has started anew
    say(Ask{});
    EXPECT_THAT(machine.take(), ElementsAre("say hello"));
    agent.session_ended();
    EXPECT_THAT(machine.take(), ElementsAre("say logged-out"));
    say(Begin{});
    EXPECT_THAT(machine.take(), ElementsAre()) << "who has logged out is out";
}

TEST_F(AgentTest, WithoutADeskWhatCannotBeginIsSaid) {
    say(Begin{});
    EXPECT_EQ(last<Failed>().command, "begin");
    identify();
    machine.fail_next("home", "no space");
    say(Begin{});
    EXPECT_EQ(last<Failed>().command, "begin");
    EXPECT_EQ(machine.screen.phase, Phase::failed);
    machine.take();
    say(Begin{});
    EXPECT_THAT(machine.take(), ElementsAre("home of kim", "start kim"));
    pass(Agent::session_deadline);
    agent.session_ended();
    EXPECT_EQ(last<Failed>().command, "begin");
}

TEST_F(AgentTest, ADeskIsNotLeftForNone) {
    work();
    say(Begin{});
    EXPECT_THAT(machine.take(), ElementsAre());
    EXPECT_EQ(agent.mounted_fence(), 7U);
}

TEST_F(AgentTest, ACleanOrReadOnlyDeskIsNotChecked) {
    identify();
    plug("desk-7");
    say(Mount{"desk-7", 7, false});
    EXPECT_THAT(machine.take(), ElementsAre("mount /dev/vdb for kim", "start kim"));

    FakeMachine other;
    other.clean = false;
    other.disks["desk-7"] = "/dev/vdc";
    Agent second(other, {});
    second.host_said(
        R"({"type":"identify","hostname":"","person":"lee","session":"","memory_mib":1,)"
        R"("os_image":"","unix_time_ms":0,"random_seed_hex":""})");
    second.host_said(R"({"type":"mount","serial":"desk-7","fence":7,"read_only":true})");
    EXPECT_THAT(other.take(),
                ElementsAre("identity ", "mount /dev/vdc read-only for lee", "start lee"));
}

TEST_F(AgentTest, WaitsForTheDiskAndGivesUpInTheEnd) {
    identify();
    say(Mount{"desk-7", 7, false});
    plug("desk-6"); // another one
    EXPECT_THAT(machine.take(), IsEmpty());
    ASSERT_TRUE(agent.next_deadline().has_value());
    EXPECT_EQ(*agent.next_deadline() - machine.now(), Agent::disk_deadline);
    pass(Agent::disk_deadline);
    EXPECT_EQ(last<Failed>().command, "mount");
    EXPECT_THAT(last<Failed>().reason, HasSubstr("no disk with the serial 'desk-7'"));
    EXPECT_EQ(machine.screen.phase, Phase::failed);
    EXPECT_FALSE(agent.next_deadline().has_value());

    machine.take();
    plug("desk-7"); // too late: the host has to say it again
    EXPECT_THAT(machine.take(), IsEmpty());
    say(Mount{"desk-7", 7, false});
    EXPECT_THAT(machine.take(), ElementsAre("mount /dev/vdb for kim", "start kim"));
}

TEST_F(AgentTest, WhatFailsOnTheWayIsToldAndNothingIsHeld) {
    for (const std::string step : {"inspect", "check", "mount"}) {
        identify();
        machine.clean = step != "check";
        machine.disks["desk-7"] = "/dev/vdb";
        machine.fail_next(step, "no " + step);
        say(Mount{"desk-7", 7, false});
        EXPECT_EQ(last<Failed>(), (Failed{"mount", "no " + step}));
        EXPECT_EQ(agent.mounted_fence(), 0U);
        EXPECT_FALSE(machine.mounted);
        EXPECT_EQ(machine.screen.trouble, "no " + step);
    }
    machine.clean = false;
    say(Mount{"desk-7", 7, false});
    agent.check_finished(fail(Errc::corrupt, "damaged"));
    EXPECT_EQ(last<Failed>(), (Failed{"mount", "damaged"}));
    EXPECT_FALSE(machine.mounted);
}

TEST_F(AgentTest, ACheckThatHangsIsEnded) {
    identify();
    machine.clean = false;
    plug("desk-7");
    say(Mount{"desk-7", 7, false});
    machine.take();
    pass(Agent::check_deadline);
    EXPECT_THAT(machine.take(), ElementsAre("cancel check", "say failed"));
}

TEST_F(AgentTest, ASessionThatDoesNotStartGivesTheDeskBack) {
    identify();
    plug("desk-7");
    machine.fail_next("start", "no shell");
    say(Mount{"desk-7", 7, false});
    agent.session_visible(); // what is left of it does not count
    agent.session_ended();
    EXPECT_THAT(machine.take(), ElementsAre("mount /dev/vdb for kim", "start kim", "kill",
                                            "unmount", "say failed"));
    EXPECT_EQ(last<Failed>(), (Failed{"mount", "no shell"}));

    say(Mount{"desk-7", 7, false});
    agent.session_ended(); // it started and ended at once
    EXPECT_THAT(last<Failed>().reason, HasSubstr("ended before anything"));
    EXPECT_FALSE(machine.mounted);

    say(Mount{"desk-7", 7, false});
    machine.take();
    pass(Agent::session_deadline);
    EXPECT_THAT(machine.take(), ElementsAre("kill"));
    agent.session_ended();
    EXPECT_THAT(last<Failed>().reason, HasSubstr("nothing of the session was on the screen"));
    EXPECT_FALSE(machine.mounted);
}

TEST_F(AgentTest, RefusesADeskForNobodyAndASecondOne) {
    say(Mount{"desk-7", 7, false});
    EXPECT_THAT(last<Failed>().reason, HasSubstr("nobody has been named"));
    identify();
    say(Mount{"desk-7", 0, false});
    EXPECT_THAT(last<Failed>().reason, HasSubstr("without a serial or a fencing number"));
    work(7);
    say(Mount{"desk-8", 8, false});
    EXPECT_THAT(last<Failed>().reason, HasSubstr("fencing number 7 is still here"));
    EXPECT_EQ(agent.mounted_fence(), 7U);
}

TEST_F(AgentTest, AHostThatLostAnAnswerMayAskAgain) {
    identify();
    plug("desk-7");
    say(Mount{"desk-7", 7, false});
    machine.take();
    say(Mount{"desk-7", 7, false}); // still starting: the answer will come
    EXPECT_THAT(machine.take(), IsEmpty());
    agent.session_visible();
    machine.take();
    say(Mount{"desk-7", 7, false});
    EXPECT_EQ(last<Mounted>(), (Mounted{7, 4096}));
    machine.take();
    agent.screen_drawn();
    machine.take();
    say(Ask{});
    EXPECT_THAT(machine.take(), ElementsAre("say hello", "say ready", "say mounted"));

    say(Release{0});
    agent.session_ended();
    say(Release{0});
    EXPECT_EQ(last<Released>(), Released{7});
    EXPECT_THAT(machine.take(), ElementsAre("kill", "unmount", "say released", "say released"));
}

TEST_F(AgentTest, AsksThenKillsThenUnmounts) {
    work();
    say(Release{5000});
    EXPECT_THAT(machine.take(), ElementsAre("ask 5000"));
    EXPECT_EQ(machine.screen.phase, Phase::closing);
    ASSERT_TRUE(machine.screen.message.has_value());
    EXPECT_EQ(machine.screen.message->seconds_left, 5);
    pass(4999ms);
    EXPECT_THAT(machine.take(), IsEmpty());
    pass(1ms);
    EXPECT_THAT(machine.take(), ElementsAre("kill"));
    agent.session_ended();
    EXPECT_THAT(machine.take(), ElementsAre("unmount", "say released"));
    EXPECT_EQ(last<Released>(), Released{7});
    EXPECT_EQ(machine.screen.fence, 0U);
}

TEST_F(AgentTest, DoesNotWaitForTheGraceWhenEverybodyHasGone) {
    work();
    say(Release{60000});
    agent.session_ended();
    EXPECT_THAT(machine.take(), ElementsAre("ask 60000", "unmount", "say released"));
}

TEST_F(AgentTest, AShorterGraceMayFollowALongerOne) {
    work();
    say(Release{60000});
    machine.take();
    say(Release{120000});
    EXPECT_EQ(machine.screen.message->seconds_left, 60) << "never longer";
    say(Release{0});
    EXPECT_THAT(machine.take(), ElementsAre("kill"));
}

TEST_F(AgentTest, ProgramsThatDoNotDieDoNotHoldTheDesk) {
    work();
    say(Release{0});
    machine.take();
    pass(Agent::kill_deadline);
    EXPECT_THAT(machine.take(), ElementsAre("unmount", "say released"));
    agent.session_ended(); // late
    EXPECT_THAT(machine.take(), IsEmpty());
}

TEST_F(AgentTest, AReleaseThatFailsIsToldAndMayBeRepeated) {
    work();
    machine.fail_next("unmount", "disk broken");
    say(Release{0});
    agent.session_ended();
    EXPECT_EQ(last<Failed>(), (Failed{"release", "disk broken"}));
    EXPECT_EQ(agent.mounted_fence(), 7U);
    say(Release{0});
    EXPECT_EQ(last<Released>(), Released{7});
    EXPECT_FALSE(machine.mounted);
}

TEST_F(AgentTest, ReleasingADeskThatIsStillComingStopsIt) {
    identify();
    say(Mount{"desk-7", 7, false});
    say(Release{1000});
    EXPECT_EQ(last<Released>(), Released{7});
    machine.take();
    plug("desk-7");
    EXPECT_THAT(machine.take(), IsEmpty());

    machine.clean = false;
    say(Mount{"desk-7", 7, false});
    say(Release{1000});
    EXPECT_THAT(machine.take(), ElementsAre("check /dev/vdb", "cancel check", "say released"));
    agent.check_finished({});
    EXPECT_THAT(machine.take(), IsEmpty());
}

TEST_F(AgentTest, LoggingOutIsToldAndTheDeskWaitsForItsRelease) {
    work();
    agent.session_ended();
    EXPECT_EQ(last<LoggedOut>(), LoggedOut{});
    EXPECT_EQ(machine.screen.phase, Phase::ended);
    EXPECT_TRUE(machine.mounted);
    machine.take();
    say(Release{30000});
    EXPECT_THAT(machine.take(), ElementsAre("unmount", "say released"));
}

TEST_F(AgentTest, AMessageCountsDownAndIsAnsweredOnce) {
    work();
    say(Notify{"you move", 30, true});
    EXPECT_EQ(machine.screen.message, (ScreenMessage{"you move", 30, true}));
    ASSERT_TRUE(agent.next_deadline().has_value());
    EXPECT_EQ(*agent.next_deadline() - machine.now(), 1s) << "when the number changes";
    pass(1s);
    EXPECT_EQ(machine.screen.message->seconds_left, 29);
    agent.person_answered(false);
    EXPECT_EQ(last<Answer>(), Answer{false});
    EXPECT_FALSE(machine.screen.message.has_value());
    machine.take();
    agent.person_answered(true);
    EXPECT_THAT(machine.take(), IsEmpty());
    EXPECT_FALSE(agent.next_deadline().has_value());
}

TEST_F(AgentTest, AMessageMayBeTakenAwayAndCannotBeAnsweredTooLate) {
    say(Notify{"news", 0, false});
    EXPECT_EQ(machine.screen.message, (ScreenMessage{"news", std::nullopt, false}));
    say(Notify{"", 0, false});
    EXPECT_FALSE(machine.screen.message.has_value());
    say(Notify{"you move", 2, true});
    pass(2s);
    EXPECT_EQ(machine.screen.message, (ScreenMessage{"you move", std::nullopt, false}));
    machine.take();
    agent.person_answered(false);
    EXPECT_THAT(machine.take(), IsEmpty());
}

TEST_F(AgentTest, BadLinesAndBadIdentitiesAreAnswered) {
    agent.host_said("{}");
    EXPECT_EQ(last<Failed>().command, "message");
    machine.fail_next("identity", "no name");
    say(Identify{});
    EXPECT_EQ(last<Failed>(), (Failed{"identify", "no name"}));
}

TEST_F(AgentTest, TheScreenShowsTheGuestsOwnMemoryNotWhatItWasTold) {
    Identify identity;
    identity.memory_mib = 4096;
    identity.os_image = "told";
    say(identity);
    EXPECT_EQ(machine.screen.memory, 512_MiB);
    EXPECT_EQ(machine.screen.os_image, "tiny-1");

    FakeMachine other;
    Agent blind(other, {});
    const std::string line = encode(ToGuest{identity});
    blind.host_said(std::string_view(line).substr(0, line.size() - 1));
    EXPECT_EQ(other.screen.memory, 4_GiB);
    EXPECT_EQ(other.screen.os_image, "told");
}

TEST_F(AgentTest, GoingDownLetsGoOfTheDeskAtOnce) {
    work();
    agent.shut_down();
    EXPECT_THAT(machine.take(), ElementsAre("kill", "unmount", "say released"));
    agent.shut_down();
    EXPECT_THAT(machine.take(), IsEmpty());
}

TEST_F(AgentTest, NothingIsDrawnTwice) {
    work();
    const int before = machine.shows;
    agent.tick();
    agent.tick();
    EXPECT_EQ(machine.shows, before);
}

/// Whatever happens in whatever order: a desk is mounted exactly while the guest says so,
/// "released" is said only when it is not, and after all deadlines a release has been answered.
TEST(AgentProperties, NeverSaysReleasedWhileTheDeskIsMounted) {
    EXPECT_TRUE(rc::check([] {
        FakeMachine machine;
        Agent agent(machine, {});
        const auto say = [&](const ToGuest& message) {
            const std::string line = encode(message);
            agent.host_said(std::string_view(line).substr(0, line.size() - 1));
        };
        Identify identity;
        identity.person = "kim";
        say(identity);
        std::size_t looked_at = 0;
        const auto look = [&] {
            for (; looked_at < machine.said.size(); ++looked_at) {
                if (std::holds_alternative<Released>(machine.said[looked_at]))
                    RC_ASSERT(!machine.mounted);
                if (std::holds_alternative<Mounted>(machine.said[looked_at]))
                    RC_ASSERT(machine.mounted);
            }
            RC_ASSERT(machine.mounted == (agent.mounted_fence() != 0));
        };
        const int steps = *rc::gen::inRange(1, 40);
        for (int i = 0; i < steps; ++i) {
            const auto fence = *rc::gen::inRange<std::uint64_t>(1, 4);
            switch (*rc::gen::inRange(0, 11)) {
            case 0:
                say(Mount{"desk-" + std::to_string(fence), fence, *rc::gen::arbitrary<bool>()});
                break;
            case 1:
                say(Release{*rc::gen::element<std::int64_t>(0, 500, 30000)});
                break;
            case 2:
                machine.disks["desk-" + std::to_string(fence)] = "/dev/vdb";
                agent.disks_changed();
                break;
            case 3:
                machine.disks.clear();
                agent.disks_changed();
                break;
            case 4:
                agent.session_visible();
                break;
            case 5:
                agent.session_ended();
                break;
            case 6:
                agent.check_finished(*rc::gen::arbitrary<bool>()
                                         ? Result<void>()
                                         : Result<void>(fail(Errc::corrupt, "damaged")));
                break;
            case 7:
                machine.now_ += std::chrono::milliseconds(*rc::gen::inRange(0, 100000));
                agent.tick();
                break;
            case 8:
                machine.clean = !machine.clean;
                break;
            case 9:
                machine.fail_next(
                    *rc::gen::element<std::string>("inspect", "check", "mount", "unmount", "start"),
                    "broken");
                break;
            default:
                say(Ask{});
            }
            look();
        }
        machine.failing.clear();
        say(Release{0});
        for (int i = 0; i < 3; ++i) {
            machine.now_ += Agent::kill_deadline;
            agent.tick();
        }
        look();
        RC_ASSERT(!machine.mounted);
    }));
}

} // namespace
