#include "hypervisor/simulated_core.h"

#include "guest/status_strip.h"
#include "hypervisor/check_spec.h"

namespace baton::hypervisor {

using std::chrono::milliseconds;

namespace {

constexpr std::uint16_t first_screen_port = 5900;
constexpr std::int64_t free_on_a_desk = std::int64_t{1} << 30;

} // namespace

Result<DesktopInfo> SimulatedCore::start(const DesktopSpec& spec) {
    BATON_TRY(check_desktop_spec(spec));
    if (const SimulatedMachine* machine = find(spec.id)) {
        BATON_TRY(check_same(spec, machine->spec.session, machine->spec.memory,
                             machine->spec.local_screen));
        return reported(*machine);
    }
    if (in_use_ + spec.memory > settings_.memory)
        return fail(Errc::full,
                    fmt::format("a desktop of {} does not fit: {} of {} are in use",
                                to_string(spec.memory), to_string(in_use_),
                                to_string(settings_.memory)),
                    "stop other desktops, or start it on another host");
    SimulatedMachine machine;
    machine.spec = spec;
    machine.birth = ++births_;
    const auto guest = guests_.find(spec.id);
    machine.guest = guest == guests_.end() ? guest_ : guest->second;
    std::uint16_t port = first_screen_port;
    while (std::any_of(machines_.begin(), machines_.end(),
                       [&](const auto& other) { return other.second.info.screen.port == port; }))
        ++port;
    machine.info.id = spec.id;
    machine.info.session = spec.session;
    machine.info.image = spec.image.id;
    machine.info.memory = spec.memory;
    machine.info.running = true;
    if (!spec.local_screen)
        machine.info.screen = Endpoint{settings_.screen_address, port};
    in_use_ += spec.memory;
    high_water_ = std::max(high_water_, in_use_);
    boot(machine);
    DesktopInfo info = reported(machine);
    machines_[spec.id] = std::move(machine);
    return info;
}

void SimulatedCore::boot(const SimulatedMachine& machine) {
    if (machine.guest.never_ready || !machine.spec.image.has_guest_agent)
        return;
    later(machine, machine.guest.ready_after, [this](SimulatedMachine& booted) {
        booted.info.guest_ready = true;
        say(GuestSaid{booted.spec.id, hello(booted)});
        say(GuestSaid{booted.spec.id, guest::Ready{}});
    });
}

guest::Hello SimulatedCore::hello(const SimulatedMachine& machine) {
    guest::Hello hello;
    hello.protocol = guest::protocol_version;
    hello.agent_version = "simulated";
    hello.os_image = machine.spec.image.id.value;
    hello.boot_id = fmt::format("boot-{}", machine.birth);
    hello.ready = true;
    hello.mounted_fence = machine.mounted ? machine.last_fence : 0;
    return hello;
}

Result<void> SimulatedCore::stop(const DesktopId& desktop) {
    BATON_TRY(check_desktop_id(desktop));
    remove(desktop, "destroyed");
    return {};
}

Result<void> SimulatedCore::attach(const DesktopId& desktop, const DeskDisk& disk) {
    SimulatedMachine* machine = find(desktop);
    if (machine == nullptr)
        return no_such(desktop);
    if (machine->disk && machine->disk->source.fence != disk.source.fence)
        return fail(Errc::conflict,
                    fmt::format("desktop {} holds the desk under the fencing number {}, not {}",
                                desktop.value, machine->disk->source.fence.value,
                                disk.source.fence.value));
    if (machine->disk && machine->detaching)
        return fail(Errc::busy,
                    fmt::format("the desk is just being taken out of desktop {}", desktop.value));
    machine->disk = disk;
    machine->info.desk_attached = true;
    machine->info.desk_fence = disk.source.fence;
    mount(*machine);
    return {};
}

Result<void> SimulatedCore::detach(const DesktopId& desktop) {
    SimulatedMachine* machine = find(desktop);
    if (machine == nullptr)
        return no_such(desktop);
    if (!machine->disk || machine->detaching)
        return {};
    machine->detaching = true;
    if (machine->guest.never_detaches)
        return {};
    const FencingNumber fence = machine->disk->source.fence;
    later(*machine, machine->guest.detached_after, [this, fence](SimulatedMachine& later_machine) {
        later_machine.detaching = false;
        if (later_machine.guest.refuses_detach) {
            say(DetachRefused{later_machine.spec.id, fence, "the guest would not let the disk go"});
            return;
        }
        later_machine.disk.reset();
        later_machine.mounted = false;
        later_machine.info.desk_attached = false;
        later_machine.info.desk_fence = FencingNumber{};
        say(DiskDetached{later_machine.spec.id, fence});
    });
    return {};
}

Result<void> SimulatedCore::set_password(const DesktopId& desktop, const std::string& password,
                                         WallTime until) {
    SimulatedMachine* machine = find(desktop);
    if (machine == nullptr)
        return no_such(desktop);
    if (machine->spec.local_screen)
        return {};
    if (password.empty())
        return fail(Errc::invalid_argument, "a desktop's screen needs a password");
    machine->spec.screen_password = password;
    machine->spec.screen_password_until = until;
    return {};
}

Result<void> SimulatedCore::weigh(const DesktopId& desktop, unsigned weight) {
    BATON_TRY(check_cpu_weight(weight));
    SimulatedMachine* machine = find(desktop);
    if (machine == nullptr)
        return no_such(desktop);
    if (!settings_.no_cpu_weights.empty())
        return fail(Errc::unsupported, settings_.no_cpu_weights);
    machine->cpu_weight = weight;
    return {};
}

Result<void> SimulatedCore::send(const DesktopId& desktop, const guest::ToGuest& message) {
    SimulatedMachine* machine = find(desktop);
    if (machine == nullptr)
        return no_such(desktop);
    if (!machine->info.guest_ready)
        return fail(Errc::unavailable,
                    fmt::format("the guest of desktop {} has not opened its port", desktop.value),
                    "it is still booting, or baton-guest does not run in it");
    machine->told.push_back(message);
    hear(*machine, message);
    return {};
}

void SimulatedCore::hear(SimulatedMachine& machine, const guest::ToGuest& message) {
    if (std::holds_alternative<guest::Ask>(message)) {
        later(machine, milliseconds{0}, [this](SimulatedMachine& asked) {
            say(GuestSaid{asked.spec.id, hello(asked)});
            say(GuestSaid{asked.spec.id, guest::Ready{}});
            if (asked.mounted)
                say(GuestSaid{asked.spec.id, guest::Mounted{asked.last_fence, free_on_a_desk}});
        });
    } else if (const auto* wanted = std::get_if<guest::Mount>(&message)) {
        machine.wanted = *wanted;
        mount(machine);
    } else if (std::holds_alternative<guest::Release>(message)) {
        machine.wanted.reset();
        if (machine.guest.never_releases)
            return;
        later(machine, machine.guest.released_after, [this](SimulatedMachine& released) {
            released.mounted = false;
            say(GuestSaid{released.spec.id, guest::Released{released.last_fence}});
        });
    }
}

void SimulatedCore::mount(SimulatedMachine& machine) {
    if (!machine.wanted || !machine.disk || machine.disk->serial() != machine.wanted->serial ||
        machine.guest.never_mounts)
        return;
    const guest::Mount wanted = *std::exchange(machine.wanted, std::nullopt);
    later(machine, machine.guest.mounted_after, [this, wanted](SimulatedMachine& mounting) {
        if (!mounting.disk || mounting.disk->serial() != wanted.serial)
            return;
        if (mounting.guest.fails_mount) {
            say(GuestSaid{mounting.spec.id,
                          guest::Failed{"mount", "there is no ext4 file system on the disk"}});
            return;
        }
        mounting.mounted = true;
        mounting.last_fence = wanted.fence;
        say(GuestSaid{mounting.spec.id, guest::Mounted{wanted.fence, free_on_a_desk}});
    });
}

Result<std::string> SimulatedCore::console(const DesktopId& desktop, std::size_t bytes) {
    BATON_TRY(check_desktop_id(desktop));
    const SimulatedMachine* machine = find(desktop);
    if (machine == nullptr)
        return std::string{};
    const std::string text =
        machine->info.guest_ready ? "simulated kernel\nsimulated desktop\n" : "simulated kernel\n";
    return text.size() > bytes ? text.substr(text.size() - bytes) : text;
}

Result<std::string> SimulatedCore::screenshot(const DesktopId& desktop) {
    const SimulatedMachine* machine = find(desktop);
    if (machine == nullptr)
        return no_such(desktop);
    // a picture of the status strip alone, as the real guest draws it
    const auto cells = guest::strip_cells(
        guest::strip_state(machine->mounted ? machine->last_fence : 0, machine->spec.memory));
    std::string row;
    for (const guest::Colour colour : cells) {
        const guest::Rgb rgb =
            guest::rgb(machine->info.guest_ready ? colour : guest::Colour::black);
        for (int x = 0; x < guest::strip::cell_width; ++x)
            for (const std::uint8_t channel : {rgb.red, rgb.green, rgb.blue})
                row += static_cast<char>(channel);
    }
    std::string picture =
        fmt::format("P6\n{} {}\n255\n", guest::strip::width, guest::strip::cell_height);
    for (int y = 0; y < guest::strip::cell_height; ++y)
        picture += row;
    return picture;
}

std::vector<DesktopInfo> SimulatedCore::list() {
    std::vector<DesktopInfo> desktops;
    desktops.reserve(machines_.size());
    for (const auto& [id, machine] : machines_)
        desktops.push_back(reported(machine));
    return desktops;
}

void SimulatedCore::set_connected(bool connected) {
    const std::scoped_lock lock(mutex_);
    if (connected == connected_)
        return;
    connected_ = connected;
    for (Event& event : std::exchange(held_back_, {}))
        say(std::move(event));
    say(ConnectionChanged{connected});
}

} // namespace baton::hypervisor
