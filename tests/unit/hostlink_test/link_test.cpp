// The link between a real agent and a real fleet: cut at every message, altered, repeated.
#include "unit/hostlink_test/world.h"

namespace baton::hostlink::testing {
namespace {

using namespace std::chrono_literals;
using handoff::MountReport;
using handoff::Started;

/// A small engine: brings one desktop with its desk up, then takes it down again, and repeats the
/// step it is in whenever the host comes (back) up, as handoff/ does.
class LinkTest : public World {
  protected:
    enum class Step { start, attach, release, stop, done };

    LinkTest() {
        heard.also = [this](const std::string& word) {
            if (word == "up host1")
                next();
        };
    }

    void next() {
        const auto goes_on = [this](Step after) {
            return [this, after](const auto& result) {
                if (result) {
                    step = after;
                    if (after != Step::done)
                        next();
                } else if (result.error().code != Errc::unavailable) {
                    trouble = result.error();
                }
            };
        };
        switch (step) {
        case Step::start:
            return fleet->start(host1, order(), goes_on(Step::attach));
        case Step::attach:
            return fleet->attach(host1, d1, desk(), 30s, goes_on(Step::release));
        case Step::release:
            return fleet->release(host1, d1, 3s, 30s, goes_on(Step::stop));
        case Step::stop:
            return fleet->stop(host1, d1, goes_on(Step::done));
        case Step::done:
            return;
        }
    }

    Step step = Step::start;
    std::optional<Error> trouble;
};

TEST_F(LinkTest, CutAtAnyMessageTheWorkIsDoneOnTheNextLink) {
    dial();
    settle();
    ASSERT_EQ(step, Step::done);
    const int messages = 1'000'000 - pipe->left;
    ASSERT_GE(messages, 10); // hello, welcome, four calls and their answers
    for (int first = 0; first < messages; ++first)
        for (int second = 0; second <= messages; ++second) {
            SCOPED_TRACE("links cut at " + std::to_string(first) + " and " +
                         std::to_string(second));
            step = Step::start;
            for (const int left : {first, second, 1'000'000}) {
                dial()->left = left;
                settle();
            }
            EXPECT_EQ(step, Step::done);
            EXPECT_FALSE(trouble) << trouble->message();
            EXPECT_TRUE(hypervisor.machines.empty());
            EXPECT_EQ(hypervisor.torn, 0);
            ASSERT_FALSE(HasFailure());
            pipes.clear();
        }
    pass(3600s);
    EXPECT_TRUE(hypervisor.machines.empty()); // nothing starts late
    EXPECT_EQ(clock.timers(), 0U);
}

TEST_F(LinkTest, AStartWhoseLinkIsLostBeforeItBeganNeverHappens) {
    slow.held = true; // the image is being brought
    dial();
    settle();
    ASSERT_EQ(step, Step::start);
    PipeEnd::cut(*pipe, "cut");
    settle();
    slow.held = false;
    settle();
    EXPECT_EQ(hypervisor.starts, 0);
}

TEST_F(LinkTest, AStartThatHasBegunIsFoundByTheNextLink) {
    hypervisor.guest_gets_ready = false;
    dial();
    settle();
    ASSERT_EQ(hypervisor.machines.size(), 1U);
    PipeEnd::cut(*pipe, "cut");
    settle();
    EXPECT_EQ(hypervisor.machines.size(), 1U); // boots on
    dial();
    settle();
    EXPECT_EQ(step, Step::start);
    hypervisor.say(d1, guest::Ready{});
    settle();
    EXPECT_EQ(step, Step::done);
}

TEST_F(LinkTest, RepeatedRequestsAreDoneOnce) {
    dial();
    settle();
    ASSERT_EQ(step, Step::done);
    const int starts = hypervisor.starts;
    // Somebody plays the controller's words again, within the same link.
    const auto host_end = pipe->ends[0].lock();
    const auto controller_end = pipe->ends[1].lock();
    for (const auto& line : std::vector<std::string>(pipe->transcript))
        if (line.starts_with("controller: "))
            controller_end->send(line.substr(12));
    settle();
    EXPECT_EQ(hypervisor.starts, starts);
    EXPECT_TRUE(hypervisor.machines.empty());
}

TEST_F(LinkTest, TheAgentAnswersWhatItCannotRead) {
    heard.also = {};
    dial();
    settle();
    const auto controller_end = pipe->ends[1].lock();
    pipe->transcript.clear();
    controller_end->send(R"({"type":"request","id":5,"method":"dance","params":{}})");
    controller_end->send(R"({"type":"request","id":6,"method":"stop","params":{"desktop":"/"}})");
    controller_end->send("nonsense");
    settle();
    std::vector<std::string> answers;
    for (const auto& line : pipe->transcript)
        if (line.starts_with("dialler: "))
            answers.push_back(line);
    ASSERT_EQ(answers.size(), 2U);
    EXPECT_NE(answers[0].find("unsupported"), std::string::npos);
    EXPECT_NE(answers[1].find("invalid_argument"), std::string::npos);
}

TEST_F(LinkTest, TheAgentSaysHowItsLinkEnded) {
    heard.also = {};
    dial();
    settle();
    PipeEnd::cut(*pipe, "the cable was pulled");
    settle();
    joined.clear();
    dial();
    settle();
    ASSERT_EQ(link_ends.size(), 2U);
    EXPECT_TRUE(link_ends[0].welcomed);
    EXPECT_EQ(link_ends[0].why.what, "the cable was pulled");
    EXPECT_FALSE(link_ends[1].welcomed);
    EXPECT_EQ(link_ends[1].why.code, Errc::forbidden);
}

} // namespace
} // namespace baton::hostlink::testing
