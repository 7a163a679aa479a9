#pragma once

#include "handoff/ports.h"
#include "model/cpu_shares.h"
#include "model/error.h"
#include "model/types.h"
#include "monitor/rates.h"

#include <boost/json/object.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// The protocol between batond and baton-hostd: JSON texts over a WebSocket with mutual TLS that
/// the host opens. docs/formats/host-link.md. Pure: text in, values out; no value that has been
/// decoded holds an ill-formed id, an address that is none, or a size out of bounds.
namespace baton::hostlink {

inline constexpr int protocol_version = 1;
inline constexpr std::string_view target = "/v1/hostlink";
/// A message that is larger is none of ours.
inline constexpr std::size_t max_message = 4 * 1024 * 1024;

// ---- what a host says ---------------------------------------------------------------------------

/// Its first words.
struct Hello {
    int protocol = 0;
    HostFacts facts;
    bool operator==(const Hello&) const = default;
};

/// The outcome of the request of that id. What `result` holds depends on the request's method.
struct Reply {
    std::uint64_t id = 0;
    Result<boost::json::object> result;
    bool operator==(const Reply&) const = default;
};

/// A desktop ended without being told to.
struct DesktopGone {
    DesktopId desktop;
    std::string why;
    bool operator==(const DesktopGone&) const = default;
};

struct PersonAnswered {
    DesktopId desktop;
    bool now = false;
    bool operator==(const PersonAnswered&) const = default;
};

struct PersonLoggedOut {
    DesktopId desktop;
    bool operator==(const PersonLoggedOut&) const = default;
};

/// Usage of the host and its desktops, once in every interval of its monitor.
struct Sampled {
    monitor::Reading reading;
    bool operator==(const Sampled&) const = default;
};

/// What the host does about its CPU shares: after the welcome, and whenever something has changed.
struct SharesTold {
    CpuSharesTold told;
    bool operator==(const SharesTold&) const = default;
};

using FromHost =
    std::variant<Hello, Reply, DesktopGone, PersonAnswered, PersonLoggedOut, Sampled, SharesTold>;

// ---- what the controller says -------------------------------------------------------------------

struct Welcome {
    int protocol = protocol_version;
    std::string version; ///< of batond, for a log
    bool operator==(const Welcome&) const = default;
};

/// Instead of a welcome; the link is closed after it.
struct Refused {
    Error error;
    bool operator==(const Refused&) const = default;
};

// The methods: handoff::Fleet's, one to one.

struct Start {
    handoff::StartOrder order;
};

struct Attach {
    DesktopId desktop;
    DeskExport desk;
    std::chrono::milliseconds deadline{};
};

struct Release {
    DesktopId desktop;
    std::chrono::milliseconds grace{};
    std::chrono::milliseconds deadline{};
};

struct Stop {
    DesktopId desktop;
};

struct SetScreenPassword {
    DesktopId desktop;
    std::string password;
    WallTime until{};
};

struct Notify {
    DesktopId desktop;
    std::string text;
    std::chrono::seconds countdown{};
    bool may_defer = false;
};

struct List {};

using Call = std::variant<Start, Attach, Release, Stop, SetScreenPassword, Notify, List>;

/// "start", "attach", ...
std::string_view method_of(const Call& call);
/// Empty for List.
DesktopId desktop_of(const Call& call);

struct Request {
    std::uint64_t id = 0; ///< never used twice on one link
    Call call;
};

using FromController = std::variant<Welcome, Refused, Request>;

// ---- text <-> values ----------------------------------------------------------------------------

std::string encode(const FromHost& message);
std::string encode(const FromController& message);

/// Errc::invalid_argument: not JSON, an unknown type or method, a field that is missing, ill-typed
/// or out of range. Unknown fields are passed over.
Result<FromHost> decode_from_host(std::string_view text);
Result<FromController> decode_from_controller(std::string_view text);

// Results of calls; the others answer with an empty object.
boost::json::object to_json(const handoff::Started& started);
Result<handoff::Started> started_from_json(const boost::json::object& object);
boost::json::object to_json(const handoff::MountReport& report);
Result<handoff::MountReport> mount_report_from_json(const boost::json::object& object);
boost::json::object to_json(const std::vector<DesktopInfo>& desktops);
Result<std::vector<DesktopInfo>> desktops_from_json(const boost::json::object& object);

} // namespace baton::hostlink
