#pragma once

#include "gateway/ports.h"
#include "model/error.h"
#include "model/ids.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// The protocol between batond and baton-gateway: JSON texts over a WebSocket with mutual TLS that
/// the gateway opens. docs/formats/gateway-link.md. Pure: text in, values out; no value that has
/// been decoded holds an ill-formed id, an address that is none, or a text that is too long.
namespace baton::gatelink {

using gateway::Access;
using gateway::Carried;
using gateway::Grant;
using gateway::News;
using gateway::Screen;
using gateway::Switched;

inline constexpr int protocol_version = 1;
inline constexpr std::string_view target = "/v1/gatelink";
/// A message that is larger is none of ours.
inline constexpr std::size_t max_message = 4 * 1024 * 1024;
/// A gateway's certificate has the CN "gateway/NAME", which no host's name can be.
inline constexpr std::string_view certificate_prefix = "gateway/";

/// What a gateway says of itself.
struct Facts {
    GatewayId id;
    std::string address;        ///< where viewers reach it: an IPv4 address or a name
    std::uint16_t vnc_port = 0; ///< 0: takes no VNC viewers
    std::uint16_t web_port = 0; ///< 0: takes no browsers
    std::string version;
    bool operator==(const Facts&) const = default;
};

// ---- what a gateway says ------------------------------------------------------------------------

/// Its first words.
struct Hello {
    int protocol = 0;
    Facts facts;
    std::vector<Carried> carried; ///< what it carries already, from before the link was lost
    bool operator==(const Hello&) const = default;
};

struct Login {
    std::uint64_t id = 0;
    UserName user;
    std::string password;
    std::string client;
    bool operator==(const Login&) const = default;
};

struct Redeem {
    std::uint64_t id = 0;
    std::string ticket;
    std::string client;
    bool operator==(const Redeem&) const = default;
};

struct Told {
    News news;
    bool operator==(const Told&) const = default;
};

/// The outcome of the Point of that id.
struct Pointed {
    std::uint64_t id = 0;
    Result<Switched> result;
    bool operator==(const Pointed&) const = default;
};

using FromGateway = std::variant<Hello, Login, Redeem, Told, Pointed>;

// ---- what the controller says -------------------------------------------------------------------

struct Welcome {
    int protocol = protocol_version;
    std::string version;
    bool draining = false;
    bool operator==(const Welcome&) const = default;
};

/// Instead of a welcome; the link is closed after it.
struct Refused {
    Error error;
    bool operator==(const Refused&) const = default;
};

/// The outcome of the Login or Redeem of that id.
struct Granted {
    std::uint64_t id = 0;
    Result<Grant> result;
    bool operator==(const Granted&) const = default;
};

struct Prepare {
    SessionId session;
    Screen screen;
    bool operator==(const Prepare&) const = default;
};

struct Point {
    std::uint64_t id = 0; ///< never used twice on one link
    SessionId session;
    Screen screen;
    bool operator==(const Point&) const = default;
};

struct Close {
    SessionId session;
    std::string why;
    bool operator==(const Close&) const = default;
};

struct Show {
    SessionId session;
    std::string text;
    std::chrono::milliseconds time{};
    bool operator==(const Show&) const = default;
};

struct Drain {
    bool draining = false;
    bool operator==(const Drain&) const = default;
};

using FromController = std::variant<Welcome, Refused, Granted, Prepare, Point, Close, Show, Drain>;

// ---- text <-> values ----------------------------------------------------------------------------

std::string encode(const FromGateway& message);
std::string encode(const FromController& message);

/// Errc::invalid_argument: not JSON, an unknown type, a field that is missing, ill-typed or out of
/// range. Unknown fields are passed over.
Result<FromGateway> decode_from_gateway(std::string_view text);
Result<FromController> decode_from_controller(std::string_view text);

} // namespace baton::gatelink
