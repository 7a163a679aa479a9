#pragma once

#include "model/error.h"
#include "process/child.h"

#include <boost/json/object.hpp>
#include <boost/json/stream_parser.hpp>
#include <boost/json/value.hpp>

#include <chrono>
#include <deque>
#include <string>
#include <string_view>

/// QEMU's machine protocol, as far as a storage daemon needs it: one command at a time, events kept
/// until they are asked for.
namespace baton::deskserver {

using Clock = std::chrono::steady_clock;

/// Bytes in, messages out: JSON objects one after the other, each on a line. Pure.
class QmpReader {
  public:
    /// Errc::corrupt: no JSON object, or one of more than 1 MiB.
    Result<void> take(std::string_view bytes);
    /// The next complete message, oldest first.
    bool next(boost::json::object& message);

  private:
    std::string line_;
    std::deque<boost::json::object> messages_;
};

/// An Error for QMP's {"class", "desc"}. A file lock that somebody else holds is Errc::busy, no
/// space Errc::full, everything else Errc::io. Pure.
Error qmp_error(std::string_view command, const boost::json::object& error);

/// A connection to a monitor. Not thread-safe. Every call has a deadline and gives Errc::timeout,
/// or Errc::unavailable when the daemon has gone.
class Qmp {
  public:
    /// Connects, waits for the greeting, leaves the negotiation mode. Errc::unavailable: nobody
    /// listens there (any more).
    static Result<Qmp> connect(const std::string& socket, Clock::time_point until);

    /// What the command returns.
    Result<boost::json::value> execute(std::string_view command, boost::json::object arguments,
                                       Clock::time_point until);
    /// Waits for an event of that name; those that came earlier count, each once.
    Result<boost::json::object> wait_event(std::string_view name, Clock::time_point until);

  private:
    Qmp() = default;
    Result<void> send(std::string_view text, Clock::time_point until);
    Result<boost::json::object> receive(Clock::time_point until);

    process::Descriptor socket_;
    QmpReader reader_;
    std::deque<boost::json::object> events_;
    std::uint64_t last_id_ = 0;
};

/// A listening unix socket; `path` may be longer than a socket's address can be.
Result<process::Descriptor> listen_unix(const std::string& path);
/// A connected one, non-blocking.
Result<process::Descriptor> connect_unix(const std::string& path);

} // namespace baton::deskserver
