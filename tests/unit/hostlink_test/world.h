#pragma once

#include "hostlink/agent.h"
#include "hostlink/fleet.h"
#include "hostlink/protocol.h"
#include "support/link_in_memory.h"

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

/// A controller's fleet and a host's agent in one thread and in simulated time, with a link between
/// them that a test can cut anywhere.
namespace baton::hostlink::testing {

using baton::testing::HandClock;
using baton::testing::PipeEnd;

/// Blocking work, done when the test lets it.
class HeldWorkers {
  public:
    Workers workers() {
        return [this](const std::string& /*key*/, std::function<void()> work) {
            queue_.push_back(std::move(work));
        };
    }

    bool step() {
        if (held || queue_.empty())
            return false;
        auto work = std::move(queue_.front());
        queue_.pop_front();
        work();
        return true;
    }

    bool held = false;

    [[nodiscard]] std::size_t waiting() const { return queue_.size(); }

  private:
    std::deque<std::function<void()>> queue_;
};

/// Machines that are entries in a table, with guests that behave as told. Only what these tests
/// need: hypervisor::Simulated is the grown-up one.
class FakeHypervisor : public hypervisor::Hypervisor {
  public:
    struct Machine {
        DesktopInfo info;
        std::string person; ///< as its guest was told
        std::uint64_t mounted = 0;
    };

    void subscribe(Sink sink) override { sink_ = std::move(sink); }

    Result<DesktopInfo> start(const hypervisor::DesktopSpec& spec) override {
        ++starts;
        if (on_start)
            on_start(spec);
        if (fail_start)
            return fail(Errc::full, "no memory left");
        auto [it, fresh] = machines.try_emplace(spec.id);
        if (fresh) {
            it->second.info =
                DesktopInfo{spec.id, spec.session, spec.image.id,     spec.memory, true, false,
                            false,   {},           {"10.0.0.2", 5900}};
            if (spec.local_screen)
                it->second.info.screen = {};
            if (guest_speaks) {
                say(spec.id, guest::Hello{1, "1", "tiny-1", "boot", false, 0});
                if (guest_gets_ready)
                    say(spec.id, guest::Ready{});
            }
        }
        return it->second.info;
    }

    Result<void> stop(const DesktopId& desktop) override {
        ++stops;
        if (fail_stop)
            return fail(Errc::unavailable, "libvirt is away");
        if (machines.erase(desktop) > 0)
            emit(hypervisor::Stopped{desktop, "destroyed"});
        return {};
    }

    Result<void> attach_disk(const DesktopId& desktop, const hypervisor::DeskDisk& disk) override {
        const auto found = machines.find(desktop);
        if (found == machines.end())
            return fail(Errc::not_found, "no such desktop");
        auto& info = found->second.info;
        if (info.desk_attached && info.desk_fence != disk.source.fence)
            return fail(Errc::conflict, "another desk is in");
        info.desk_attached = true;
        info.desk_fence = disk.source.fence;
        return {};
    }

    Result<void> detach_disk(const DesktopId& desktop) override {
        const auto found = machines.find(desktop);
        if (found == machines.end())
            return fail(Errc::not_found, "no such desktop");
        auto& info = found->second.info;
        if (!info.desk_attached)
            return {};
        if (refuse_detach-- > 0) {
            emit(hypervisor::DetachRefused{desktop, info.desk_fence, "in use"});
            return {};
        }
        const auto fence = std::exchange(info.desk_fence, FencingNumber{});
        info.desk_attached = false;
        if (found->second.mounted != 0)
            ++torn;
        emit(hypervisor::DiskDetached{desktop, fence});
        return {};
    }

    Result<void> set_screen_password(const DesktopId& desktop, const std::string& password,
                                     WallTime) override {
        if (!machines.contains(desktop))
            return fail(Errc::not_found, "no such desktop");
        screen_password = password;
        return {};
    }

    Result<void> set_cpu_weight(const DesktopId& desktop, unsigned weight) override {
        ++weighings;
        if (!no_weights.empty())
            return fail(Errc::unsupported, no_weights);
        if (!machines.contains(desktop))
            return fail(Errc::not_found, "no such desktop");
        weights[desktop] = weight;
        return {};
    }

    Result<void> send(const DesktopId& desktop, const guest::ToGuest& message) override {
        const auto found = machines.find(desktop);
        if (found == machines.end())
            return fail(Errc::not_found, "no such desktop");
        if (!port_open)
            return fail(Errc::unavailable, "the guest has not opened its port");
        told.push_back(message);
        auto& machine = found->second;
        if (const auto* identify = std::get_if<guest::Identify>(&message))
            machine.person = identify->person;
        if (const auto* mount = std::get_if<guest::Mount>(&message); mount && guest_mounts) {
            if (machine.person.empty() || !machine.info.desk_attached) {
                say(desktop, guest::Failed{"mount", "nobody has been named yet"});
            } else {
                machine.mounted = mount->fence;
                say(desktop, guest::Mounted{mount->fence, 1000});
            }
        }
        if (std::holds_alternative<guest::Release>(message) && guest_releases) {
            machine.mounted = 0;
            say(desktop, guest::Released{machine.info.desk_fence.value});
        }
        return {};
    }

    Result<std::vector<DesktopInfo>> list() override {
        std::vector<DesktopInfo> all;
        for (const auto& [id, machine] : machines)
            all.push_back(machine.info);
        return all;
    }

    Result<std::string> console_tail(const DesktopId&, std::size_t) override {
        return std::string("Kernel panic - not syncing");
    }

    Result<std::string> screenshot(const DesktopId&) override { return std::string("P6"); }

    Result<Acceleration> acceleration() override { return Acceleration{}; }

    // ---- what a test does
    void emit(hypervisor::Event event) { sink_(event); }

    void say(const DesktopId& desktop, guest::FromGuest message) {
        emit(hypervisor::GuestSaid{desktop, std::move(message)});
    }

    void crash(const DesktopId& desktop) {
        machines.erase(desktop);
        emit(hypervisor::Stopped{desktop, "crashed"});
    }

    std::map<DesktopId, Machine> machines;
    std::map<DesktopId, unsigned> weights;
    std::string no_weights; ///< why CPU weights cannot be set; empty: they can
    int weighings = 0;
    std::vector<guest::ToGuest> told;
    std::string screen_password;
    std::function<void(const hypervisor::DesktopSpec&)> on_start;
    int starts = 0;
    int stops = 0;
    int torn = 0; ///< disks pulled out while mounted
    int refuse_detach = 0;
    bool fail_start = false;
    bool fail_stop = false;
    bool guest_speaks = true;
    bool guest_gets_ready = true;
    bool guest_mounts = true;
    bool guest_releases = true;
    bool port_open = true;

  private:
    Sink sink_;
};

class FakeImages : public ImageSource {
  public:
    Result<osimage::LocalImage> ensure(const OsImageId& id) override {
        ++ensured;
        if (missing)
            return fail(Errc::not_found, "no OS image is called " + id.value);
        osimage::LocalImage image;
        image.id = id;
        image.has_guest_agent = has_guest_agent;
        return image;
    }

    int ensured = 0;
    bool missing = false;
    bool has_guest_agent = true;
};

/// What the engine is told.
class Heard : public handoff::FleetEvents {
  public:
    void on_host_up(const HostFacts& facts) override { say("up " + facts.id.value); }

    void on_host_down(const HostId& host, const std::string&) override {
        say("down " + host.value);
    }

    void on_desktop_gone(const HostId& host, const DesktopId& desktop,
                         const std::string& why) override {
        say("gone " + host.value + " " + desktop.value + " " + why);
    }

    void on_answer(const DesktopId& desktop, bool now) override {
        say(std::string("answer ") + desktop.value + (now ? " now" : " not now"));
    }

    void on_logged_out(const DesktopId& desktop) override { say("out " + desktop.value); }

    std::vector<std::string> take() { return std::exchange(words_, {}); }

    /// Called with each word as it comes.
    std::function<void(const std::string&)> also;

  private:
    void say(std::string word) {
        words_.push_back(word);
        if (also)
            also(word);
    }

    std::vector<std::string> words_;
};

class World : public ::testing::Test {
  protected:
    World() {
        spdlog::set_level(spdlog::level::off); // what is said of faults is said on purpose here
        fleet->set_events(heard);
        AgentSettings settings;
        settings.facts = {HostId("host1"), "10.0.0.2", 4_GiB, 2, {false, "no /dev/kvm"}, "0.1.0"};
        make_agent(settings);
    }

    void make_agent(const AgentSettings& settings) {
        agent = Agent::make({hypervisor, images, clock, quick.workers(), slow.workers()}, settings);
        settle();
    }

    /// A new link; nothing has been said on it yet.
    std::shared_ptr<PipeEnd::Pipe> dial(const std::string& certificate = "host1") {
        auto fresh = std::make_shared<PipeEnd::Pipe>();
        auto host_end = std::make_shared<PipeEnd>(fresh, 0, net::Peer{"10.0.0.1", "boot1", ""});
        auto controller_end =
            std::make_shared<PipeEnd>(fresh, 1, net::Peer{"10.0.0.2", certificate, "abc"});
        fresh->ends[0] = host_end;
        fresh->ends[1] = controller_end;
        net::Request request;
        request.path = std::string(target);
        EXPECT_TRUE(fleet->accept(request, controller_end));
        agent->serve(host_end, [this](LinkEnd end) { link_ends.push_back(std::move(end)); });
        pipe = fresh;
        pipes.push_back(fresh);
        return fresh;
    }

    void connect() {
        dial();
        settle();
        ASSERT_EQ(heard.take(), std::vector<std::string>{"up host1"});
    }

    /// Everything that happens without time passing.
    void settle() {
        for (bool more = true; more;) {
            more = clock.step() || slow.step() || quick.step();
            for (const auto& each : pipes)
                if (!more && !each->queue.empty()) {
                    auto action = std::move(each->queue.front());
                    each->queue.pop_front();
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

    static handoff::StartOrder order(const std::string& desktop = "d-1") {
        handoff::StartOrder order;
        order.desktop = DesktopId(desktop);
        order.session = SessionId("s-1");
        order.person = UserName("kim");
        order.image = OsImageId("tiny-1");
        order.memory = 512_MiB;
        order.screen_password = "secret";
        return order;
    }

    static DeskExport desk(std::uint64_t fence = 5) {
        return {DeskName("kim"),
                DeskId("1-2-3"),
                FencingNumber{fence},
                {"10.0.0.9", 10809},
                "desk.1-2-3.5",
                1 << 30,
                false};
    }

    template <class T>
    static handoff::Done<T> into(std::optional<Result<T>>& place) {
        return [&place](Result<T> result) {
            EXPECT_FALSE(place.has_value()) << "done came twice";
            place = std::move(result);
        };
    }

    void start_desktop() {
        std::optional<Result<handoff::Started>> started;
        fleet->start(HostId("host1"), order(), into(started));
        settle();
        ASSERT_TRUE(started && *started);
    }

    void attach_desk() {
        std::optional<Result<handoff::MountReport>> attached;
        fleet->attach(HostId("host1"), DesktopId("d-1"), desk(), std::chrono::seconds(30),
                      into(attached));
        settle();
        ASSERT_TRUE(attached && *attached);
    }

    HandClock clock;
    HeldWorkers quick;
    HeldWorkers slow;
    FakeHypervisor hypervisor;
    FakeImages images;
    Heard heard;
    std::set<std::string> joined{"host1", "host2"};
    std::unique_ptr<HostFleet> fleet =
        HostFleet::make(clock, [this](const HostId& host, const net::Peer& peer) -> Result<void> {
            if (!joined.contains(host.value) || peer.certificate_sha256 != "abc")
                return fail(Errc::forbidden, "no host of that name has joined");
            return {};
        });
    std::unique_ptr<Agent> agent;
    std::shared_ptr<PipeEnd::Pipe> pipe;
    std::vector<std::shared_ptr<PipeEnd::Pipe>> pipes;
    std::vector<LinkEnd> link_ends;
    const HostId host1{"host1"};
    const DesktopId d1{"d-1"};
};

} // namespace baton::hostlink::testing
