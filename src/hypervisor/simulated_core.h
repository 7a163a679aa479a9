#pragma once

#include "hypervisor/simulated.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <mutex>

namespace baton::hypervisor {

struct SimulatedMachine {
    DesktopSpec spec;
    DesktopInfo info;
    SimulatedGuest guest;
    std::uint64_t birth = 0; ///< tells it from a later one of the same id
    std::optional<DeskDisk> disk;
    bool detaching = false;
    bool mounted = false;
    std::uint64_t last_fence = 0;
    std::optional<guest::Mount> wanted; ///< asked to mount what is not plugged in yet
    std::vector<guest::ToGuest> told;
    unsigned cpu_weight = 100;
};

struct SimulatedFault {
    Error error;
    bool after_work = false;
};

/// The table, shared with what is due later; outlives the adapter for as long as an action runs.
class SimulatedCore : public std::enable_shared_from_this<SimulatedCore> {
  public:
    SimulatedCore(SimulatedSettings settings, SimulatedTime& time)
        : settings_(std::move(settings)), time_(time), guest_(settings_.guest) {}

    void subscribe(Hypervisor::Sink sink) {
        {
            const std::scoped_lock lock(sink_mutex_);
            sink_ = std::move(sink);
        }
        say(ConnectionChanged{true});
    }

    void close() {
        const std::scoped_lock lock(sink_mutex_);
        sink_ = nullptr;
    }

    /// Every call goes through it: time, faults, the connection; `work` runs under the lock.
    template <class Work>
    auto call(Call kind, Work work) -> decltype(work()) {
        std::chrono::nanoseconds takes = settings_.call_takes;
        {
            const std::scoped_lock lock(mutex_);
            if (const auto slow = slow_.find(kind); slow != slow_.end())
                takes += slow->second;
        }
        if (takes.count() > 0)
            time_.spend(takes);
        const std::scoped_lock lock(mutex_);
        if (!connected_)
            return fail(Errc::unavailable, "the simulated hypervisor cannot be reached",
                        "it is tried again");
        std::deque<SimulatedFault>& faults = faults_[kind];
        if (faults.empty())
            return work();
        const SimulatedFault fault = std::move(faults.front());
        faults.pop_front();
        if (fault.after_work)
            (void)work();
        return tl::unexpected(fault.error);
    }

    Result<DesktopInfo> start(const DesktopSpec& spec);
    Result<void> stop(const DesktopId& desktop);
    Result<void> attach(const DesktopId& desktop, const DeskDisk& disk);
    Result<void> detach(const DesktopId& desktop);
    Result<void> set_password(const DesktopId& desktop, const std::string& password,
                              WallTime until);
    Result<void> weigh(const DesktopId& desktop, unsigned weight);
    Result<void> send(const DesktopId& desktop, const guest::ToGuest& message);
    Result<std::string> console(const DesktopId& desktop, std::size_t bytes);
    Result<std::string> screenshot(const DesktopId& desktop);
    std::vector<DesktopInfo> list();

    void inject(Call call, const SimulatedFault& fault, unsigned times) {
        const std::scoped_lock lock(mutex_);
        for (unsigned i = 0; i < times; ++i)
            faults_[call].push_back(fault);
    }

    void slow_down(Call call, std::chrono::milliseconds by) {
        const std::scoped_lock lock(mutex_);
        slow_[call] = by;
    }

    void lose(const DesktopId& desktop, const std::string& reason) {
        const std::scoped_lock lock(mutex_);
        remove(desktop, reason);
    }

    void lie(const DesktopId& desktop, Mebibytes reported) {
        const std::scoped_lock lock(mutex_);
        lies_[desktop] = reported;
    }

    void set_connected(bool connected);

    void set_guest(const std::optional<DesktopId>& desktop, SimulatedGuest guest) {
        const std::scoped_lock lock(mutex_);
        if (!desktop)
            guest_ = guest;
        else if (SimulatedMachine* machine = find(*desktop))
            machine->guest = guest;
        else
            guests_[*desktop] = guest;
    }

    void guest_says(const DesktopId& desktop, guest::FromGuest message) {
        say(GuestSaid{desktop, std::move(message)});
    }

    std::vector<Simulated::View> view() {
        const std::scoped_lock lock(mutex_);
        std::vector<Simulated::View> views;
        views.reserve(machines_.size());
        for (const auto& [id, machine] : machines_)
            views.push_back(
                {machine.info, machine.spec, machine.mounted, machine.told, machine.cpu_weight});
        return views;
    }

    Mebibytes in_use() {
        const std::scoped_lock lock(mutex_);
        return in_use_;
    }

    Mebibytes high_water() {
        const std::scoped_lock lock(mutex_);
        return high_water_;
    }

  private:
    SimulatedMachine* find(const DesktopId& desktop) {
        const auto found = machines_.find(desktop);
        return found == machines_.end() ? nullptr : &found->second;
    }

    static tl::unexpected<Error> no_such(const DesktopId& desktop) {
        return fail(Errc::not_found, fmt::format("no desktop {} runs on this host", desktop.value));
    }

    DesktopInfo reported(const SimulatedMachine& machine) const {
        DesktopInfo info = machine.info;
        if (const auto lie = lies_.find(info.id); lie != lies_.end())
            info.memory = lie->second;
        return info;
    }

    /// Later, and only if that machine is still there then; under the lock.
    void later(const SimulatedMachine& machine, std::chrono::milliseconds delay,
               std::function<void(SimulatedMachine&)> action) {
        time_.after(delay, [weak = weak_from_this(), id = machine.spec.id, birth = machine.birth,
                            action = std::move(action)] {
            const auto core = weak.lock();
            if (!core)
                return;
            const std::scoped_lock lock(core->mutex_);
            if (SimulatedMachine* same = core->find(id); same != nullptr && same->birth == birth)
                action(*same);
        });
    }

    /// In order, from the thread of time.
    void say(Event event) {
        time_.after(std::chrono::nanoseconds{0},
                    [weak = weak_from_this(), event = std::move(event)] {
                        if (const auto core = weak.lock())
                            core->deliver(event);
                    });
    }

    void deliver(const Event& event) {
        {
            const std::scoped_lock lock(mutex_);
            // while the hypervisor is away only that itself is said
            if (!connected_ && !std::holds_alternative<ConnectionChanged>(event)) {
                held_back_.push_back(event);
                return;
            }
        }
        const std::scoped_lock lock(sink_mutex_);
        if (sink_)
            sink_(event);
    }

    void remove(const DesktopId& desktop, const std::string& reason) {
        const auto found = machines_.find(desktop);
        if (found == machines_.end())
            return;
        in_use_ -= found->second.spec.memory;
        machines_.erase(found);
        lies_.erase(desktop);
        say(Stopped{desktop, reason});
    }

    void boot(const SimulatedMachine& machine);
    void mount(SimulatedMachine& machine);
    void hear(SimulatedMachine& machine, const guest::ToGuest& message);
    static guest::Hello hello(const SimulatedMachine& machine);

    SimulatedSettings settings_;
    SimulatedTime& time_;
    std::mutex mutex_;
    std::map<DesktopId, SimulatedMachine> machines_;
    SimulatedGuest guest_;
    std::map<DesktopId, SimulatedGuest> guests_;
    std::map<DesktopId, Mebibytes> lies_;
    std::map<Call, std::deque<SimulatedFault>> faults_;
    std::map<Call, std::chrono::milliseconds> slow_;
    std::vector<Event> held_back_;
    bool connected_ = true;
    Mebibytes in_use_;
    Mebibytes high_water_;
    std::uint64_t births_ = 0;
    std::mutex sink_mutex_;
    Hypervisor::Sink sink_;
};

} // namespace baton::hypervisor
