#pragma once

#include "handoff/engine.h"
#include "store/memory.h"
#include "support/simulated_clock.h"

#include <fmt/format.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

/// Everything around the engine, in simulated time: hosts with desktops, the desk server, routes,
/// a store, and people who write to their desks. It outlives the engine, as the world outlives
/// batond. After every event it checks what must never be broken (check()).
namespace baton::testing {

using handoff::Done;
using std::chrono::milliseconds;

/// What happens to one call of a port.
enum class Fault : std::uint8_t {
    none,
    fail,           ///< an error at once, nothing done
    timeout_before, ///< nothing done, Errc::timeout after the deadline
    timeout_after,  ///< done, but the answer is lost: Errc::timeout after the deadline
    duplicate,      ///< done, and the answer comes twice
    slow,           ///< done, ten times slower
    crash_before,   ///< the controller dies as it makes the call: nothing done
    crash_after,    ///< the controller dies right after the call was sent
};

/// One VM of the simulation.
struct SimDesktop {
    handoff::StartOrder order;
    HostId host;
    bool ready = false;
    std::optional<DeskExport> disk; ///< plugged in
    bool mounted = false;
    std::uint64_t view = 0;      ///< the newest version of the desk that its page cache has
    std::uint64_t os_writes = 0; ///< to the overlay, gone with it
    std::chrono::nanoseconds busy_until{};
};

struct SimHost {
    store::HostRow row;
    bool connected = true; ///< its agent reaches the controller
    std::map<DesktopId, SimDesktop> desktops;
};

/// One desk at the desk server.
struct SimDesk {
    FencingNumber fence; ///< the largest given out
    std::optional<DeskExport> open;
    HostId holder;
    std::uint64_t content = 0; ///< version on the disk
    std::uint64_t flushed = 0; ///< newest version whose flush was confirmed to a person
    bool damaged = false;
    std::chrono::nanoseconds busy_until{};
};

class HandoffWorld final : private handoff::Fleet,
                           private handoff::DeskServer,
                           private handoff::Path {
  public:
    explicit HandoffWorld(handoff::EngineSettings settings = {}) : settings_(settings) {}

    // ---- setting up ----------------------------------------------------------------------
    void add_host(const std::string& name, Mebibytes memory, Mebibytes reserve = 0_MiB) {
        SimHost host;
        host.row.id = HostId(name);
        host.row.address = "10.1.0." + std::to_string(hosts.size() + 1);
        host.row.memory = memory;
        host.row.reserve = reserve;
        host.row.joined = true;
        hosts[host.row.id] = host;
        store::Change change;
        change.hosts.push_back(host.row);
        setup(change);
    }

    void add_user(const std::string& name, bool with_desk = true) {
        store::Change change;
        change.users.push_back({UserName(name), Role::user, "", false, {}});
        if (with_desk) {
            store::DeskRow desk;
            desk.name = DeskName(name);
            desk.id = DeskId("uuid-" + name);
            desk.owner = UserName(name);
            desk.size_bytes = 1 << 30;
            change.desks.push_back(desk);
            desks[desk.name] = {};
        }
        setup(change);
    }

    /// A new life of the controller over the same store and world.
    void boot() {
        engine.reset();
        guarded([this] {
            engine = handoff::Engine::make(store, *this, *this, *this, clock, settings_);
            engine->on_events([this](const std::vector<store::EventRow>& rows) {
                events.insert(events.end(), rows.begin(), rows.end());
            });
            if (const auto resumed = engine->resume(); !resumed) {
                // batond ends with the error, and is started again.
                engine.reset();
                clock.after(std::chrono::seconds(1), [this] {
                    if (!engine)
                        boot();
                });
                return;
            }
            for (const auto& [id, host] : hosts)
                if (host.connected)
                    engine->on_host_up(facts(host));
        });
    }

    void kill() { engine.reset(); }

    // ---- what people do -------------------------------------------------------------------
    struct Answer {
        std::optional<Result<handoff::SessionView>> result;
    };

    std::shared_ptr<Answer> open(const std::string& user, const std::string& client = "",
                                 RouteKind route = RouteKind::nat) {
        auto answer = std::make_shared<Answer>();
        handoff::OpenRequest request;
        request.user = UserName(user);
        request.image = OsImageId("tiny-1");
        request.client = client;
        request.route = route;
        guarded([&] {
            if (engine)
                engine->open(request, [answer](auto result) { answer->result = result; });
        });
        return answer;
    }

    std::shared_ptr<Answer> grow(const SessionId& session) {
        auto answer = std::make_shared<Answer>();
        guarded([&] {
            if (engine)
                engine->grow(session, [answer](auto result) { answer->result = result; });
        });
        return answer;
    }

    std::shared_ptr<std::optional<Result<void>>> close(const SessionId& session) {
        auto answer = std::make_shared<std::optional<Result<void>>>();
        guarded([&] {
            if (engine)
                engine->close(session, [answer](auto result) { *answer = result; });
        });
        return answer;
    }

    std::shared_ptr<std::optional<Result<void>>> drain(const std::string& host) {
        auto answer = std::make_shared<std::optional<Result<void>>>();
        guarded([&] {
            if (engine)
                engine->drain(HostId(host), [answer](auto result) { *answer = result; });
        });
        return answer;
    }

    void undrain(const std::string& host) {
        guarded([&] {
            if (engine)
                static_cast<void>(engine->undrain(HostId(host)));
        });
    }

    void say(const DesktopId& desktop, bool now) {
        guarded([&] {
            if (engine)
                engine->on_answer(desktop, now);
        });
    }

    // ---- what happens to hosts and desktops -----------------------------------------------
    /// The link to the agent breaks; its desktops run on, and reach the desk server.
    void cut(const std::string& name) {
        auto& host = hosts.at(HostId(name));
        if (!host.connected)
            return;
        host.connected = false;
        drop_replies(host.row.id);
        clock.post([this, id = host.row.id] {
            if (engine && !hosts.at(id).connected)
                engine->on_host_down(id, "the link was cut");
        });
    }

    /// The host loses power: its desktops are gone.
    void crash_host(const std::string& name) {
        hosts.at(HostId(name)).desktops.clear();
        cut(name);
    }

    void reconnect(const std::string& name) {
        auto& host = hosts.at(HostId(name));
        if (std::exchange(host.connected, true))
            return;
        clock.post([this, id = host.row.id] {
            if (engine && hosts.at(id).connected)
                engine->on_host_up(facts(hosts.at(id)));
        });
    }

    /// A desktop that the store does not know (it was restored from a backup, say) runs on a host
    /// that is away just now.
    void plant_stray(const std::string& name) {
        auto& host = hosts.at(HostId(name));
        auto taken = used(host);
        // Starts that were sent before the link broke are still to be carried out.
        const auto rows = store.desktops().value();
        for (const auto& row : rows)
            if (row.host == host.row.id && !host.desktops.contains(row.id))
                taken += row.memory;
        if (host.connected || taken + 512_MiB > host.row.memory - host.row.reserve)
            return;
        SimDesktop stray;
        stray.order.desktop = DesktopId("d-stray" + std::to_string(++strays_));
        stray.order.memory = 512_MiB;
        stray.host = host.row.id;
        host.desktops[stray.order.desktop] = stray;
    }

    /// A VM ends by itself (crash, or a reboot inside the guest).
    void lose_desktop(const DesktopId& id) {
        for (auto& [host_id, host] : hosts) {
            if (host.desktops.erase(id) == 0)
                continue;
            clock.after(milliseconds(2), [this, on = host_id, id] {
                if (engine && hosts.at(on).connected)
                    engine->on_desktop_gone(on, id, "the guest crashed");
            });
        }
    }

    // ---- time ----------------------------------------------------------------------
    /// Runs until nothing is left to happen. A world that never comes to rest is a violation.
    void settle(std::size_t most = 200'000) {
        while (most-- > 0)
            if (!step())
                return;
        violation("the world does not come to rest");
    }

    void run_for(std::chrono::nanoseconds span) {
        const auto until = clock.monotonic() + span;
        while (step(until)) {
        }
        clock.advance_to(until);
    }

    bool step(std::chrono::nanoseconds until = std::chrono::hours(10'000)) {
        bool more = false;
        guarded([&] { more = clock.run_one(until); });
        ++steps;
        if (reboot_wanted_) {
            reboot_wanted_ = false;
            more = true;
            boot();
        }
        check();
        if (on_step)
            on_step();
        return more;
    }

    // ---- looking ----------------------------------------------------------------------
    [[nodiscard]] std::optional<store::SessionRow> session_of(const std::string& user) {
        const auto rows = store.sessions(false).value();
        for (const auto& row : rows)
            if (row.user.value == user)
                return row;
        return std::nullopt;
    }

    [[nodiscard]] SimDesktop* find(const DesktopId& id) {
        for (auto& [host_id, host] : hosts)
            if (const auto found = host.desktops.find(id); found != host.desktops.end())
                return &found->second;
        return nullptr;
    }

    [[nodiscard]] SimDesktop* desktop_of(const std::string& user) {
        const auto session = session_of(user);
        return session ? find(session->desktop) : nullptr;
    }

    [[nodiscard]] Mebibytes used(const SimHost& host) const {
        Mebibytes sum;
        for (const auto& [id, desktop] : host.desktops)
            sum += desktop.order.memory;
        return sum;
    }

    [[nodiscard]] std::size_t desktops() const {
        std::size_t count = 0;
        for (const auto& [id, host] : hosts)
            count += host.desktops.size();
        return count;
    }

    /// Of the desktops that serve, in the order of joining, as the hypervisors say.
    [[nodiscard]] std::vector<std::int64_t> sizes_in_join_order() {
        std::vector<std::int64_t> sizes;
        const auto rows = store.sessions(false).value();
        for (const auto& row : rows)
            if (const auto* desktop = find(row.desktop))
                sizes.push_back(desktop->order.memory.count);
        return sizes;
    }

    [[nodiscard]] std::vector<store::EventRow> events_of(const std::string& kind) const {
        std::vector<store::EventRow> found;
        for (const auto& event : events)
            if (event.kind == kind)
                found.push_back(event);
        return found;
    }

    /// Somebody types: writes to the desk (flushed) and to the OS. false: not possible now.
    bool write(SimDesktop& desktop);
    /// Everybody who can, writes.
    void everybody_writes();

    // ---- what must hold -------------------------------------------------------------------
    void check();
    /// What must hold when the world has come to rest with every host back.
    void check_at_rest();

    void violation(const std::string& what) {
        if (violations.size() < 20)
            violations.push_back(fmt::format(
                "[{:.3f} s] {}", std::chrono::duration<double>(clock.monotonic()).count(), what));
    }

    SimulatedClock clock;
    store::MemoryStore store;
    std::unique_ptr<handoff::Engine> engine;
    std::map<HostId, SimHost> hosts;
    std::map<DeskName, SimDesk> desks;
    std::map<SessionId, Endpoint> routes;
    std::vector<store::EventRow> events; ///< as watchers saw them
    std::vector<std::string> violations;
    std::vector<std::string> notices; ///< shown on screens
    std::uint64_t steps = 0;
    std::uint64_t effects = 0; ///< calls of ports so far
    std::uint64_t crashes = 0;
    /// Asked at each call of a port, with its name and number.
    std::function<Fault(const std::string& call, std::uint64_t effect)> faults;
    /// An error of the real thing for this call; nothing is done then.
    std::function<std::optional<Error>(const std::string& call, const DesktopId& desktop)> refuses;
    std::function<void()> on_step;
    milliseconds boot_time{1'000};

  private:
    void setup(store::Change& change) {
        if (const auto written = store.commit(change); !written)
            violation("setup: " + written.error().message());
    }

    static HostFacts facts(const SimHost& host) {
        HostFacts facts;
        facts.id = host.row.id;
        facts.address = host.row.address;
        facts.memory = host.row.memory;
        return facts;
    }

    /// Runs what may be the controller's death.
    template <class Action>
    void guarded(Action action) {
        try {
            action();
        } catch (const store::SimulatedCrash&) {
            ++crashes;
            engine.reset();
            reboot_wanted_ = true;
        }
    }

    void drop_replies(const HostId& host);

    /// One call: `effect` runs once, later, in order with the other calls of the same thing; its
    /// result is the answer.
    template <class T>
    void call(const std::string& name, const DesktopId& desktop, const HostId* host,
              std::chrono::nanoseconds* busy_until, milliseconds time, milliseconds deadline,
              std::function<Result<T>()> effect, Done<T> done);

    void start(const HostId& host, const handoff::StartOrder& order,
               Done<handoff::Started> done) override;
    void attach(const HostId& host, const DesktopId& desktop, const DeskExport& desk,
                milliseconds deadline, Done<handoff::MountReport> done) override;
    void release(const HostId& host, const DesktopId& desktop, milliseconds grace,
                 milliseconds deadline, Done<void> done) override;
    void stop(const HostId& host, const DesktopId& desktop, Done<void> done) override;
    void set_screen_password(const HostId& host, const DesktopId& desktop, const std::string&,
                             WallTime, Done<void> done) override;
    void notify(const HostId& host, const DesktopId& desktop, const std::string& text,
                std::chrono::seconds, bool may_defer, Done<void> done) override;
    void list(const HostId& host, Done<std::vector<DesktopInfo>> done) override;
    void lease(const DeskName& desk, FencingNumber fence, const HostId& holder,
               Done<DeskExport> done) override;
    void close(const DeskName& desk, FencingNumber fence, Done<void> done) override;
    void point(const handoff::PathOrder& order, Done<void> done) override;
    void remove(const SessionId& session, Done<void> done) override;

    [[nodiscard]] bool can_write(const SimDesktop& desktop) const;
    void check_session(const store::SessionRow& session);

    struct Pending {
        HostId host;
        std::function<void(const Error&)> fail;
    };

    handoff::EngineSettings settings_;
    bool reboot_wanted_ = false;
    std::uint64_t last_pending_ = 0;
    std::uint64_t strays_ = 0;
    std::map<std::uint64_t, Pending> pending_;
    std::map<DesktopId, std::chrono::nanoseconds> desktop_busy_;
    std::map<HostId, std::chrono::nanoseconds> host_busy_;
    std::map<SessionId, std::chrono::nanoseconds> route_busy_;
    std::map<DeskName, std::uint64_t> content_seen_;
};

} // namespace baton::testing

#include "support/handoff_world_parts.h"
