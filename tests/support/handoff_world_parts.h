#pragma once

#include "support/handoff_world.h"

// The ports of the simulated world, and its checks.
namespace baton::testing {

template <class T>
void HandoffWorld::call(const std::string& name, const DesktopId& desktop, const HostId* host,
                        std::chrono::nanoseconds* busy_until, milliseconds time,
                        milliseconds deadline, std::function<Result<T>()> effect, Done<T> done) {
    const auto number = ++effects;
    const auto fault = faults ? faults(name, number) : Fault::none;
    if (fault == Fault::crash_before)
        throw store::SimulatedCrash{};
    const auto answer = [this, done](Result<T> result) {
        clock.post([done, result] { done(result); });
    };
    const auto refused = refuses ? refuses(name, desktop) : std::nullopt;
    if (host != nullptr && !hosts.at(*host).connected)
        answer(fail(Errc::unavailable, host->value + " is not connected"));
    else if (refused)
        clock.after(milliseconds(1), [done, refused] { done(tl::unexpected(*refused)); });
    else if (fault == Fault::fail)
        clock.after(milliseconds(1),
                    [done, name] { done(fail(Errc::io, name + " failed (simulated)")); });
    else {
        const bool lost = fault == Fault::timeout_before || fault == Fault::timeout_after;
        const auto delay = fault == Fault::slow ? time * 10 : time;
        const auto begin = std::max(clock.monotonic(), *busy_until);
        const auto end = begin + delay;
        const auto id = ++last_pending_;
        if (host != nullptr)
            pending_[id] = {*host, [answer](const Error& error) { answer(tl::unexpected(error)); }};
        if (fault != Fault::timeout_before) {
            *busy_until = end;
            clock.after(end - clock.monotonic(),
                        [this, id, lost, fault, done, effect, of_host = host != nullptr] {
                            // What was sent is done, whether or not anybody hears of it.
                            const auto result = effect();
                            if (lost || (of_host && pending_.erase(id) == 0))
                                return;
                            done(result);
                            if (fault == Fault::duplicate)
                                clock.after(milliseconds(3), [done, result] { done(result); });
                        });
        }
        if (lost)
            clock.after(end - clock.monotonic() + deadline,
                        [this, id, done, name, of_host = host != nullptr] {
                            if (!of_host || pending_.erase(id) != 0)
                                done(fail(Errc::timeout, name + " was not answered in time"));
                        });
    }
    if (fault == Fault::crash_after)
        throw store::SimulatedCrash{};
}

inline void HandoffWorld::drop_replies(const HostId& host) {
    std::vector<std::function<void(const Error&)>> broken;
    std::erase_if(pending_, [&](const auto& entry) {
        if (entry.second.host != host)
            return false;
        broken.push_back(entry.second.fail);
        return true;
    });
    for (const auto& fail_one : broken)
        fail_one(Error{Errc::unavailable, host.value + " was disconnected", {}, 0});
}

inline void HandoffWorld::start(const HostId& host, const handoff::StartOrder& order,
                                Done<handoff::Started> done) {
    call<handoff::Started>(
        "start", order.desktop, &host, &desktop_busy_[order.desktop], boot_time,
        order.ready_deadline,
        [this, host, order]() -> Result<handoff::Started> {
            auto& there = hosts.at(host);
            if (!there.connected && there.desktops.empty())
                return fail(Errc::unavailable, "the host is down");
            if (!there.desktops.contains(order.desktop) &&
                used(there) + order.memory > there.row.memory - there.row.reserve)
                violation(fmt::format("{} was given {} with {} in use", host.value,
                                      to_string(order.memory), to_string(used(there))));
            auto& desktop = there.desktops[order.desktop];
            desktop.order = order;
            desktop.host = host;
            desktop.ready = true;
            return handoff::Started{{there.row.address, 5900}, order.memory};
        },
        std::move(done));
}

inline void HandoffWorld::attach(const HostId& host, const DesktopId& id, const DeskExport& desk,
                                 milliseconds deadline, Done<handoff::MountReport> done) {
    call<handoff::MountReport>(
        "attach", id, &host, &desktop_busy_[id], milliseconds(100), deadline,
        [this, id, desk]() -> Result<handoff::MountReport> {
            auto* desktop = find(id);
            if (desktop == nullptr)
                return fail(Errc::not_found, "no such desktop");
            if (desktop->mounted && desktop->disk && desktop->disk->fence == desk.fence)
                return handoff::MountReport{};
            if (desktop->mounted)
                return fail(Errc::conflict, "another disk is plugged in");
            desktop->disk = desk;
            if (!can_write(*desktop))
                return fail(Errc::io, "the export is closed");
            const auto& there = desks.at(desk.desk);
            if (there.content < there.flushed)
                violation(fmt::format("desk {} has version {} though {} was flushed",
                                      desk.desk.value, there.content, there.flushed));
            desktop->mounted = true;
            desktop->view = there.content;
            return handoff::MountReport{};
        },
        std::move(done));
}

inline void HandoffWorld::release(const HostId& host, const DesktopId& id, milliseconds,
                                  milliseconds deadline, Done<void> done) {
    call<void>(
        "release", id, &host, &desktop_busy_[id], milliseconds(200), deadline,
        [this, id]() -> Result<void> {
            auto* desktop = find(id);
            if (desktop != nullptr) {
                desktop->mounted = false;
                desktop->disk.reset();
            }
            return {};
        },
        std::move(done));
}

inline void HandoffWorld::stop(const HostId& host, const DesktopId& id, Done<void> done) {
    call<void>(
        "stop", id, &host, &desktop_busy_[id], milliseconds(50), milliseconds(30'000),
        [this, host, id]() -> Result<void> {
            hosts.at(host).desktops.erase(id);
            return {};
        },
        std::move(done));
}

inline void HandoffWorld::set_screen_password(const HostId& host, const DesktopId& id,
                                              const std::string& password, WallTime until,
                                              Done<void> done) {
    call<void>(
        "set_screen_password", id, &host, &desktop_busy_[id], milliseconds(5), milliseconds(30'000),
        [this, id, password, until]() -> Result<void> {
            auto* desktop = find(id);
            if (desktop == nullptr)
                return fail(Errc::not_found, "no such desktop");
            desktop->order.screen_password = password;
            desktop->order.screen_password_until = until;
            return {};
        },
        std::move(done));
}

inline void HandoffWorld::notify(const HostId& host, const DesktopId& id, const std::string& text,
                                 std::chrono::seconds, bool may_defer, Done<void> done) {
    call<void>(
        "notify", id, &host, &desktop_busy_[id], milliseconds(1), milliseconds(5'000),
        [this, id, text, may_defer]() -> Result<void> {
            notices.push_back(
                fmt::format("{}: {}{}", id.value, text, may_defer ? " [now|not now]" : ""));
            return {};
        },
        std::move(done));
}

inline void HandoffWorld::list(const HostId& host, Done<std::vector<DesktopInfo>> done) {
    call<std::vector<DesktopInfo>>(
        "list", {}, &host, &host_busy_[host], milliseconds(5), milliseconds(10'000),
        [this, host]() -> Result<std::vector<DesktopInfo>> {
            std::vector<DesktopInfo> infos;
            for (const auto& [id, desktop] : hosts.at(host).desktops) {
                DesktopInfo info;
                info.id = id;
                info.session = desktop.order.session;
                info.image = desktop.order.image;
                info.memory = desktop.order.memory;
                info.running = true;
                info.guest_ready = desktop.ready;
                info.desk_attached = desktop.disk.has_value();
                info.desk_fence = desktop.disk ? desktop.disk->fence : FencingNumber{};
                infos.push_back(info);
            }
            return infos;
        },
        std::move(done));
}

inline void HandoffWorld::lease(const DeskName& name, FencingNumber fence, const HostId& holder,
                                Done<DeskExport> done) {
    auto& desk = desks.at(name);
    call<DeskExport>(
        "lease", {}, nullptr, &desk.busy_until, milliseconds(20), milliseconds(10'000),
        [this, name, fence, holder]() -> Result<DeskExport> {
            auto& there = desks.at(name);
            if (there.damaged)
                return fail(Errc::corrupt, "the image is damaged");
            if (fence < there.fence || (fence == there.fence && there.holder != holder))
                return fail(Errc::conflict, "a larger number has been given out");
            there.fence = fence;
            there.holder = holder;
            DeskExport opened;
            opened.desk = name;
            opened.fence = fence;
            opened.server = {"10.0.0.1", 10809};
            opened.export_name = fmt::format("desk.{}.{}", name.value, fence.value);
            there.open = opened;
            return opened;
        },
        std::move(done));
}

inline void HandoffWorld::close(const DeskName& name, FencingNumber fence, Done<void> done) {
    auto& desk = desks.at(name);
    call<void>(
        "close", {}, nullptr, &desk.busy_until, milliseconds(10), milliseconds(10'000),
        [this, name, fence]() -> Result<void> {
            auto& there = desks.at(name);
            if (there.open && there.open->fence <= fence)
                there.open.reset();
            return {};
        },
        std::move(done));
}

inline void HandoffWorld::point(const handoff::PathOrder& order, Done<void> done) {
    call<void>(
        "point", {}, nullptr, &route_busy_[order.session], milliseconds(10), milliseconds(5'000),
        [this, order]() -> Result<void> {
            if (order.route == RouteKind::gateway) {
                const auto* desktop = find(order.desktop);
                // it may have crashed meanwhile
                const bool opens =
                    desktop == nullptr || desktop->order.screen_ticket == order.screen_ticket;
                if (!opens || order.screen_ticket.size() != 32)
                    violation("a gateway is sent to " + order.desktop.value +
                              ", which it cannot open");
            }
            routes[order.session] = order.target;
            return {};
        },
        std::move(done));
}

inline void HandoffWorld::remove(const SessionId& session, Done<void> done) {
    call<void>(
        "remove", {}, nullptr, &route_busy_[session], milliseconds(10), milliseconds(5'000),
        [this, session]() -> Result<void> {
            routes.erase(session);
            return {};
        },
        std::move(done));
}

// ---- desks ----------------------------------------------------------------------

inline bool HandoffWorld::can_write(const SimDesktop& desktop) const {
    if (!desktop.disk)
        return false;
    const auto& desk = desks.at(desktop.disk->desk);
    return desk.open && desk.open->fence == desktop.disk->fence && desk.holder == desktop.host;
}

inline bool HandoffWorld::write(SimDesktop& desktop) {
    ++desktop.os_writes;
    if (!desktop.mounted || !can_write(desktop))
        return false;
    auto& desk = desks.at(desktop.disk->desk);
    // From its own page cache: a writer that is out of date would take the desk back.
    desk.content = ++desktop.view;
    desk.flushed = std::max(desk.flushed, desk.content);
    return true;
}

inline void HandoffWorld::everybody_writes() {
    for (auto& [id, host] : hosts)
        for (auto& [desktop_id, desktop] : host.desktops)
            write(desktop);
}

// ---- what must hold -------------------------------------------------------------------

inline void HandoffWorld::check() {
    std::map<DeskName, int> writers;
    for (const auto& [id, host] : hosts) {
        if (used(host) > host.row.memory - host.row.reserve)
            violation(fmt::format("{} is over its capacity: {}", id.value, to_string(used(host))));
        for (const auto& [desktop_id, desktop] : host.desktops)
            if (can_write(desktop) && ++writers[desktop.disk->desk] > 1)
                violation(
                    fmt::format("two desktops can write the desk {}", desktop.disk->desk.value));
    }
    for (const auto& [name, desk] : desks) {
        if (desk.content < content_seen_[name])
            violation(fmt::format("the desk {} went back from version {} to {}", name.value,
                                  content_seen_[name], desk.content));
        content_seen_[name] = desk.content;
    }
}

inline void HandoffWorld::check_session(const store::SessionRow& session) {
    const auto who = session.user.value;
    if (session.phase != store::SessionPhase::serving)
        return violation(fmt::format("{} is neither served nor told: phase {}", who,
                                     static_cast<int>(session.phase)));
    const auto* desktop = find(session.desktop);
    if (desktop == nullptr || !desktop->ready)
        return violation(who + " is served by a desktop that does not run");
    if (!session.desk.empty() && (!desktop->mounted || !can_write(*desktop)))
        violation(who + " is served by a desktop that does not hold the desk");
    if (desktop->order.screen_password != session.screen_password)
        violation(who + " was given a password that the screen does not take");
    if ((session.listen_port != 0 || session.route == RouteKind::gateway) &&
        (!routes.contains(session.id) ||
         routes.at(session.id) != Endpoint{hosts.at(desktop->host).row.address, 5900}))
        violation(who + " has no route to the desktop");
}

inline void HandoffWorld::check_at_rest() {
    check();
    std::set<DesktopId> wanted;
    std::set<SessionId> live;
    const auto sessions = store.sessions(true).value();
    for (const auto& session : sessions) {
        if (session.phase == store::SessionPhase::closed) {
            if (session.ended_because.empty())
                violation(session.user.value + " was ended and nobody said why");
            continue;
        }
        check_session(session);
        wanted.insert(session.desktop);
        live.insert(session.id);
    }
    for (const auto& [id, host] : hosts)
        for (const auto& [desktop_id, desktop] : host.desktops)
            if (!wanted.contains(desktop_id))
                violation(
                    fmt::format("desktop {} runs on {} for nobody", desktop_id.value, id.value));
    for (const auto& [session, target] : routes)
        if (!live.contains(session))
            violation("a route is left of session " + session.value);
    if (const auto moves = store.moves(false).value(); !moves.empty())
        violation(fmt::format("{} moves are under way for ever", moves.size()));
    const auto rows = store.desktops().value();
    for (const auto& row : rows)
        if (!wanted.contains(row.id))
            violation(fmt::format("desktop {} is in the store for nobody, phase {}", row.id.value,
                                  static_cast<int>(row.phase)));
}

} // namespace baton::testing
