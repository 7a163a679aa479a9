#pragma once

#include "gateway/ports.h"
#include "net/stream.h"
#include "net/tls.h"

#include <chrono>
#include <functional>
#include <memory>
#include <string>

/// How the gateway gets to a screen. Used on the gateway's thread alone.
namespace baton::gateway {

/// A screen is at the other end and speaks RFB from the first byte; security None.
struct Dialed {
    net::Stream stream;
    std::string rest; ///< what has come of that already
};

class ScreenDialer {
  public:
    using DialDone = std::function<void(Result<Dialed>)>;
    virtual ~ScreenDialer() = default;
    /// `done` later, once, within `time`. Errc::timeout; unavailable: nothing there, or it does
    /// not have this desktop; unauthenticated: one side does not trust the other's certificate.
    virtual void dial(const Screen& screen, std::chrono::milliseconds time, DialDone done) = 0;
};

using MakeScreenDialer = std::function<Result<std::unique_ptr<ScreenDialer>>(
    const boost::asio::any_io_executor& executor)>;

/// The host's relay (`baton-hostd screens`): mutual TLS to Screen::relay, whose certificate has to
/// come from the CA of `tls` and may have any name (the relay is known by its address); then one
/// line with desktop and ticket (docs/formats/screen-relay.md). Replaced files count for new
/// connections.
MakeScreenDialer relay_screens(const net::TlsFiles& tls);

/// Without a relay: Screen::relay is a screen's own address, or a unix socket's path with port 0.
MakeScreenDialer plain_screens();

} // namespace baton::gateway
