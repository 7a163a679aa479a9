#include "world.h"

#include <gtest/gtest.h>

#include <algorithm>
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

[[maybe_unused]] guest::Identify identify(const DesktopSpec& spec) {
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

INSTANTIATE_TEST_SUITE_P(Adapters, Contract,
                         ::testing::Values(Adapter{"libvirt", make_libvirt_world}),
                         [](const auto& adapter) { return adapter.param.name; });

} // namespace baton::hypervisor::contract
