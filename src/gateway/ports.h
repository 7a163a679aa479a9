#pragma once

#include "model/error.h"
#include "model/ids.h"
#include "model/types.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <variant>
#include <vector>

/// What a gateway needs of the world, and what the world asks of a gateway. Two seams: the Director
/// says who may look at which screen (adapter: the link to batond, gatelink/; a fake in tests); the
/// Switchboard is the gateway itself, as the Director's side sees it.
///
/// Thread rules: every method of both may be called from any thread and returns at once; `done` is
/// called exactly once, on whatever thread, and whoever gave it posts to their own executor.
namespace baton::gateway {

template <class T>
using Done = std::function<void(Result<T>)>;

/// Where a desktop's screen is to be had: the relay of its host (`baton-hostd screens`), and the
/// word that opens this one desktop there (docs/formats/screen-relay.md).
struct Screen {
    DesktopId desktop;
    Endpoint relay;
    std::string ticket; ///< 32 lower-case hexadecimal digits; a secret
    bool operator==(const Screen&) const = default;
};

enum class Access : std::uint8_t { full, view_only };

/// Somebody who has proved who they are, and what they may see.
struct Grant {
    SessionId session;
    UserName user;
    Access access = Access::full;
    Screen screen;
    /// Lets the same viewer in again once, on this gateway or another, as long as the session lasts
    /// and a login does. Browsers keep it; plain VNC viewers have nowhere to.
    std::string resume;
    bool operator==(const Grant&) const = default;
};

/// One viewer's connection, of one gateway's life: never used twice.
using ViewerId = std::uint64_t;

// ---- what a gateway tells -----------------------------------------------------------------------

struct ViewerCame {
    ViewerId viewer = 0;
    SessionId session;
    std::string client; ///< its address
    Access access = Access::full;
    bool browser = false; ///< by WebSocket
    bool operator==(const ViewerCame&) const = default;
};

struct ViewerWent {
    ViewerId viewer = 0;
    SessionId session;
    std::string why; ///< for a log: "closed by the viewer", "garbage: ..."
    bool operator==(const ViewerWent&) const = default;
};

/// The connection to a desktop's screen has ended and nobody asked for it. The viewer keeps its
/// last picture; the gateway tries that screen again, with pauses, until it is pointed elsewhere.
struct ScreenLost {
    SessionId session;
    DesktopId desktop;
    std::string why;
    bool operator==(const ScreenLost&) const = default;
};

using News = std::variant<ViewerCame, ViewerWent, ScreenLost>;

/// Who may look at which screen.
class Director {
  public:
    virtual ~Director() = default;

    /// `client`: the viewer's address. Opens the person's session when they have none, so that the
    /// answer may take as long as a desktop takes to start. Errc::unauthenticated: name or
    /// password; busy: too many wrong ones, told with how long to wait; refused: no room;
    /// unavailable: the controller cannot be reached.
    virtual void login(const UserName& user, const std::string& password, const std::string& client,
                       Done<Grant> done) = 0;
    /// A browser's one-time ticket, or a Grant's `resume`. Errc::unauthenticated: unknown, used
    /// before, or too old.
    virtual void redeem(const std::string& ticket, const std::string& client, Done<Grant> done) = 0;
    /// In order. Kept back for a while when the controller is away.
    virtual void tell(const News& news) = 0;
};

// ---- what a gateway is asked --------------------------------------------------------------------

/// How a switch went, over all viewers of the session.
struct Switched {
    unsigned viewers = 0; ///< none: nobody looks on, and that is fine
    unsigned lost = 0;    ///< of these: whose connection did not survive it
    /// From the cut to the new desktop's complete first picture sent on, the longest of all.
    std::chrono::microseconds cut_to_frame{};
    /// From the old desktop's last complete update to that, the longest of all.
    std::chrono::microseconds frame_to_frame{};
    bool operator==(const Switched&) const = default;
};

struct Carried {
    SessionId session;
    DesktopId desktop;
    unsigned viewers = 0;
    bool operator==(const Carried&) const = default;
};

/// The gateway's side.
class Switchboard {
  public:
    virtual ~Switchboard() = default;

    /// The session will soon be pointed there: connect to it, so that its picture waits. A hint;
    /// what comes of it is not told.
    virtual void prepare(const SessionId& session, const Screen& screen) = 0;
    /// Every viewer of the session sees that screen from now on. Already so: success at once.
    /// Errc::timeout, unavailable: the new screen cannot be had; viewers stay where they are.
    virtual void point(const SessionId& session, const Screen& screen, Done<Switched> done) = 0;
    /// The session has ended: its viewers are disconnected.
    virtual void close(const SessionId& session, const std::string& why) = 0;
    /// A line over the picture, for that long; zero: taken away.
    virtual void show(const SessionId& session, const std::string& text,
                      std::chrono::milliseconds time) = 0;
    /// true: new viewers are turned away with a word; those that are there stay.
    virtual void drain(bool draining) = 0;
    [[nodiscard]] virtual std::vector<Carried> carried() const = 0;
};

} // namespace baton::gateway
