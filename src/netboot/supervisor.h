#pragma once

#include "model/error.h"
#include "netboot/dnsmasq.h"
#include "netboot/folder.h"

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>

namespace baton::netboot {

/// How long to wait before dnsmasq is started again, by how often it has ended soon after its
/// start: 1, 2, 4, ... at most 30 seconds. Pure.
std::chrono::seconds pause_after(unsigned early_ends);

struct SupervisorSettings {
    std::string run_folder = "/run/baton-netboot"; ///< configuration and leases; made with 0755
    std::string user = "dnsmasq";
    int stop_fd = -1;                                 ///< readable: end
    std::function<void(const std::string& line)> log; ///< one line for people
};

/// Keeps dnsmasq as the folder's settings say, until stop_fd is readable: started when they are
/// enabled, ended when not, started anew when they change (inotify), and again after it has died.
/// Settings that are wrong are said, and what ran before runs on. One thread, blocking. After a
/// kill -9 dnsmasq answers on; the next supervisor of that run folder ends it. Errc::not_found: no
/// dnsmasq; forbidden: not root; busy: another one is at work in this run folder.
Result<void> supervise(Folder& folder, const SupervisorSettings& settings);

} // namespace baton::netboot
