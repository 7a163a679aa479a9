#pragma once

#include "model/types.h"
#include "net/http.h"

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>

/// What a gateway is told when it starts.
namespace baton::gateway {

/// Against slow, silent and ill-meaning peers.
struct Limits {
    /// Connections that have not shown a name and a password or a ticket yet. One more pushes the
    /// oldest of them out; nobody who is logged in, or waits for a desktop, is touched.
    std::size_t strangers = 1024;
    /// Of those who have, how many may wait for the controller's answer at once, and how many may
    /// look on. More are turned away with a word.
    std::size_t waiting = 1024;
    std::size_t viewers = 4096;
    std::chrono::milliseconds handshake_time{10'000}; ///< to TLS and the upgrade; each later step
    std::chrono::milliseconds login_time{30'000};     ///< from there to name and password
    std::chrono::milliseconds start_time{300'000};    ///< while the controller starts a desktop
    /// To connect to a screen and to get its first picture; also of a whole switch.
    std::chrono::milliseconds screen_time{10'000};
    /// The first of a session's viewers is ready to be switched: the others have so long.
    std::chrono::milliseconds straggler_time{1'000};
    /// How long the old desktop may take to end the message that it is in, once the new one is
    /// ready; then it is cut off in the middle.
    std::chrono::milliseconds cut_time{2'000};
    /// A wrong name or password is answered after this.
    std::chrono::milliseconds refusal_pause{1'000};
    /// A lost screen is tried again after the first pause; each pause is twice the one before.
    std::chrono::milliseconds shortest_retry{250};
    std::chrono::milliseconds longest_retry{4'000};
    /// A switch that takes longer is told to the person, until it is done or for so long at most;
    /// what their desktop has drawn over it meanwhile is drawn again so often.
    std::chrono::milliseconds silent_switch{300};
    std::chrono::milliseconds longest_notice{30'000};
    std::chrono::milliseconds notice_repair{250};
    /// A viewer that has not taken so many bytes holds back its own desktop connection.
    std::size_t unsent_bytes = 256 * 1024;
};

struct GatewayConfig {
    /// Where VNC viewers (VeNCrypt X509Plain) and browsers (wss) come in: a numeric address of this
    /// machine; port 0 is any free one. None: nobody comes that way.
    std::optional<Endpoint> vnc;
    std::optional<Endpoint> web;
    /// What this gateway shows to viewers and browsers: certificate and key. Replaced files count
    /// for new connections.
    net::TlsFiles viewer_tls;
    /// A proxy on this machine ends TLS before the gateway: viewers log in by VeNCrypt's Plain,
    /// browsers come by ws. Then `vnc` and `web` have to be loopback addresses.
    bool tls_in_front = false;
    /// What it shows to the hosts' relays (CN gateway/NAME), and the site's CA. Likewise.
    net::TlsFiles relay_tls;
    /// What is drawn over the picture while a switch takes its time, and with which font.
    std::string moving_text = "Your desk is moving ...";
    std::string font = "/usr/share/fonts/truetype/nanum/NanumGothic.ttf";
    Limits limits;
};

} // namespace baton::gateway
