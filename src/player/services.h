#pragma once

#include "model/error.h"
#include "player/program.h"
#include "process/child.h"

#include <chrono>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

/// A person's services: programs that run as long as their desk is open, as the files in
/// ~/.config/baton/services say (docs/player.md). They are the desk's: read, started and restarted
/// inside, as its owner, by a process without any hold on the PC.
namespace baton::player {

enum class Restart : std::uint8_t { no, on_failure, always };

struct Service {
    std::string name;                 ///< of the file, without ".toml"
    std::vector<std::string> command; ///< the program and its arguments
    std::string folder;               ///< to start in; empty: the home
    std::map<std::string, std::string> environment;
    Restart restart = Restart::on_failure;
    bool operator==(const Service&) const = default;
};

/// The text of NAME.toml. Pure. Errc::invalid_argument with file, line and reason.
Result<Service> parse_service(std::string_view text, const std::string& name);

/// How often something that ends may be started again: five times a minute, so that one that cannot
/// run does not run for ever.
class Patience {
  public:
    using Time = std::chrono::steady_clock::time_point;

    /// Counts one more start; false: not any more.
    bool again(Time now);

  private:
    std::deque<Time> starts_;
};

/// Where they are, below a home.
inline constexpr const char* services_folder = ".config/baton/services";
/// Where what they print goes, below a home: NAME.log.
inline constexpr const char* services_log = ".local/state/baton/services";

/// The services' keeper, until it is ended by a signal: to be called in a process of its own, with
/// the powers of the account. What is wrong with a file, or with a service, is a line on `notes`.
[[noreturn]] void keep_services(const Account& account, const std::vector<std::string>& environment,
                                const process::Descriptor& notes);

} // namespace baton::player
