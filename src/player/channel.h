#pragma once

#include "model/error.h"
#include "process/child.h"

#include <boost/json/object.hpp>

#include <chrono>
#include <optional>
#include <vector>

/// Words between the player and the first process inside: JSON, one packet each, with descriptors.
/// Both ends are Baton's own; what a desk has written never comes over it.
namespace baton::player {

using process::Descriptor;

/// How long either end waits for the other's next words: setting up takes milliseconds, a sick disk
/// longer.
inline constexpr std::chrono::milliseconds player_deadline{120'000};

struct Message {
    boost::json::object words;
    std::vector<process::Descriptor> files;
};

/// One end. Not thread-safe.
class Channel {
  public:
    explicit Channel(process::Descriptor socket) : socket_(std::move(socket)) {}

    /// Both ends of a new one.
    static Result<std::pair<Channel, Channel>> make();

    /// Errc::unavailable: the other end is gone.
    Result<void> send(const boost::json::object& words, const std::vector<int>& files = {});

    /// Waits for the next. Errc::unavailable: the other end is gone; Errc::timeout.
    Result<Message> receive(std::chrono::milliseconds deadline);

    [[nodiscard]] int fd() const { return socket_.get(); }

  private:
    process::Descriptor socket_;
};

/// An error as the words {"error": {...}}, and back.
boost::json::object to_words(const Error& error);
std::optional<Error> error_in(const boost::json::object& words);

} // namespace baton::player
