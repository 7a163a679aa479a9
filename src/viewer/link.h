#pragma once

#include "model/error.h"
#include "picture/viewing.h"
#include "rfb/security.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace baton::viewer {

struct LinkSettings {
    std::string host; ///< a name, an address, or the path of a unix socket
    std::uint16_t port = 5900;
    /// The site's CA, PEM: only a server with a certificate of it, for `host`, is spoken to, by
    /// VeNCrypt. Empty: no TLS, and a VNC password or none.
    std::string authority;
    picture::Wishes wishes;
    std::string record; ///< what the screen sends is written to this file; "": is not
    std::chrono::milliseconds connect_time{8'000};
    std::chrono::milliseconds login_time{310'000}; ///< a desktop may have to start
    std::chrono::milliseconds shortest_pause{250}; ///< before the next try
    std::chrono::milliseconds longest_pause{8'000};
};

enum class Stage : std::uint8_t {
    idle,       ///< until open(); `why` tells how it came to be so
    connecting, ///< for the first time, or again
    asking,     ///< connected; name and password are with the other side
    showing,    ///< the screen is there
    waiting,    ///< until the next try; `why` tells for what
};

struct LinkState {
    Stage stage = Stage::idle;
    std::optional<Error> why;
    bool ended = false; ///< idle: the other side has ended it in good order, as after a log-out
    std::uint64_t endings = 0;              ///< grows each time it becomes idle
    bool shown = false;                     ///< it has shown a screen since open()
    std::chrono::microseconds round_trip{}; ///< of TCP, smoothed; zero: not known
};

/// Keeps a viewer connected to a screen, from a thread of its own: connects, logs in, draws what
/// comes, and when the connection is lost connects again with growing pauses while the last picture
/// stays. Every method may be called from any thread.
class Link {
  public:
    /// `wake` is called on the link's thread after anything has changed, often. Errc::not_found,
    /// corrupt: the CA cannot be read; io: the file to record to.
    static Result<std::unique_ptr<Link>> start(LinkSettings settings, std::function<void()> wake);

    virtual ~Link() = default;

    /// Begins, with these to log in by. What was open is closed.
    virtual void open(rfb::Credentials credentials) = 0;
    /// Ends it: idle, without a reason.
    virtual void close() = 0;

    [[nodiscard]] virtual LinkState state() const = 0;

    /// Does something with the screen on the link's thread, if one is shown then, and sends what
    /// comes of it.
    virtual void tell(std::function<void(picture::Viewing&)> what) = 0;

    /// Looks at the screen, which does not change meanwhile: be quick. Not called when there has
    /// been none since open().
    virtual void look(const std::function<void(picture::Viewing&)>& what) = 0;
};

} // namespace baton::viewer
