#pragma once

#include "handoff/ports.h"
#include "hostlink/screens.h"
#include "hypervisor/hypervisor.h"
#include "monitor/rates.h"
#include "net/dialer.h"
#include "net/http.h"
#include "osimage/manifest.h"

#include <functional>
#include <memory>
#include <string>

/// The host's side of the link: carries out what the controller asks, one call after the other for
/// each desktop, and tells it what happens.
namespace baton::hostlink {

/// OS images on this host. ensure() blocks while it downloads and verifies; any thread.
class ImageSource {
  public:
    virtual ~ImageSource() = default;
    virtual Result<osimage::LocalImage> ensure(const OsImageId& id) = 0;
};

/// Runs blocking work on another thread; work of one key in the order it was given, of different
/// keys side by side. Never from inside the call.
using Workers = std::function<void(const std::string& key, std::function<void()> work)>;

struct AgentPorts {
    hypervisor::Hypervisor& hypervisor; ///< subscribed to by the agent, not before
    ImageSource& images;
    handoff::Clock& clock; ///< the executor: everything but blocking calls happens there
    Workers quick;         ///< calls of the hypervisor, key: the desktop
    Workers slow;          ///< downloads
};

struct AgentSettings {
    HostFacts facts;
    bool desk_tls = true; ///< false: tests with a plain NBD server
    /// CPU shares follow what the desktops need (hostlink/shares.h).
    bool cpu_shares = true;
    /// Without a relay, starts with a ticket are refused, and everything else works.
    ScreenSettings screens;
    /// The guest's console is quoted by so much when it did not become ready.
    std::size_t console_quote = 2'000;
};

using net::LinkEnd;

/// Operations outlive the link on which they were asked for: what has begun goes on to its end
/// (only its answer is lost), what has not begun is dropped, and a call that is repeated on the
/// next link finds what the first one left. stop() ends what is under way for its desktop.
///
/// Thread rules: serve() and report() from any thread. To be destroyed on the executor or after its
/// end, with no work left in Workers.
class Agent {
  public:
    static std::unique_ptr<Agent> make(const AgentPorts& ports, AgentSettings settings);
    virtual ~Agent() = default;

    /// Says hello on a link that was just opened and serves it until it ends; `ended` then comes
    /// once, on the executor. A link that is still there is closed.
    virtual void serve(std::shared_ptr<net::WebSocket> link,
                       std::function<void(LinkEnd)> ended) = 0;

    /// Tells the controller what the monitor has read; without a link to it nobody is told. Any
    /// thread.
    virtual void report(monitor::Reading reading) = 0;
};

} // namespace baton::hostlink
