#pragma once

#include "model/error.h"
#include "model/types.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// The protocol between a host agent and `baton-guest` inside a desktop, over the virtio-serial
/// port "org.baton.guest.0": lines of JSON, each at most `max_line` bytes with its newline,
/// described in docs/formats/guest-protocol.md. Pure: text in, values out. What a guest says is a
/// claim.
namespace baton::guest {

inline constexpr int protocol_version = 1;
inline constexpr std::size_t max_line = std::size_t{64} * 1024;
inline constexpr std::string_view port_name = "org.baton.guest.0";

// ---- what a host says -------------------------------------------------------------------------

/// Who this desktop is for. Sent when the port opens and again whenever something of it changes;
/// sets host name, clock, and what the status strip shows.
struct Identify {
    std::string hostname;
    std::string person; ///< UserName, empty for a desktop that waits for its session
    std::string session;
    std::int64_t memory_mib = 0;
    std::string os_image;
    std::int64_t unix_time_ms = 0; ///< the guest sets its clock to it
    std::string random_seed_hex;   ///< 32 bytes, mixed into the guest's RNG
    bool operator==(const Identify&) const = default;
};

/// A disk with this virtio serial has been plugged in: check, mount, forward, start the session.
struct Mount {
    std::string serial; ///< "desk-" and the fencing number
    std::uint64_t fence = 0;
    bool read_only = false;
    bool operator==(const Mount&) const = default;
};

/// Start the person's session without a desk: in a home of this machine's own, gone with it.
struct Begin {
    bool operator==(const Begin&) const = default;
};

/// End the person's session (asked to close and save for `grace_ms`, then ended), flush, unmount.
struct Release {
    std::int64_t grace_ms = 0;
    bool operator==(const Release&) const = default;
};

/// Show a message to the person. `seconds` > 0: counts down on the screen; `may_defer`: offer
/// "now" and "not now", answered by Answer.
struct Notify {
    std::string text;
    std::int64_t seconds = 0;
    bool may_defer = false;
    bool operator==(const Notify&) const = default;
};

/// Say Hello and the present state again (a restarted agent asks this first).
struct Ask {
    bool operator==(const Ask&) const = default;
};

using ToGuest = std::variant<Identify, Mount, Begin, Release, Notify, Ask>;

// ---- what a guest says ------------------------------------------------------------------------

/// First words after the port opened, and the answer to Ask.
struct Hello {
    int protocol = 0;
    std::string agent_version;
    std::string os_image; ///< as its own /etc/baton/os-image says; empty if unknown
    std::string boot_id;  ///< changes when the guest reboots itself
    bool ready = false;
    std::uint64_t mounted_fence = 0; ///< 0 = no desk mounted
    bool operator==(const Hello&) const = default;
};

/// The desktop's screen is drawn and it takes a desk: "booted".
struct Ready {
    bool operator==(const Ready&) const = default;
};

/// The desk is mounted and the person's session is on the screen.
struct Mounted {
    std::uint64_t fence = 0;
    std::int64_t free_bytes = 0;
    bool operator==(const Mounted&) const = default;
};

/// The session has ended, everything is flushed and unmounted; the disk may be unplugged.
struct Released {
    std::uint64_t fence = 0;
    bool operator==(const Released&) const = default;
};

/// The person's answer to a Notify with may_defer.
struct Answer {
    bool now = false; ///< true "now", false "not now"
    bool operator==(const Answer&) const = default;
};

/// The person logged out inside the desktop.
struct LoggedOut {
    bool operator==(const LoggedOut&) const = default;
};

/// A command could not be carried out. `command`: "mount", "release", ...
struct Failed {
    std::string command;
    std::string reason;
    bool operator==(const Failed&) const = default;
};

using FromGuest = std::variant<Hello, Ready, Mounted, Released, Answer, LoggedOut, Failed>;

/// One line with its newline, never longer than max_line. Text is UTF-8; ill-formed bytes are
/// replaced, and a text that would not fit is cut (docs/formats/guest-protocol.md has the lengths).
std::string encode(const ToGuest& message);
std::string encode(const FromGuest& message);

/// One line without its newline. Errc::invalid_argument: not JSON, unknown type, a missing or
/// ill-typed field, a number out of range. Unknown fields are passed over.
Result<ToGuest> decode_to_guest(std::string_view line);
Result<FromGuest> decode_from_guest(std::string_view line);

/// Cuts a stream into lines. Bounded: a line over max_line is dropped whole and counted, and the
/// stream goes on at the next newline, so that a lying guest costs nothing. Blank lines are passed
/// over: a side that opens the port begins with one, which ends whatever its predecessor left half
/// said.
class LineSplitter {
  public:
    /// Appends the complete lines that `bytes` closed to `lines`.
    void feed(std::string_view bytes, std::vector<std::string>& lines);

    [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

  private:
    std::string pending_;
    bool skipping_ = false;
    std::uint64_t dropped_ = 0;
};

} // namespace baton::guest
