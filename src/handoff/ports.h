#pragma once

#include "model/error.h"
#include "model/types.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

/// What the session and handoff engine needs of the world. Everything that takes time is
/// asynchronous: it returns at once and calls `done` exactly once, later, on the engine's own
/// executor (the one that Clock::post uses), never from inside the call. All operations are
/// idempotent: after a crash the engine repeats the one it was in. Deadlines are the adapter's
/// duty: `done` comes with Errc::timeout. Calls about one desktop, and calls about one desk, are
/// carried out in the order in which they were made, also when an earlier one has timed out.
namespace baton::handoff {

template <class T>
using Done = std::function<void(Result<T>)>;

/// Time and the executor. Simulated in tests.
class Clock {
  public:
    virtual ~Clock() = default;
    using TimerId = std::uint64_t;
    [[nodiscard]] virtual WallTime wall() const = 0;
    /// Monotonic, from an arbitrary origin.
    [[nodiscard]] virtual std::chrono::nanoseconds monotonic() const = 0;
    virtual TimerId after(std::chrono::nanoseconds delay, std::function<void()> action) = 0;
    virtual void cancel(TimerId timer) = 0;
    /// Runs `action` on the engine's executor, after what is queued there already.
    virtual void post(std::function<void()> action) = 0;
};

struct StartOrder {
    DesktopId desktop;
    SessionId session;
    UserName person;
    OsImageId image;
    Mebibytes memory;
    std::string screen_password;
    WallTime screen_password_until{};
    /// Not empty: the screen is a local socket of the host's, reached by gateways alone, through
    /// the host's relay with this word (ADR 0017). Empty: a port with the password above.
    std::string screen_ticket;
    /// No desk will come: the session of `person` begins when the desktop is ready.
    bool without_desk = false;
    std::chrono::milliseconds ready_deadline{60'000};
};

struct Started {
    Endpoint screen;  ///< with a screen_ticket: the host's relay
    Mebibytes memory; ///< as the hypervisor reports it
};

struct MountReport {
    std::int64_t free_bytes = 0;
};

/// The hosts, through their agents.
class Fleet {
  public:
    virtual ~Fleet() = default;
    /// Starts the desktop and waits for "ready". On timeout the error carries the tail of the
    /// guest's console. Errc::unavailable: the host is not connected (also when it goes while under
    /// way).
    virtual void start(const HostId& host, const StartOrder& order, Done<Started> done) = 0;
    /// Plugs the desk in, waits for "mounted" of that fence.
    virtual void attach(const HostId& host, const DesktopId& desktop, const DeskExport& desk,
                        std::chrono::milliseconds deadline, Done<MountReport> done) = 0;
    /// Ends the person's session (its programs have `grace` to close), waits for "released",
    /// unplugs, waits for QEMU's event. Nothing attached: success. Errc::timeout: not let go in
    /// `deadline`; Errc::busy: the guest refused and still has the desk mounted.
    virtual void release(const HostId& host, const DesktopId& desktop,
                         std::chrono::milliseconds grace, std::chrono::milliseconds deadline,
                         Done<void> done) = 0;
    /// Destroys; success when its memory is confirmed free. Not there: success.
    virtual void stop(const HostId& host, const DesktopId& desktop, Done<void> done) = 0;
    virtual void set_screen_password(const HostId& host, const DesktopId& desktop,
                                     const std::string& password, WallTime until,
                                     Done<void> done) = 0;
    /// Shows a message; `may_defer` offers "now" / "not now" (FleetEvents::on_answer).
    virtual void notify(const HostId& host, const DesktopId& desktop, const std::string& text,
                        std::chrono::seconds countdown, bool may_defer, Done<void> done) = 0;
    /// Every desktop of ours that runs there. Comes after the events that it takes in.
    virtual void list(const HostId& host, Done<std::vector<DesktopInfo>> done) = 0;
};

/// What the fleet tells the engine, on the engine's executor. The engine implements it.
class FleetEvents {
  public:
    virtual ~FleetEvents() = default;
    virtual void on_host_up(const HostFacts& facts) = 0;
    virtual void on_host_down(const HostId& host, const std::string& why) = 0;
    /// A desktop ended without being told to.
    virtual void on_desktop_gone(const HostId& host, const DesktopId& desktop,
                                 const std::string& why) = 0;
    virtual void on_answer(const DesktopId& desktop, bool now) = 0;
    /// The person has ended their session: it is closed.
    virtual void on_logged_out(const DesktopId& desktop) = 0;
};

/// The one door to managed desks (baton-deskd).
class DeskServer {
  public:
    virtual ~DeskServer() = default;
    /// Closes every export of the desk with a smaller number (writes in flight have ended when this
    /// is done), then opens one for `holder` under `fence`. Idempotent for the same number and
    /// holder. Errc::conflict: a larger number has been given out. Errc::corrupt: the image is
    /// damaged.
    virtual void lease(const DeskName& desk, FencingNumber fence, const HostId& holder,
                       Done<DeskExport> done) = 0;
    /// Closes the exports up to and including `fence`. None: success.
    virtual void close(const DeskName& desk, FencingNumber fence, Done<void> done) = 0;
};

/// From a session's viewers to one desktop's screen.
struct PathOrder {
    SessionId session;
    RouteKind route = RouteKind::nat;
    std::string client;            ///< of nat
    std::uint16_t listen_port = 0; ///< of nat
    DesktopId desktop;
    Endpoint target;
    std::string screen_ticket; ///< of gateway
};

/// The routes (routing::Router) and the gateways, behind the engine's asynchronous manners.
class Path {
  public:
    virtual ~Path() = default;

    /// A hint that point() comes soon with the same: what takes long may be begun.
    virtual void prepare(const PathOrder& /*order*/) {}

    /// Of a gateway: success also when nobody looks on.
    virtual void point(const PathOrder& order, Done<void> done) = 0;
    virtual void remove(const SessionId& session, Done<void> done) = 0;
};

} // namespace baton::handoff
