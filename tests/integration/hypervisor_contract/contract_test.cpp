#include "guest/status_strip.h"
#include "world.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <sstream>
#include <thread>

/// What src/hypervisor/hypervisor.h promises, kept by every adapter.
namespace baton::hypervisor::contract {

using namespace std::chrono_literals;

namespace {

struct Adapter {
    const char* name;
    std::unique_ptr<World> (*make)();
};

class Contract : public ::testing::TestWithParam<Adapter> {
  protected:
    void SetUp() override { world_ = GetParam().make(); }

    [[nodiscard]] Hypervisor& hypervisor() const { return world_->hypervisor(); }

    [[nodiscard]] std::optional<DesktopInfo> listed(const DesktopId& desktop) const {
        const auto desktops = hypervisor().list();
        EXPECT_TRUE(desktops) << desktops.error().message();
        if (desktops)
            for (const DesktopInfo& info : *desktops)
                if (info.id == desktop)
                    return info;
        return std::nullopt;
    }

    /// Starts a desktop and waits until it takes a desk.
    DesktopSpec start_ready(const std::string& id) {
        DesktopSpec spec = world_->spec(id);
        const auto started = hypervisor().start(spec);
        EXPECT_TRUE(started) << started.error().message();
        EXPECT_TRUE(world_->wait_ready(spec.id)) << console(spec.id);
        return spec;
    }

    [[nodiscard]] std::string console(const DesktopId& desktop) const {
        return hypervisor().console_tail(desktop, 2000).value_or("no console");
    }

    std::unique_ptr<World> world_;
};

template <class T>
Errc code_of(const Result<T>& result) {
    return result ? Errc::internal : result.error().code;
}

guest::Identify identify(const DesktopSpec& spec) {
    guest::Identify words;
    words.hostname = spec.id.value;
    words.person = "kim";
    words.session = spec.session.value;
    words.memory_mib = spec.memory.count;
    words.os_image = spec.image.id.value;
    words.unix_time_ms = 1'800'000'000'000;
    words.random_seed_hex = std::string(64, 'a');
    return words;
}

} // namespace

TEST_P(Contract, StartSaysWhatRunsAndTheGuestSaysWhenItIsReady) {
    const DesktopSpec spec = world_->spec("start");
    const auto started = hypervisor().start(spec);
    ASSERT_TRUE(started) << started.error().message();
    EXPECT_EQ(started->id, spec.id);
    EXPECT_EQ(started->session, spec.session);
    EXPECT_EQ(started->image, spec.image.id);
    EXPECT_EQ(started->memory, spec.memory);
    EXPECT_TRUE(started->running);
    EXPECT_FALSE(started->desk_attached);
    EXPECT_FALSE(started->screen.address.empty());
    EXPECT_GT(started->screen.port, 0);
    ASSERT_TRUE(world_->wait_ready(spec.id)) << console(spec.id);
    const auto info = listed(spec.id);
    ASSERT_TRUE(info);
    EXPECT_TRUE(info->guest_ready);
    EXPECT_EQ(info->screen, started->screen);
    EXPECT_EQ(info->memory, spec.memory);
    EXPECT_TRUE(hypervisor().stop(spec.id));
}

TEST_P(Contract, StopEndsItForgetsItAndSaysSoOnce) {
    const DesktopSpec spec = world_->spec("stop");
    ASSERT_TRUE(hypervisor().start(spec));
    EXPECT_FALSE(world_->left_behind().empty());
    const auto stopped = hypervisor().stop(spec.id);
    ASSERT_TRUE(stopped) << stopped.error().message();
    EXPECT_FALSE(listed(spec.id));
    EXPECT_TRUE(world_->left_behind().empty());
    const auto event = world_->wait_stopped(spec.id);
    ASSERT_TRUE(event);
    EXPECT_EQ(event->reason, "destroyed");
    EXPECT_TRUE(hypervisor().stop(spec.id)) << "stop is idempotent";
    EXPECT_TRUE(hypervisor().stop(DesktopId("d-neverwas")));
    EXPECT_EQ(
        world_->events().count([](const Event& e) { return std::holds_alternative<Stopped>(e); }),
        1U);
}

/// cpu.shares of every machine's control group, as the kernel has them.
static std::vector<unsigned long> shares_of_machines(const std::filesystem::path& groups) {
    std::vector<unsigned long> all;
    for (const auto& machine : std::filesystem::directory_iterator(groups / "machine"))
        if (machine.is_directory()) {
            std::ifstream file(machine.path() / "cpu.shares");
            unsigned long shares = 0;
            file >> shares;
            all.push_back(shares);
        }
    return all;
}

// Where it cannot be done, the reason is said, and nothing else is the worse for it.
TEST_P(Contract, StartedDesktopsHaveCpuWeightsOrTheReasonWhyNot) {
    const DesktopSpec spec = world_->spec("weight");
    ASSERT_TRUE(hypervisor().start(spec));
    for (const unsigned weight : {100U, 250U, 50U, 1U, 10'000U}) {
        const auto set = hypervisor().set_cpu_weight(spec.id, weight);
        const char* groups = std::getenv("BATON_CPU_GROUPS"); // lab/with-libvirtd --cpu-groups
        if (groups != nullptr && std::string(GetParam().name) == "libvirt") {
            ASSERT_TRUE(set) << set.error().message();
            EXPECT_EQ(shares_of_machines(groups), std::vector{weight * 1024UL / 100});
        }
        if (set)
            continue;
        EXPECT_EQ(set.error().code, Errc::unsupported) << set.error().message();
        EXPECT_FALSE(set.error().what.empty());
        std::cout << "not here: " << set.error().message() << "\n";
    }
    EXPECT_EQ(code_of(hypervisor().set_cpu_weight(spec.id, 0)), Errc::invalid_argument);
    EXPECT_EQ(code_of(hypervisor().set_cpu_weight(spec.id, 10'001)), Errc::invalid_argument);
    EXPECT_EQ(code_of(hypervisor().set_cpu_weight(DesktopId("d-neverwas"), 100)), Errc::not_found);
    EXPECT_TRUE(listed(spec.id)->running);
    EXPECT_TRUE(hypervisor().stop(spec.id));
}

TEST_P(Contract, StartIsIdempotentForTheSameSessionAndMemory) {
    DesktopSpec spec = world_->spec("again");
    const auto first = hypervisor().start(spec);
    ASSERT_TRUE(first);
    const auto second = hypervisor().start(spec);
    ASSERT_TRUE(second) << second.error().message();
    EXPECT_EQ(second->screen, first->screen);
    EXPECT_EQ(hypervisor().list()->size(), 1U);
    spec.memory = 512_MiB;
    EXPECT_EQ(code_of(hypervisor().start(spec)), Errc::conflict);
    spec = world_->spec("again");
    spec.session = SessionId("s-other");
    EXPECT_EQ(code_of(hypervisor().start(spec)), Errc::conflict);
    EXPECT_EQ(listed(spec.id)->memory, 256_MiB) << "a refused start changes nothing";
}

TEST_P(Contract, BadWordsAreRefusedBeforeAnythingIsTried) {
    const auto refused = [&](const std::function<void(DesktopSpec&)>& spoil) {
        DesktopSpec spec = world_->spec("bad");
        spec.image.minimum_memory = 128_MiB;
        spoil(spec);
        return code_of(hypervisor().start(spec));
    };
    EXPECT_EQ(refused([](DesktopSpec& s) { s.id = DesktopId("../etc/passwd"); }),
              Errc::invalid_argument);
    EXPECT_EQ(refused([](DesktopSpec& s) { s.id = DesktopId(); }), Errc::invalid_argument);
    EXPECT_EQ(refused([](DesktopSpec& s) { s.id = DesktopId(std::string(41, 'a')); }),
              Errc::invalid_argument);
    EXPECT_EQ(refused([](DesktopSpec& s) { s.memory = 127_MiB; }), Errc::invalid_argument);
    EXPECT_EQ(refused([](DesktopSpec& s) { s.screen_password.clear(); }), Errc::invalid_argument);
    EXPECT_EQ(refused([](DesktopSpec& s) { s.vcpus = 0; }), Errc::invalid_argument);
    EXPECT_EQ(code_of(hypervisor().stop(DesktopId("a/b"))), Errc::invalid_argument);
    EXPECT_TRUE(hypervisor().list()->empty());
    EXPECT_TRUE(world_->left_behind().empty());
}

TEST_P(Contract, WhatDoesNotFitIsRefusedAndLeavesNothing) {
    const auto started = hypervisor().start(world_->too_large("large"));
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().code, Errc::full) << started.error().message();
    EXPECT_TRUE(hypervisor().list()->empty());
    EXPECT_TRUE(world_->left_behind().empty());
}

TEST_P(Contract, NothingCanBeDoneToADesktopThatIsNotThere) {
    const DesktopId nobody("d-nobody");
    EXPECT_EQ(code_of(hypervisor().attach_disk(nobody, world_->desk(1))), Errc::not_found);
    EXPECT_EQ(code_of(hypervisor().detach_disk(nobody)), Errc::not_found);
    EXPECT_EQ(code_of(hypervisor().set_screen_password(nobody, "secret", WallTime{})),
              Errc::not_found);
    EXPECT_EQ(code_of(hypervisor().send(nobody, guest::Ask{})), Errc::not_found);
    EXPECT_EQ(code_of(hypervisor().screenshot(nobody)), Errc::not_found);
    EXPECT_EQ(hypervisor().console_tail(nobody, 100).value_or("?"), "");
}

TEST_P(Contract, AMachineThatDiesIsSaidAndItsOverlayIsGoneBefore) {
    const DesktopSpec spec = world_->spec("dies");
    ASSERT_TRUE(hypervisor().start(spec));
    world_->crash(spec.id);
    const auto stopped = world_->wait_stopped(spec.id);
    ASSERT_TRUE(stopped);
    EXPECT_NE(stopped->reason.find("crashed"), std::string::npos) << stopped->reason;
    EXPECT_TRUE(world_->left_behind().empty());
    EXPECT_FALSE(listed(spec.id));
}

TEST_P(Contract, SendIsUnavailableUntilTheGuestHasOpenedItsPort) {
    const DesktopSpec spec = world_->spec("port");
    ASSERT_TRUE(hypervisor().start(spec));
    EXPECT_EQ(code_of(hypervisor().send(spec.id, guest::Ask{})), Errc::unavailable);
    ASSERT_TRUE(world_->wait_ready(spec.id)) << console(spec.id);
    const auto sent = hypervisor().send(spec.id, guest::Ask{});
    EXPECT_TRUE(sent) << sent.error().message();
}

TEST_P(Contract, ADeskComesAndGoes) {
    const DesktopSpec spec = start_ready("desk");
    ASSERT_TRUE(hypervisor().send(spec.id, identify(spec)));
    const DeskDisk disk = world_->desk(7);
    const auto attached = hypervisor().attach_disk(spec.id, disk);
    ASSERT_TRUE(attached) << attached.error().message();
    EXPECT_TRUE(hypervisor().attach_disk(spec.id, disk)) << "the same fence again";
    EXPECT_EQ(code_of(hypervisor().attach_disk(spec.id, world_->desk(8))), Errc::conflict);
    ASSERT_TRUE(listed(spec.id));
    EXPECT_TRUE(listed(spec.id)->desk_attached);
    EXPECT_EQ(listed(spec.id)->desk_fence, FencingNumber{7});

    ASSERT_TRUE(hypervisor().send(spec.id, guest::Mount{disk.serial(), 7, false}));
    EXPECT_TRUE(world_->wait_said<guest::Mounted>(spec.id, [](const guest::Mounted& m) {
        return m.fence == 7 && m.free_bytes > 0;
    })) << console(spec.id);
    ASSERT_TRUE(hypervisor().send(spec.id, guest::Release{100}));
    EXPECT_TRUE(world_->wait_said<guest::Released>(
        spec.id, [](const guest::Released& r) { return r.fence == 7; }));

    const auto detached = hypervisor().detach_disk(spec.id);
    ASSERT_TRUE(detached) << detached.error().message();
    EXPECT_TRUE(world_->events().wait(
        [&](const Event& event) {
            const auto* gone = std::get_if<DiskDetached>(&event);
            return gone != nullptr && gone->desktop == spec.id && gone->fence.value == 7;
        },
        World::patience));
    EXPECT_FALSE(listed(spec.id)->desk_attached);
    EXPECT_EQ(listed(spec.id)->desk_fence, FencingNumber{});
    EXPECT_TRUE(hypervisor().detach_disk(spec.id)) << "no disk is success";
    // another one, under the next number
    EXPECT_TRUE(hypervisor().attach_disk(spec.id, world_->desk(8)));
    EXPECT_EQ(listed(spec.id)->desk_fence, FencingNumber{8});
}

TEST_P(Contract, AnotherAgentFindsWhatRuns) {
    const DesktopSpec spec = start_ready("agent");
    ASSERT_TRUE(hypervisor().attach_disk(spec.id, world_->desk(3)));
    const auto before = listed(spec.id);
    ASSERT_TRUE(before);
    const auto readies = [&] {
        return world_->events().count([&](const Event& event) {
            const auto* said = std::get_if<GuestSaid>(&event);
            return said != nullptr && std::holds_alternative<guest::Ready>(said->message);
        });
    };
    const std::size_t said_before = readies();
    world_->restart_agent();
    // it asks, and the guest says again how it is
    EXPECT_TRUE(
        world_->wait_said<guest::Hello>(spec.id, [](const guest::Hello& h) { return h.ready; }));
    EXPECT_TRUE(world_->wait_until([&] { return readies() > said_before; }));
    EXPECT_EQ(listed(spec.id), before);
    EXPECT_TRUE(hypervisor().start(spec)) << "the same desktop is started again";
    EXPECT_EQ(hypervisor().list()->size(), 1U);
    EXPECT_TRUE(hypervisor().detach_disk(spec.id));
    EXPECT_TRUE(hypervisor().stop(spec.id));
    EXPECT_TRUE(world_->left_behind().empty());
}

TEST_P(Contract, AHypervisorThatGoesAwayAndComesBackKeepsItsDesktops) {
    const DesktopSpec spec = start_ready("away");
    world_->interrupt_hypervisor();
    const auto changed = [&](bool connected) {
        return world_->events().count([&](const Event& event) {
            const auto* change = std::get_if<ConnectionChanged>(&event);
            return change != nullptr && change->connected == connected;
        });
    };
    EXPECT_TRUE(world_->wait_until([&] { return changed(false) == 1 && changed(true) == 2; }));
    const auto info = listed(spec.id);
    ASSERT_TRUE(info);
    EXPECT_TRUE(info->running);
    EXPECT_TRUE(hypervisor().stop(spec.id));
    EXPECT_TRUE(world_->wait_stopped(spec.id));
}

TEST_P(Contract, ThePictureIsAPixmap) {
    const DesktopSpec spec = start_ready("picture");
    const auto picture = hypervisor().screenshot(spec.id);
    ASSERT_TRUE(picture) << picture.error().message();
    std::istringstream header(*picture);
    std::string magic;
    std::size_t width = 0;
    std::size_t height = 0;
    std::size_t most = 0;
    header >> magic >> width >> height >> most;
    ASSERT_EQ(magic, "P6");
    ASSERT_EQ(most, 255U);
    ASSERT_GE(picture->size(), width * height * 3);
    ASSERT_GE(width, static_cast<std::size_t>(guest::strip::width));
    const std::size_t start = picture->size() - width * height * 3;
    const auto strip = guest::read_strip([&](int x, int y) {
        const std::size_t at =
            start + (static_cast<std::size_t>(y) * width + static_cast<std::size_t>(x)) * 3;
        const auto channel = [&](std::size_t i) {
            return static_cast<std::uint8_t>((*picture)[at + i]);
        };
        return guest::Rgb{channel(0), channel(1), channel(2)};
    });
    ASSERT_TRUE(strip) << "the guest's status strip is in the picture";
    EXPECT_EQ(strip->memory(), 256_MiB);
}

TEST_P(Contract, TheScreenPasswordCanBeChanged) {
    const DesktopSpec spec = world_->spec("password");
    ASSERT_TRUE(hypervisor().start(spec));
    const auto until = spec.screen_password_until + std::chrono::hours(1);
    const auto changed = hypervisor().set_screen_password(spec.id, "another", until);
    EXPECT_TRUE(changed) << changed.error().message();
    EXPECT_EQ(code_of(hypervisor().set_screen_password(spec.id, "", until)),
              Errc::invalid_argument);
}

TEST_P(Contract, ALocalScreenHasNoEndpointAndNoPassword) {
    DesktopSpec spec = world_->spec("local");
    spec.local_screen = true;
    spec.screen_password.clear();
    const auto started = hypervisor().start(spec);
    ASSERT_TRUE(started) << started.error().message();
    EXPECT_EQ(started->screen, Endpoint{});
    EXPECT_TRUE(hypervisor().start(spec)) << "idempotent";
    DesktopSpec other = world_->spec("local");
    EXPECT_EQ(code_of(hypervisor().start(other)), Errc::conflict) << "the other kind of screen";
    EXPECT_TRUE(hypervisor().set_screen_password(spec.id, "secret", WallTime{}));
    EXPECT_TRUE(hypervisor().set_screen_password(spec.id, "", WallTime{}));
    const auto picture = hypervisor().screenshot(spec.id);
    ASSERT_TRUE(picture) << picture.error().message();
    EXPECT_EQ(picture->substr(0, 2), "P6");
    world_->restart_agent();
    EXPECT_TRUE(world_->wait_until([&] { return hypervisor().list().has_value(); }));
    EXPECT_EQ(listed(spec.id)->screen, Endpoint{});
    EXPECT_TRUE(hypervisor().start(spec));
    EXPECT_TRUE(hypervisor().stop(spec.id));
    EXPECT_TRUE(world_->left_behind().empty());

    ASSERT_TRUE(hypervisor().start(other));
    other.local_screen = true;
    EXPECT_EQ(code_of(hypervisor().start(other)), Errc::conflict);
    EXPECT_NE(listed(other.id)->screen, Endpoint{});
}

TEST_P(Contract, TheConsoleIsPrintableAndAsShortAsWanted) {
    const DesktopSpec spec = start_ready("console");
    const auto tail = hypervisor().console_tail(spec.id, 40);
    ASSERT_TRUE(tail);
    EXPECT_LE(tail->size(), 40U);
    for (const char c : *tail)
        EXPECT_TRUE(c == '\n' || (c >= ' ' && c <= '~')) << static_cast<int>(c);
}

TEST_P(Contract, DesktopsAreStartedAndStoppedSideBySide) {
    constexpr int count = 3;
    std::vector<std::thread> threads;
    std::atomic<int> started = 0;
    for (int i = 0; i < count; ++i)
        threads.emplace_back([&, i] {
            if (hypervisor().start(world_->spec("side" + std::to_string(i))))
                ++started;
        });
    for (std::thread& thread : threads)
        thread.join();
    EXPECT_EQ(started, count);
    EXPECT_EQ(hypervisor().list()->size(), 3U);
    threads.clear();
    for (int i = 0; i < count; ++i)
        threads.emplace_back(
            [&, i] { EXPECT_TRUE(hypervisor().stop(DesktopId("d-side" + std::to_string(i)))); });
    for (std::thread& thread : threads)
        thread.join();
    EXPECT_TRUE(hypervisor().list()->empty());
    EXPECT_TRUE(world_->left_behind().empty());
}

TEST_P(Contract, AccelerationHasAReason) {
    const auto acceleration = hypervisor().acceleration();
    ASSERT_TRUE(acceleration);
    EXPECT_FALSE(acceleration->reason.empty());
}

INSTANTIATE_TEST_SUITE_P(Adapters, Contract,
                         ::testing::Values(Adapter{"libvirt", make_libvirt_world},
                                           Adapter{"simulated", make_simulated_world}),
                         [](const auto& adapter) { return adapter.param.name; });

} // namespace baton::hypervisor::contract
