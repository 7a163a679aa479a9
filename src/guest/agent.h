#pragma once

#include "guest/machine.h"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace baton::guest {

/// What this guest knows of itself from the start.
struct GuestFacts {
    std::string agent_version;
    std::string os_image; ///< /etc/baton/os-image
    std::string boot_id;
    Mebibytes memory; ///< as the guest itself finds it; 0: unknown, the host's word is shown
};

/// How baton-guest behaves: commands and events in, calls on the Machine out. Holds no descriptor
/// and asks no clock but the Machine's; one thread. Its driver calls tick() at next_deadline().
class Agent {
  public:
    static constexpr std::chrono::seconds disk_deadline{30};
    static constexpr std::chrono::minutes check_deadline{10};
    static constexpr std::chrono::seconds session_deadline{60};
    static constexpr std::chrono::seconds kill_deadline{5};
    static constexpr std::chrono::hours longest_grace{1};

    Agent(Machine& machine, GuestFacts facts);

    // ---- what the driver tells -----------------------------------------------------------------
    void host_connected(); ///< the port was opened, or opened again
    void host_said(std::string_view line);
    void screen_drawn();  ///< the first complete picture is on the screen
    void disks_changed(); ///< a block device came or went
    void check_finished(Result<void> outcome);
    void session_visible();         ///< the session's first picture is on the screen
    void session_ended();           ///< no program of the session runs any more
    void person_answered(bool now); ///< to a message with may_defer
    void tick();
    /// This system is going down: ends the session at once and lets go of the desk.
    void shut_down();

    [[nodiscard]] std::optional<Moment> next_deadline() const;
    [[nodiscard]] std::uint64_t mounted_fence() const;

  private:
    enum class State : std::uint8_t {
        idle,
        awaiting_disk,
        checking,
        starting, ///< mounted, the session's first picture is awaited
        working,
        ended,   ///< the person has logged out; mounted
        asking,  ///< released: the programs have been asked to end; mounted
        killing, ///< released: the programs have been killed; mounted
    };

    void handle(const Identify& message);
    void handle(const Mount& message);
    void handle(const Begin& message);
    void handle(const Release& message);
    void handle(const Notify& message);
    void handle(const Ask& message);

    void hello();
    void look_for_disk();
    void mount_now();
    void start_session();
    void fail_mount(const Error& error);
    void kill();
    void let_go();
    void show();
    [[nodiscard]] bool mounted() const;
    [[nodiscard]] std::optional<std::int64_t> seconds_left() const;

    Machine& machine_;
    GuestFacts facts_;
    Identify identity_;
    Mount desk_;
    std::string device_;
    std::string trouble_;
    State state_ = State::idle;
    bool ready_ = false;
    std::optional<Moment> deadline_;
    std::uint64_t released_fence_ = 0;
    std::optional<Notify> notice_;
    std::optional<Moment> notice_until_;
    std::optional<ScreenState> shown_;
};

} // namespace baton::guest
