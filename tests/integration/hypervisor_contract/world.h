#pragma once

#include "hypervisor/hypervisor.h"

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

/// What the contract's tests run in: an adapter and the world around it.
namespace baton::hypervisor::contract {

/// The events of one adapter, to be waited for.
class Events {
  public:
    void add(const Event& event) {
        {
            const std::scoped_lock lock(mutex_);
            events_.push_back(event);
        }
        changed_.notify_all();
    }

    /// The first event for which `wanted` holds, also of those before the call; nullopt: none came
    /// in time.
    std::optional<Event> wait(const std::function<bool(const Event&)>& wanted,
                              std::chrono::milliseconds deadline) {
        std::unique_lock lock(mutex_);
        std::optional<Event> found;
        changed_.wait_for(lock, deadline, [&] {
            for (const Event& event : events_)
                if (!found && wanted(event))
                    found = event;
            return found.has_value();
        });
        return found;
    }

    /// Looks at `holds` now and after every event.
    bool wait_until(const std::function<bool()>& holds, std::chrono::milliseconds deadline) {
        const auto end = std::chrono::steady_clock::now() + deadline;
        while (!holds()) {
            std::unique_lock lock(mutex_);
            const std::size_t seen = events_.size();
            if (!changed_.wait_until(lock, end, [&] { return events_.size() != seen; }))
                return holds();
        }
        return true;
    }

    [[nodiscard]] std::size_t count(const std::function<bool(const Event&)>& wanted) const {
        const std::scoped_lock lock(mutex_);
        std::size_t n = 0;
        for (const Event& event : events_)
            n += wanted(event) ? 1 : 0;
        return n;
    }

  private:
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<Event> events_;
};

class World {
  public:
    virtual ~World() = default;

    [[nodiscard]] Hypervisor& hypervisor() { return *hypervisor_; }

    [[nodiscard]] Events& events() { return *events_; }

    /// A desktop that will say that it is ready.
    virtual DesktopSpec spec(const std::string& id) = 0;
    /// A desk that can be plugged in under that number.
    virtual DeskDisk desk(std::uint64_t fence) = 0;
    /// The desktop's machine dies as by a fault.
    virtual void crash(const DesktopId& desktop) = 0;
    /// The host agent is gone and another one takes its place.
    virtual void restart_agent() = 0;
    /// The hypervisor goes away for a moment; desktops run on.
    virtual void interrupt_hypervisor() = 0;
    /// What belongs to the desktop on the host's disk.
    virtual std::vector<std::string> left_behind() = 0;
    /// The host has room for two such desktops but not for this one.
    virtual DesktopSpec too_large(const std::string& id) = 0;

    /// Longer than anything takes on a busy machine under emulation.
    static constexpr std::chrono::seconds patience{60};

    /// Looks at `holds` after every event; false: it did not come to hold in time.
    bool wait_until(const std::function<bool()>& holds) {
        return events().wait_until(holds, patience);
    }

    bool wait_ready(const DesktopId& desktop) {
        return events()
            .wait(
                [&](const Event& event) {
                    const auto* said = std::get_if<GuestSaid>(&event);
                    return said != nullptr && said->desktop == desktop &&
                           std::holds_alternative<guest::Ready>(said->message);
                },
                patience)
            .has_value();
    }

    std::optional<Stopped> wait_stopped(const DesktopId& desktop) {
        const auto event = events().wait(
            [&](const Event& candidate) {
                const auto* stopped = std::get_if<Stopped>(&candidate);
                return stopped != nullptr && stopped->desktop == desktop;
            },
            patience);
        return event ? std::optional(std::get<Stopped>(*event)) : std::nullopt;
    }

    template <class Message>
    bool wait_said(const DesktopId& desktop, const std::function<bool(const Message&)>& wanted) {
        return events()
            .wait(
                [&](const Event& event) {
                    const auto* said = std::get_if<GuestSaid>(&event);
                    const auto* message = said != nullptr && said->desktop == desktop
                                              ? std::get_if<Message>(&said->message)
                                              : nullptr;
                    return message != nullptr && wanted(*message);
                },
                patience)
            .has_value();
    }

  protected:
    std::shared_ptr<Events> events_ = std::make_shared<Events>();
    std::unique_ptr<Hypervisor> hypervisor_;
};

std::unique_ptr<World> make_libvirt_world();
std::unique_ptr<World> make_simulated_world();

} // namespace baton::hypervisor::contract
