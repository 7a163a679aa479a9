#pragma once

#include "api/api.h"
#include "net/http.h"
#include "netboot/folder.h"
#include "process/child.h"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace baton::controller {

/// When the PCs of a network fetched what: the last start of each address. Bounded; thread-safe.
class FetchLog {
  public:
    using Clock = std::chrono::steady_clock;

    /// The boot script begins a new start.
    void saw(const std::string& address, const std::string& file, Clock::time_point now);
    /// Of the start that is under way: nothing if it began more than an hour ago.
    [[nodiscard]] std::vector<api::Fetches::Fetch> of(const std::string& address,
                                                      Clock::time_point now) const;

    static constexpr std::size_t most_addresses = 4096;
    static constexpr std::size_t most_files = 16;

  private:
    struct Seen {
        std::string file;
        Clock::time_point at;
    };

    mutable std::mutex mutex_;
    std::map<std::string, std::vector<Seen>> starts_;
};

/// Gives the files of network boot to PCs, over plain HTTP at the address and port of its
/// settings, for as long as they are enabled; looks at the settings when they change (inotify).
/// What is fetched there is checked by the client's first stage. A thread of its own.
class NetbootDoor : public api::Fetches {
  public:
    /// `log`: whether it is bad, and one line; from the door's thread.
    NetbootDoor(std::string folder, std::function<void(bool bad, const std::string&)> log);
    ~NetbootDoor() override;
    NetbootDoor(const NetbootDoor&) = delete;
    NetbootDoor& operator=(const NetbootDoor&) = delete;

    std::vector<Fetch> of(const std::string& address) override;

    /// Switches a PC on: on the interfaces that network boot is enabled for, and on no other. Any
    /// thread. Errc::refused: it is not enabled.
    Result<void> wake(const std::string& mac);

  private:
    void run();
    /// Whether the settings are as wanted now; false: to be tried again.
    bool follow(const netboot::Folder& folder);
    void serve(const netboot::Folder& folder, const net::Request& request,
               const net::Respond& respond);
    void say_once(const std::string& line);

    std::string path_;
    std::function<void(bool, const std::string&)> log_;
    FetchLog fetches_;
    std::mutex interfaces_mutex_;
    std::vector<std::string> interfaces_; ///< empty: not enabled
    std::string listening_;               ///< "10.98.0.1:8480"; empty: nowhere
    std::string said_;
    std::unique_ptr<net::Server> server_;
    process::Descriptor stop_;
    std::thread thread_;
};

} // namespace baton::controller
