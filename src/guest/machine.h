#pragma once

#include "guest/protocol.h"
#include "model/error.h"
#include "model/size.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// What baton-guest needs of the machine it runs in. The real one is in programs/baton_guest; tests
/// have a fake.
namespace baton::guest {

using Moment = std::chrono::steady_clock::time_point;

/// A line for the person, with what there is to answer.
struct ScreenMessage {
    std::string text;
    std::optional<std::int64_t> seconds_left; ///< counts down on the screen
    bool may_defer = false;                   ///< "now" and "not now" are offered
    bool operator==(const ScreenMessage&) const = default;
};

/// Everything that the screen shows beside the person's own programs.
struct ScreenState {
    enum class Phase : std::uint8_t {
        waiting,  ///< no desk
        mounting, ///< a desk is awaited, checked or mounted
        working,  ///< the desk is here
        closing,  ///< the session is being ended
        ended,    ///< the person has logged out, the desk is still here
        failed,   ///< `trouble` says why there is no desk
    };
    Phase phase = Phase::waiting;
    std::string person;
    std::string hostname;
    std::string os_image;
    Mebibytes memory;
    std::uint64_t fence = 0; ///< of the mounted desk, 0 = none
    std::string trouble;
    std::optional<ScreenMessage> message;
    bool operator==(const ScreenState&) const = default;
};

/// Thread rules: one thread. Calls return soon; what takes long is started here and its end is told
/// to the Agent.
class Machine {
  public:
    virtual ~Machine() = default;

    [[nodiscard]] virtual Moment now() const = 0;

    /// To the host. Lost when nobody is there: the host asks when it comes back.
    virtual void send(const FromGuest& message) = 0;

    virtual void show(const ScreenState& state) = 0;

    /// Host name, clock, random numbers.
    virtual Result<void> set_identity(const Identify& identity) = 0;

    /// "/dev/vdb", or nothing while no disk has this virtio serial.
    virtual std::optional<std::string> find_disk(std::string_view serial) = 0;

    /// True: in order. False: to be checked before it is mounted. Errors: no file system we know.
    virtual Result<bool> file_system_is_clean(const std::string& device) = 0;

    /// Agent::check_finished tells how it went.
    virtual Result<void> start_check(const std::string& device) = 0;
    virtual void cancel_check() = 0;

    /// Mounts the desk and forwards its folders. When it fails nothing stays mounted.
    virtual Result<void> mount_desk(const std::string& device, bool read_only,
                                    const std::string& person) = 0;
    /// A home and an account for somebody without a desk.
    virtual Result<void> make_home(const std::string& person) = 0;
    [[nodiscard]] virtual std::int64_t desk_free_bytes() const = 0;
    /// Flushes and unmounts, whoever still holds files open. After success nothing in this machine
    /// writes to the disk any more.
    virtual Result<void> unmount_desk() = 0;

    /// Agent::session_visible and Agent::session_ended tell the rest.
    virtual Result<void> start_session(const std::string& person) = 0;
    /// Asks every program of the session to close and save: first by closing its windows, where
    /// there are any, and by SIGHUP and SIGTERM when `grace` is nearly over or no window is left.
    virtual void ask_session_to_end(std::chrono::milliseconds grace) = 0;
    /// Ends every program of the session (SIGKILL). Agent::session_ended follows also when none
    /// runs.
    virtual void kill_session() = 0;
};

} // namespace baton::guest
