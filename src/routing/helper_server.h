#pragma once

#include "routing/nft_router.h"
#include "routing/probe.h"
#include "routing/unix_socket.h"

#include <functional>
#include <string>

namespace baton::routing {

/// The privileged half: answers requests on a socket. One thread, one request at a time.
struct HelperSettings {
    std::string socket_path;
    unsigned allowed_uid = 0; ///< this user and root, told by the kernel (SO_PEERCRED)
    Layout layout;
    int stop_fd = -1;                                 ///< readable: end
    std::function<void(const std::string& line)> log; ///< one line for people
};

/// Serves until stop_fd is readable. Removes its socket at the end; routes stay in the kernel.
/// Errc::forbidden: not root. Errc::busy: another helper serves there.
Result<void> serve_helper(const HelperSettings& settings);

} // namespace baton::routing
