#pragma once

#include "model/error.h"
#include "process/child.h"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

/// `baton-play list` and `baton-play switch`: how other programs of the same person speak with a
/// running player. An abstract socket for each, which is gone with its process; one packet of JSON
/// asks, one answers. Who is at the other end is the kernel's word, on both sides.
namespace baton::player {

enum class Ask : std::uint8_t {
    status, ///< who are you
    show,   ///< the desk's desktop before the PC's
    hide,   ///< the PC's desktop again
};

std::string to_packet(Ask ask);
/// Errc::invalid_argument: not one of ours. Any bytes.
Result<Ask> parse_ask(std::string_view packet);

/// What a player says of itself.
struct Playing {
    std::string owner;      ///< whose desk
    std::string desk;       ///< the image's path
    std::int64_t pid = 0;   ///< the player's
    std::int64_t since = 0; ///< seconds since 1970
    std::string display;    ///< the PC's display that it is shown on; empty: no graphical session
    bool shown = false;     ///< it is before the PC's desktop now
    bool operator==(const Playing&) const = default;
};

std::string to_packet(const Playing& playing);
/// An answer: what the player says of itself, or the error it gives. Any bytes.
Result<Playing> parse_playing(std::string_view packet);

/// The running player's end.
class ControlSocket {
  public:
    /// Answers the PC's root and `person`, nobody else.
    static Result<ControlSocket> listen(uid_t person);

    [[nodiscard]] int fd() const { return socket_.get(); }

    /// When fd() is readable: hears one question and answers it. Who may not ask, and who says
    /// nothing within a fifth of a second, gets no answer.
    void answer(const std::function<Result<Playing>(Ask)>& answer_to) const;

  private:
    process::Descriptor socket_;
    uid_t person_ = 0;
};

/// A player that this process may speak to.
struct Player {
    std::string socket; ///< its name, without the leading zero
    Playing playing;
};

/// Every player here that answers, the oldest first.
std::vector<Player> players_here();

/// Errc::unavailable: it has ended meanwhile.
Result<Playing> ask_player(const std::string& socket, Ask ask);

/// What `baton-play switch WORD` is to do: ask `socket` to show itself, or to hide when `ask` says
/// so. Nothing to be done: `socket` is empty.
struct Turn {
    std::string socket;
    Ask ask = Ask::show;
    bool operator==(const Turn&) const = default;
};

/// `word`: an owner, an image's path or file name; "host" or "pc"; empty: the next one in the
/// circle of the PC's desktop and the desks. `display`: of several, the one meant (empty: any).
/// Pure. Errc::not_found, Errc::invalid_argument (several fit).
Result<Turn> turn_to(const std::vector<Player>& players, const std::string& word,
                     const std::string& display);

} // namespace baton::player
