#pragma once

#include "gatelink/protocol.h"
#include "gateway/ports.h"
#include "net/dialer.h"
#include "net/http.h"

#include <functional>
#include <memory>

namespace baton::gatelink {

/// The gateway's side of the link: asks the controller who may look at what, and hands what the
/// controller asks to the switchboard. While there is no link every login fails with
/// Errc::unavailable, and viewers that are in stay.
///
/// Thread rules: any thread. The switchboard must be given before the first link is served and
/// outlive it.
class LinkDirector : public gateway::Director {
  public:
    /// Links' callbacks hold it weakly.
    static std::shared_ptr<LinkDirector> make(Facts facts);

    virtual void set_switchboard(gateway::Switchboard& switchboard) = 0;
    /// The ports are known when the gateway listens. Before the first link.
    virtual void set_ports(std::uint16_t vnc_port, std::uint16_t web_port) = 0;

    /// Says hello on a link that was just opened and serves it until it ends (net::Dialer::Serve).
    virtual void serve(std::shared_ptr<net::WebSocket> link,
                       std::function<void(net::LinkEnd)> ended) = 0;

    [[nodiscard]] virtual bool linked() const = 0;
};

} // namespace baton::gatelink
