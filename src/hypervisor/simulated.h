#pragma once

#include "hypervisor/hypervisor.h"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

/// The fake: desktops that are entries in a table, with guests that behave as told. For tests of
/// everything above the port, in simulated or in real time.
namespace baton::hypervisor {

/// The time a simulated hypervisor lives in.
class SimulatedTime {
  public:
    virtual ~SimulatedTime() = default;
    [[nodiscard]] virtual WallTime now() const = 0;
    /// Runs `action` once, `delay` from now, never from inside this call.
    virtual void after(std::chrono::nanoseconds delay, std::function<void()> action) = 0;
    /// A call that takes that long: real time passes, or the simulated clock is put forward.
    virtual void spend(std::chrono::nanoseconds duration) = 0;
};

/// Time that passes when it is told to: deterministic, one thread.
class ManualTime : public SimulatedTime {
  public:
    explicit ManualTime(WallTime start = WallTime{}) : start_(start) {}

    [[nodiscard]] WallTime now() const override;
    void after(std::chrono::nanoseconds delay, std::function<void()> action) override;

    void spend(std::chrono::nanoseconds duration) override { advance(duration); }

    /// Puts the clock forward and runs what falls due on the way, in order of time, then of call.
    void advance(std::chrono::nanoseconds duration);
    /// Advances to the next thing that is due; false: nothing is.
    bool step();

  private:
    WallTime start_;
    std::chrono::nanoseconds elapsed_{0};
    std::multimap<std::chrono::nanoseconds, std::function<void()>> due_;
};

/// Real time with one thread of its own, which calls the sink; ends with the last reference.
std::shared_ptr<SimulatedTime> real_time();

/// What the simulated guests do. Every delay counts from what causes it.
struct SimulatedGuest {
    std::chrono::milliseconds ready_after{20};
    std::chrono::milliseconds mounted_after{5};
    std::chrono::milliseconds released_after{5};
    std::chrono::milliseconds detached_after{5};
    bool never_ready = false;    ///< hangs while it boots
    bool never_mounts = false;   ///< takes the disk and says nothing
    bool never_releases = false; ///< does not answer Release
    bool never_detaches = false; ///< keeps the disk and says nothing
    bool refuses_detach = false; ///< DetachRefused
    bool fails_mount = false;    ///< answers Mount with Failed
};

struct SimulatedSettings {
    Mebibytes memory{8192}; ///< of the host; start() is Errc::full when it would be exceeded
    SimulatedGuest guest;
    std::chrono::milliseconds call_takes{0}; ///< every call
    Acceleration acceleration{false, "simulated"};
    std::string screen_address = "127.0.0.1";
    /// Why CPU weights cannot be set there; empty: they can.
    std::string no_cpu_weights;
};

enum class Call {
    start,
    stop,
    attach_disk,
    detach_disk,
    set_screen_password,
    set_cpu_weight,
    send,
    list,
    console_tail,
    screenshot
};

/// What a test can do to a simulated hypervisor, beside using it. Any thread.
class Simulated : public Hypervisor {
  public:
    // ---- faults
    /// The next `times` calls of that kind fail with `error`, and do nothing.
    virtual void fail_next(Call call, Error error, unsigned times = 1) = 0;
    /// The next `times` calls do their work and fail all the same (the answer got lost).
    virtual void fail_after_work(Call call, Error error, unsigned times = 1) = 0;
    /// Every call of that kind takes so long (on top of call_takes); zero: no more.
    virtual void slow_down(Call call, std::chrono::milliseconds by) = 0;
    /// The VM dies: Stopped is said with that reason, as for a crash.
    virtual void lose(const DesktopId& desktop, const std::string& reason = "crashed") = 0;
    /// list() and start() report so much for that desktop, whatever it has.
    virtual void lie_about_memory(const DesktopId& desktop, Mebibytes reported) = 0;
    /// Down: every call is Errc::unavailable and events wait until it is up again. Desktops run on.
    virtual void set_connected(bool connected) = 0;
    /// How guests behave that are started (or told something) from now on; one desktop's alone.
    virtual void set_guest(SimulatedGuest guest) = 0;
    virtual void set_guest(const DesktopId& desktop, SimulatedGuest guest) = 0;
    /// The guest says something of its own accord.
    virtual void guest_says(const DesktopId& desktop, guest::FromGuest message) = 0;

    // ---- what is there, without faults
    struct View {
        DesktopInfo info;
        DesktopSpec spec;
        bool mounted = false;
        std::vector<guest::ToGuest> told; ///< what was sent to the guest, in order
        unsigned cpu_weight = 100;
    };

    [[nodiscard]] virtual std::vector<View> view() const = 0;
    [[nodiscard]] virtual Mebibytes memory_in_use() const = 0;
    /// The most memory that was ever in use at one instant.
    [[nodiscard]] virtual Mebibytes memory_high_water() const = 0;
};

std::unique_ptr<Simulated> make_simulated(SimulatedSettings settings,
                                          std::shared_ptr<SimulatedTime> time);

/// In real time.
std::unique_ptr<Simulated> make_simulated(SimulatedSettings settings = {});

} // namespace baton::hypervisor
