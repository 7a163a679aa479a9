#pragma once

#include "allocation/allocator.h"
#include "handoff/ports.h"
#include "model/error.h"
#include "model/load.h"
#include "store/store.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace baton::handoff {

/// What a person needs at least, by the monitor's figures, and those in one sentence.
struct AdvisedFloor {
    Mebibytes least;
    std::string why;
};

struct EngineSettings {
    allocation::Settings sizes;
    std::string policy = "paper";
    std::chrono::milliseconds grace{30'000};         ///< told to the person before a handoff
    std::chrono::milliseconds not_now_delay{60'000}; ///< how long "not now" holds, once
    std::chrono::milliseconds close_grace{3'000};    ///< for the session's programs to close
    std::chrono::milliseconds waiting_deadline{
        300'000}; ///< a newcomer waits this long for memory, then is told
    std::chrono::milliseconds ready_deadline{60'000};
    std::chrono::milliseconds attach_deadline{30'000};
    std::chrono::milliseconds release_deadline{30'000};
    std::chrono::milliseconds host_lost_after{
        30'000}; ///< away this long: its sessions are re-placed
    std::chrono::hours screen_password_life{12};
    std::uint16_t first_listen_port = 6000;
    std::uint16_t last_listen_port = 6999;
    bool grow_when_leaving =
        false; ///< grow others back without asking (the lab, and idle sessions)
    /// Of the hosts with a free slot the least loaded one gets the desktop (host_load).
    bool place_by_load = true;
    /// Policy "advised": asked when somebody gets a desktop. Empty, or none: nothing is known.
    std::function<std::optional<AdvisedFloor>(const UserName&, const OsImageId&)> advice;
    /// 32 random bits, for ids and passwords. Empty: the kernel's generator. A test gives a seeded
    /// one, so that its worlds can be played again.
    std::function<std::uint32_t()> random;
};

struct OpenRequest {
    UserName user;
    OsImageId image;
    std::string client; ///< of nat: IPv4 address that the route is for; empty: none
    DeskName desk;      ///< empty: the user's own one (store: owner), or none if there is none
    RouteKind route = RouteKind::nat;
    bool without_desk = false; ///< none, even if the user has one: a guest's
};

/// What a caller sees of a session.
struct SessionView {
    store::SessionRow row;
    std::optional<store::DesktopRow> desktop;
    std::optional<store::MoveRow> move; ///< under way
};

/// One host as the engine sees it now.
struct HostView {
    store::HostRow row;
    bool connected = false;
    Mebibytes used; ///< by desktops that are not confirmed gone
    Mebibytes free; ///< of what the host lends (memory - reserve)
    std::size_t desktops = 0;
    std::optional<Load> load; ///< by its monitor, as long as that can be believed
};

/// The session and handoff state machine (spec: docs/handoff.md). Not thread-safe: every call and
/// every port's `done` runs on the one executor. Everything it decides is in the store before it is
/// done, so an engine made anew over the same store goes on where the last one died: resume().
class Engine : public FleetEvents {
  public:
    /// References must outlive the engine.
    static std::unique_ptr<Engine> make(store::Store& store, Fleet& fleet, DeskServer& desks,
                                        Path& path, Clock& clock, EngineSettings settings);

    /// Loads the store and continues every move that was under way; to be called once, first.
    virtual Result<void> resume() = 0;

    /// Opens a session, or returns the one that this person has already. `done` when it serves, or
    /// with the error that ended it. Errc::refused: no room, with how many are in use;
    /// Errc::not_found, forbidden: no such user, disabled; Errc::busy, corrupt: the desk.
    virtual void open(const OpenRequest& request, Done<SessionView> done) = 0;
    virtual void close(const SessionId& session, Done<void> done) = 0;
    /// One level larger if there is room: a handoff with the person's consent.
    virtual void grow(const SessionId& session, Done<SessionView> done) = 0;

    /// Makes a host known or changes it (written to the store; `draining` is kept as it is). It
    /// gets desktops once on_host_up has come and its desktops have been listed.
    virtual Result<void> add_host(const store::HostRow& host) = 0;
    /// Moves every session off the host by handoffs; nothing new goes there. `done` when it is
    /// empty; Errc::refused when those left have no room elsewhere (it stays draining).
    virtual void drain(const HostId& host, Done<void> done) = 0;
    virtual Result<void> undrain(const HostId& host) = 0;
    /// Forgets a host for good. Errc::busy: a desktop is on it or is planned there (drain it
    /// first).
    virtual Result<void> remove_host(const HostId& host) = 0;

    /// How loaded a host is, by its monitor; believed for so long, then nothing is known of it.
    virtual void host_load(const HostId& host, Load load, std::chrono::nanoseconds valid_for) = 0;

    [[nodiscard]] virtual std::vector<SessionView> sessions() const = 0;
    [[nodiscard]] virtual Result<SessionView> session(const SessionId& id) const = 0;
    [[nodiscard]] virtual std::vector<HostView> hosts() const = 0;
    [[nodiscard]] virtual Mebibytes free_memory() const = 0;

    /// Called (posted to the executor) after every committed change with the events it appended.
    virtual void on_events(std::function<void(const std::vector<store::EventRow>&)> sink) = 0;
};

} // namespace baton::handoff
