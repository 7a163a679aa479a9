#include "hypervisor/simulated.h"

#include "hypervisor/simulated_core.h"

namespace baton::hypervisor {

using std::chrono::milliseconds;

namespace {

class SimulatedHypervisor final : public Simulated {
  public:
    SimulatedHypervisor(SimulatedSettings settings, std::shared_ptr<SimulatedTime> time)
        : acceleration_(settings.acceleration),
          time_(std::move(time)),
          core_(std::make_shared<SimulatedCore>(std::move(settings), *time_)) {}

    ~SimulatedHypervisor() override { core_->close(); }

    SimulatedHypervisor(const SimulatedHypervisor&) = delete;
    SimulatedHypervisor& operator=(const SimulatedHypervisor&) = delete;

    void subscribe(Sink sink) override { core_->subscribe(std::move(sink)); }

    Result<DesktopInfo> start(const DesktopSpec& spec) override {
        return core_->call(Call::start, [&] { return core_->start(spec); });
    }

    Result<void> stop(const DesktopId& desktop) override {
        return core_->call(Call::stop, [&] { return core_->stop(desktop); });
    }

    Result<void> attach_disk(const DesktopId& desktop, const DeskDisk& disk) override {
        return core_->call(Call::attach_disk, [&] { return core_->attach(desktop, disk); });
    }

    Result<void> detach_disk(const DesktopId& desktop) override {
        return core_->call(Call::detach_disk, [&] { return core_->detach(desktop); });
    }

    Result<void> set_screen_password(const DesktopId& desktop, const std::string& password,
                                     WallTime until) override {
        return core_->call(Call::set_screen_password,
                           [&] { return core_->set_password(desktop, password, until); });
    }

    Result<void> set_cpu_weight(const DesktopId& desktop, unsigned weight) override {
        return core_->call(Call::set_cpu_weight, [&] { return core_->weigh(desktop, weight); });
    }

    Result<void> send(const DesktopId& desktop, const guest::ToGuest& message) override {
        return core_->call(Call::send, [&] { return core_->send(desktop, message); });
    }

    Result<std::vector<DesktopInfo>> list() override {
        return core_->call(Call::list,
                           [&] { return Result<std::vector<DesktopInfo>>(core_->list()); });
    }

    Result<std::string> console_tail(const DesktopId& desktop, std::size_t bytes) override {
        return core_->call(Call::console_tail, [&] { return core_->console(desktop, bytes); });
    }

    Result<std::string> screenshot(const DesktopId& desktop) override {
        return core_->call(Call::screenshot, [&] { return core_->screenshot(desktop); });
    }

    Result<Acceleration> acceleration() override { return acceleration_; }

    void fail_next(Call call, Error error, unsigned times) override {
        core_->inject(call, SimulatedFault{std::move(error), false}, times);
    }

    void fail_after_work(Call call, Error error, unsigned times) override {
        core_->inject(call, SimulatedFault{std::move(error), true}, times);
    }

    void slow_down(Call call, milliseconds by) override { core_->slow_down(call, by); }

    void lose(const DesktopId& desktop, const std::string& reason) override {
        core_->lose(desktop, reason);
    }

    void lie_about_memory(const DesktopId& desktop, Mebibytes reported) override {
        core_->lie(desktop, reported);
    }

    void set_connected(bool connected) override { core_->set_connected(connected); }

    void set_guest(SimulatedGuest guest) override { core_->set_guest(std::nullopt, guest); }

    void set_guest(const DesktopId& desktop, SimulatedGuest guest) override {
        core_->set_guest(desktop, guest);
    }

    void guest_says(const DesktopId& desktop, guest::FromGuest message) override {
        core_->guest_says(desktop, std::move(message));
    }

    [[nodiscard]] std::vector<View> view() const override { return core_->view(); }

    [[nodiscard]] Mebibytes memory_in_use() const override { return core_->in_use(); }

    [[nodiscard]] Mebibytes memory_high_water() const override { return core_->high_water(); }

  private:
    Acceleration acceleration_;
    std::shared_ptr<SimulatedTime> time_; ///< outlives the core
    std::shared_ptr<SimulatedCore> core_;
};

} // namespace

std::unique_ptr<Simulated> make_simulated(SimulatedSettings settings,
                                          std::shared_ptr<SimulatedTime> time) {
    return std::make_unique<SimulatedHypervisor>(std::move(settings), std::move(time));
}

std::unique_ptr<Simulated> make_simulated(SimulatedSettings settings) {
    return make_simulated(std::move(settings), real_time());
}

} // namespace baton::hypervisor
