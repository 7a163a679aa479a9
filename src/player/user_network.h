#pragma once

#include "model/error.h"
#include "player/policy.h"
#include "process/child.h"
#include "process/run.h"

#include <chrono>
#include <string>
#include <sys/types.h>
#include <vector>

namespace baton::player {

/// pasta's command line (passt.top): the network whose namespaces are open as descriptors 3 (users)
/// and 4 (network) gets a device with the PC's addresses, and what it sends goes out as an ordinary
/// program's. The PC's own loopback is out of reach. `publish`: ports as "8080:80" or
/// "127.0.0.1/8080:80". `forward_names`: an address inside at which the PC's resolver answers, or
/// empty. pasta writes its number to descriptor 5 when all is up.
process::Command pasta_command(const std::vector<std::string>& publish,
                               const std::string& forward_names);

/// A word for --publish: "[ADDRESS/]PORT[:PORT]". Errc::invalid_argument.
Result<void> check_publish(const std::string& text);

/// What /etc/resolv.conf is inside, and at which address the PC's resolver is to answer there.
struct Resolver {
    std::string text;
    std::string forward; ///< empty: the PC's name servers are reached directly
};

/// From the PC's resolv.conf. A name server on the PC's own loopback (systemd-resolved) is out of
/// reach inside: pasta carries an address of the desk's own to it. Pure.
Resolver resolver_for(const std::string& resolv_conf, Network network);

/// An environment's way to the network: pasta, ended with this object, and by the kernel when this
/// program is killed.
class UserNetwork {
  public:
    UserNetwork() = default;
    /// Starts it for the namespaces of the process `init`. Errc::not_found: passt is not installed.
    static Result<UserNetwork> start(const process::Command& command, pid_t init);
    ~UserNetwork();
    UserNetwork(UserNetwork&& other) noexcept;
    UserNetwork& operator=(UserNetwork&& other) noexcept;

    /// Waits until the device inside is up. Errc::unavailable with pasta's own last words: the PC
    /// has no route, a published port is taken.
    Result<void> wait_ready(std::chrono::milliseconds deadline);

    [[nodiscard]] bool running() const { return pid_ > 0; }

  private:
    void stop();
    pid_t pid_ = -1;
    process::Descriptor ready_;
    process::Descriptor said_; ///< its standard error
};

} // namespace baton::player
