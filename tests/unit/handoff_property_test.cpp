#include "support/handoff_world.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <array>
#include <memory>
#include <ostream>
#include <random>

// Random worlds: people come, go, grow, say "not now"; hosts are cut off, crash and come back;
// desktops are lost; calls fail, time out, are answered twice or never; the store fails; the
// controller dies. After every single event the world checks what must never be broken, and when
// the faults stop everything must come to rest: each session served with its desk, or told.
namespace baton::handoff {
namespace {

using std::chrono::milliseconds;
using store::CommitFault;
using testing::Fault;
using testing::HandoffWorld;

/// One random step; what the numbers mean depends on the kind.
struct Step {
    std::uint32_t kind = 0;
    std::uint32_t who = 0;
    std::uint32_t span = 0;
};

std::ostream& operator<<(std::ostream& out, const Step& step) {
    return out << "{" << step.kind << ", " << step.who << ", " << step.span << "}";
}

std::uint64_t mix(std::uint64_t seed, std::uint64_t number) {
    std::uint64_t x = seed * 0x9e3779b97f4a7c15U + number;
    x ^= x >> 30U;
    x *= 0xbf58476d1ce4e5b9U;
    x ^= x >> 27U;
    x *= 0x94d049bb133111ebU;
    return x ^ (x >> 31U);
}

/// How wild the world is, in tenths of a percent.
struct Weather {
    std::uint64_t seed = 0;
    unsigned bad_effects = 0;
    unsigned bad_commits = 0;
    bool outages = false;
    bool losses = false;
    bool deaths = false;
};

void set_faults(HandoffWorld& world, const Weather& weather) {
    world.faults = [weather](const std::string&, std::uint64_t effect) {
        const auto dice = mix(weather.seed, effect);
        if (dice % 1000 >= weather.bad_effects)
            return Fault::none;
        constexpr std::array calm{Fault::fail, Fault::timeout_before, Fault::timeout_after,
                                  Fault::duplicate, Fault::slow};
        constexpr std::array deadly{Fault::crash_before, Fault::crash_after};
        if (weather.deaths && (dice >> 20U) % 4 == 0)
            return deadly.at((dice >> 30U) % deadly.size());
        return calm.at((dice >> 30U) % calm.size());
    };
    world.store.set_faults([weather](std::uint64_t commit) {
        const auto dice = mix(weather.seed + 1, commit);
        if (dice % 1000 >= weather.bad_commits)
            return CommitFault::none;
        constexpr std::array calm{CommitFault::full, CommitFault::io};
        constexpr std::array deadly{CommitFault::crash_before, CommitFault::crash_after};
        if (weather.deaths && (dice >> 20U) % 2 == 0)
            return deadly.at((dice >> 30U) % deadly.size());
        return calm.at((dice >> 30U) % calm.size());
    });
}

class RandomWorld {
  public:
    RandomWorld(const EngineSettings& settings, Weather weather)
        : world(settings), weather_(weather) {
        for (int i = 0; i < hosts; ++i)
            world.add_host("host" + std::to_string(i), 4_GiB);
        for (int i = 0; i < people; ++i)
            world.add_user(person(i), i % 5 != 0);
        world.boot();
        world.settle();
        set_faults(world, weather_);
    }

    /// Every third person comes by a gateway, the others by a port forward or by none.
    void open_some_way(const Step& step) {
        if (step.who % 3 == 0)
            world.open(person(step.who), "", RouteKind::gateway);
        else
            world.open(person(step.who), step.span % 3 != 0 ? "10.9.0.1" : "");
    }

    void take(const Step& step) {
        switch (step.kind % 16) {
        case 0:
        case 1:
        case 2:
        case 3:
        case 4:
            open_some_way(step);
            break;
        case 5:
        case 6:
            if (const auto session = world.session_of(person(step.who)))
                world.close(session->id);
            break;
        case 7:
            if (const auto session = world.session_of(person(step.who)))
                world.grow(session->id);
            break;
        case 8:
            answer(step.span % 3 == 0);
            break;
        case 9:
            world.everybody_writes();
            break;
        case 10:
            if (weather_.losses)
                if (const auto session = world.session_of(person(step.who)))
                    world.lose_desktop(session->desktop);
            break;
        case 11:
            if (weather_.outages)
                step.span % 3 == 0 ? world.crash_host(host(step.who)) : world.cut(host(step.who));
            break;
        case 12:
            world.reconnect(host(step.who));
            break;
        case 13:
            step.span % 2 == 0 ? static_cast<void>(world.drain(host(step.who)))
                               : world.undrain(host(step.who));
            break;
        case 14:
            world.clock.jump_wall(std::chrono::hours(step.span % 100) - std::chrono::hours(50));
            break;
        case 15:
            if (weather_.outages) {
                world.cut(host(step.who));
                world.plant_stray(host(step.who));
            }
            break;
        default:
            break;
        }
        world.run_for(milliseconds(step.span % 4'000));
        world.everybody_writes();
    }

    /// Whoever is being asked says "now" or "not now".
    void answer(bool now) {
        const auto moves = world.store.moves(false).value();
        for (const auto& move : moves)
            if (move.phase == store::MovePhase::announcing)
                return world.say(move.from, now);
    }

    /// The faults are over and every host is back.
    void rest() {
        world.faults = {};
        world.store.set_faults({});
        for (int i = 0; i < hosts; ++i) {
            world.reconnect(host(i));
            world.undrain(host(i));
        }
        world.settle();
        world.everybody_writes();
        world.check_at_rest();
    }

    static std::string person(std::uint32_t number) {
        return "p" + std::to_string(number % people);
    }

    static std::string host(std::uint32_t number) {
        return "host" + std::to_string(number % hosts);
    }

    static constexpr int people = 14;
    static constexpr int hosts = 2;

    HandoffWorld world;

  private:
    Weather weather_;
};

std::string all_of(const std::vector<std::string>& lines) {
    std::string text;
    for (const auto& line : lines)
        text += line + "\n";
    return text;
}

/// The whole range at every size: a small world is one with few steps, not one with tame ones.
rc::Gen<std::uint32_t> below(std::uint32_t bound) {
    return rc::gen::resize(rc::kNominalSize, rc::gen::inRange<std::uint32_t>(0, bound));
}

rc::Gen<std::vector<Step>> steps() {
    return rc::gen::container<std::vector<Step>>(
        rc::gen::construct<Step>(below(16), below(64), below(60'000)));
}

/// What the random worlds came across; a property that never meets a handoff shows nothing.
struct Seen {
    std::map<std::string, std::size_t> events;
    std::uint64_t crashes = 0;
    std::uint64_t steps = 0;

    void add(const HandoffWorld& world) {
        for (const auto& event : world.events)
            ++events[event.kind];
        crashes += world.crashes;
        steps += world.steps;
    }
} seen;

void hold_in(const Weather& weather, const std::vector<Step>& taken, bool grow_back) {
    EngineSettings settings;
    settings.grace = milliseconds(weather.seed % 2 == 0 ? 0 : 2'000);
    settings.not_now_delay = milliseconds(5'000);
    settings.grow_when_leaving = grow_back;
    // Maps are in the order of ids: with the same ids the same world.
    settings.random = [draw = std::make_shared<std::mt19937>(weather.seed)] { return (*draw)(); };
    RandomWorld random(settings, weather);
    for (const auto& step : taken)
        random.take(step);
    random.rest();
    seen.add(random.world);
    if (!random.world.violations.empty()) {
        RC_LOG() << all_of(random.world.violations) << "What had happened:\n";
        for (const auto& event : random.world.events)
            RC_LOG() << event.at.time_since_epoch().count() % 10'000'000 << " " << event.kind << " "
                     << event.subject << ": " << event.text << "\n";
    }
    RC_ASSERT(random.world.violations.empty());
}

RC_GTEST_PROP(HandoffProperty, HoldsInFairWeather, (bool grow_back)) {
    hold_in({*rc::gen::arbitrary<std::uint64_t>(), 0, 0, false, false, false}, *steps(), grow_back);
}

RC_GTEST_PROP(HandoffProperty, HoldsWhenCallsFail, (bool grow_back)) {
    hold_in({*rc::gen::arbitrary<std::uint64_t>(), 150, 20, false, true, false}, *steps(),
            grow_back);
}

RC_GTEST_PROP(HandoffProperty, HoldsWhenHostsComeAndGo, (bool grow_back)) {
    hold_in({*rc::gen::arbitrary<std::uint64_t>(), 30, 0, true, true, false}, *steps(), grow_back);
}

RC_GTEST_PROP(HandoffProperty, HoldsWhenEverythingGoesWrong, (bool grow_back)) {
    hold_in({*rc::gen::arbitrary<std::uint64_t>(), 150, 50, true, true, true}, *steps(), grow_back);
}

/// All properties were asked for, not a part of them by a filter.
bool all_are_run() {
    const auto& tests = *::testing::UnitTest::GetInstance();
    for (int i = 0; i < tests.total_test_suite_count(); ++i)
        if (const auto& suite = *tests.GetTestSuite(i);
            suite.test_to_run_count() < suite.total_test_count())
            return false;
    return true;
}

/// After them all: the worlds that were played have met what the properties are about.
class MetWhatItIsAbout : public ::testing::Environment {
    void TearDown() override {
        if (!all_are_run())
            return;
        for (const auto& [kind, count] : seen.events)
            ::testing::Test::RecordProperty(kind, static_cast<int>(count));
        for (const auto* kind :
             {"session.opened", "session.closed", "session.waiting", "session.failed",
              "handoff.done", "handoff.failed", "handoff.deferred", "desk.taken", "desktop.lost",
              "desktop.failed", "desktop.unknown", "host.lost"})
            EXPECT_GT(seen.events[kind], 0U) << kind;
        EXPECT_GT(seen.crashes, 0U);
    }
};

const auto* const after_all = ::testing::AddGlobalTestEnvironment(new MetWhatItIsAbout);

} // namespace
} // namespace baton::handoff
