#pragma once

#include "model/error.h"
#include "net/http.h"

#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace baton::net {

/// How a link ended.
struct LinkEnd {
    bool welcomed = false; ///< it had been in use
    Error why;             ///< Errc::refused and others: the other side's own words
};

/// How long to wait before the next try. Pure.
class Backoff {
  public:
    Backoff(std::chrono::milliseconds first, std::chrono::milliseconds most)
        : first_(first), most_(most), next_(first) {}

    /// `chance` in [0, 1): between half of the present step and all of it, so that the hosts of a
    /// site do not come back all at once. The step doubles up to the most.
    std::chrono::milliseconds next(double chance);

    void reset() { next_ = first_; }

    /// From here on the longest step: it was refused, not missed.
    void slow() { next_ = most_; }

  private:
    std::chrono::milliseconds first_;
    std::chrono::milliseconds most_;
    std::chrono::milliseconds next_;
};

struct DialerSettings {
    std::chrono::milliseconds first{250};
    std::chrono::milliseconds most{15'000};
};

/// Keeps somebody linked to their controller, from a thread of its own, until it is destroyed
/// (which waits for a try that is under way: at most the client's timeouts).
class Dialer {
  public:
    /// Blocking; the next link.
    using Dial = std::function<Result<std::shared_ptr<WebSocket>>()>;
    /// Serves a link that was just opened until it ends; `ended` then comes once, on any thread.
    using Serve =
        std::function<void(std::shared_ptr<WebSocket> link, std::function<void(LinkEnd)> ended)>;

    static std::unique_ptr<Dialer> start(Serve serve, Dial dial, DialerSettings settings = {});
    virtual ~Dialer() = default;
};

} // namespace baton::net
