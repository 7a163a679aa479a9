#include "hypervisor/simulated.h"
#include "world.h"

#include <map>

namespace baton::hypervisor::contract {

using namespace std::chrono_literals;

namespace {

/// Hands the port on to a hypervisor that outlives its agents.
class Agent final : public Hypervisor {
  public:
    explicit Agent(Simulated& hypervisor) : hypervisor_(hypervisor) {}

    void subscribe(Sink sink) override { hypervisor_.subscribe(std::move(sink)); }

    Result<DesktopInfo> start(const DesktopSpec& spec) override { return hypervisor_.start(spec); }

    Result<void> stop(const DesktopId& desktop) override { return hypervisor_.stop(desktop); }

    Result<void> attach_disk(const DesktopId& desktop, const DeskDisk& disk) override {
        return hypervisor_.attach_disk(desktop, disk);
    }

    Result<void> detach_disk(const DesktopId& desktop) override {
        return hypervisor_.detach_disk(desktop);
    }

    Result<void> set_screen_password(const DesktopId& desktop, const std::string& password,
                                     WallTime until) override {
        return hypervisor_.set_screen_password(desktop, password, until);
    }

    Result<void> set_cpu_weight(const DesktopId& desktop, unsigned weight) override {
        return hypervisor_.set_cpu_weight(desktop, weight);
    }

    Result<void> send(const DesktopId& desktop, const guest::ToGuest& message) override {
        return hypervisor_.send(desktop, message);
    }

    Result<std::vector<DesktopInfo>> list() override { return hypervisor_.list(); }

    Result<std::string> console_tail(const DesktopId& desktop, std::size_t bytes) override {
        return hypervisor_.console_tail(desktop, bytes);
    }

    Result<std::string> screenshot(const DesktopId& desktop) override {
        return hypervisor_.screenshot(desktop);
    }

    Result<Acceleration> acceleration() override { return hypervisor_.acceleration(); }

  private:
    Simulated& hypervisor_;
};

class SimulatedWorld final : public World {
  public:
    SimulatedWorld() { restart_agent(); }

    DesktopSpec spec(const std::string& id) override {
        DesktopSpec spec;
        spec.id = DesktopId("d-" + id);
        spec.session = SessionId("s-" + id);
        spec.person = UserName("kim");
        spec.image.id = OsImageId("tiny-1");
        spec.memory = 256_MiB;
        spec.screen_password = "s3cr3t";
        return spec;
    }

    DeskDisk desk(std::uint64_t fence) override {
        DeskDisk disk;
        disk.source.fence = FencingNumber{fence};
        return disk;
    }

    void crash(const DesktopId& desktop) override { simulated_->lose(desktop, "crashed"); }

    void restart_agent() override {
        hypervisor_ = std::make_unique<Agent>(*simulated_);
        hypervisor_->subscribe([events = events_](const Event& event) { events->add(event); });
        // what an agent does with every desktop that it finds: it asks
        const auto found = hypervisor_->list();
        for (const DesktopInfo& desktop : *found)
            (void)hypervisor_->send(desktop.id, guest::Ask{});
    }

    void interrupt_hypervisor() override {
        simulated_->set_connected(false);
        simulated_->set_connected(true);
    }

    std::vector<std::string> left_behind() override {
        std::vector<std::string> overlays;
        for (const Simulated::View& view : simulated_->view())
            overlays.push_back(view.info.id.value);
        return overlays;
    }

    DesktopSpec too_large(const std::string& id) override {
        DesktopSpec large = spec(id);
        large.memory = 1_GiB;
        return large;
    }

  private:
    static SimulatedSettings settings() {
        SimulatedSettings settings;
        settings.memory = 1000_MiB;
        return settings;
    }

    std::unique_ptr<Simulated> simulated_ = make_simulated(settings());
};

} // namespace

std::unique_ptr<World> make_simulated_world() {
    return std::make_unique<SimulatedWorld>();
}

} // namespace baton::hypervisor::contract
