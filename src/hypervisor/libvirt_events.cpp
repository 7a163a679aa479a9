#include "hypervisor/libvirt_callbacks.h"

#include <array>

/// What libvirt says: its callbacks, and what the core makes of each in its worker's thread.
namespace baton::hypervisor {

namespace {

/// How long a desktop whose desk server is full waits until it tries its write again.
constexpr int space_pause_ms = 2'000;

std::string stop_reason(int detail) {
    switch (detail) {
    case VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN:
        return "shut down by the guest";
    case VIR_DOMAIN_EVENT_STOPPED_DESTROYED:
        return "destroyed";
    case VIR_DOMAIN_EVENT_STOPPED_CRASHED:
        return "crashed: the guest's operating system or QEMU gave up";
    case VIR_DOMAIN_EVENT_STOPPED_FAILED:
        return "crashed: QEMU ended unexpectedly";
    default:
        return "stopped";
    }
}

/// libvirt takes callbacks of every signature as one type, by way of the one that may be cast.
template <class Callback>
virConnectDomainEventGenericCallback generic(Callback* callback) {
    return reinterpret_cast<virConnectDomainEventGenericCallback>(
        reinterpret_cast<void (*)()>(callback));
}

} // namespace

void LibvirtCallbacks::post(void* opaque, std::function<void(LibvirtCore&)> task) {
    LibvirtCore::Gate& gate = **static_cast<Gate*>(opaque);
    const std::scoped_lock lock(gate.mutex);
    if (LibvirtCore* core = gate.core)
        core->worker_.post([core, task = std::move(task)] { task(*core); });
}

int LibvirtCallbacks::lifecycle(virConnectPtr, virDomainPtr domain, int event, int detail,
                                void* opaque) {
    post(opaque, [uuid = uuid_of(domain), event, detail](LibvirtCore& core) {
        core.on_lifecycle(uuid, event, detail);
    });
    return 0;
}

void LibvirtCallbacks::removed(virConnectPtr, virDomainPtr domain, const char* alias,
                               void* opaque) {
    post(opaque, [uuid = uuid_of(domain), name = std::string(alias)](LibvirtCore& core) {
        core.on_device_removed(uuid, name);
    });
}

void LibvirtCallbacks::removal_failed(virConnectPtr, virDomainPtr domain, const char* alias,
                                      void* opaque) {
    post(opaque, [uuid = uuid_of(domain), name = std::string(alias)](LibvirtCore& core) {
        core.on_removal_failed(uuid, name);
    });
}

void LibvirtCallbacks::threshold(virConnectPtr, virDomainPtr domain, const char* device,
                                 const char*, unsigned long long, unsigned long long,
                                 void* opaque) {
    if (std::string_view(device) != root_target)
        return;
    post(opaque,
         [uuid = uuid_of(domain)](LibvirtCore& core) { core.end(uuid, core.overlay_reason()); });
}

void LibvirtCallbacks::io_error(virConnectPtr, virDomainPtr domain, const char*, const char* alias,
                                int action, const char* reason, void* opaque) {
    if (action != VIR_DOMAIN_EVENT_IO_ERROR_PAUSE)
        return;
    if (alias == desk_alias)
        return wait_for_space(*static_cast<Gate*>(opaque), uuid_of(domain));
    post(opaque, [uuid = uuid_of(domain), text = std::string(reason)](LibvirtCore& core) {
        core.end(uuid, text == "enospc" ? "ended: the disk of the host is full"
                                        : "ended: the host's disk gave an error");
    });
}

void LibvirtCallbacks::after(const Gate& gate, int milliseconds,
                             std::function<void(LibvirtCore&)> task) {
    struct Pause {
        Gate gate;
        std::function<void(LibvirtCore&)> task;
    };

    const auto over = [](int timer, void* opaque) {
        auto& pause = *static_cast<Pause*>(opaque);
        post(&pause.gate, std::move(pause.task));
        virEventRemoveTimeout(timer);
    };
    auto* pause = new Pause{gate, std::move(task)};
    if (virEventAddTimeout(milliseconds, over, pause,
                           [](void* opaque) { delete static_cast<Pause*>(opaque); }) < 0)
        delete pause;
}

void LibvirtCallbacks::wait_for_space(const Gate& gate, const std::string& uuid) {
    after(gate, space_pause_ms, [uuid](LibvirtCore& core) { core.go_on(uuid); });
}

Result<void> LibvirtCore::register_events(const ConnectionHandle& connection) {
    struct Wanted {
        int id;
        virConnectDomainEventGenericCallback callback;
    };

    const std::array events{
        Wanted{VIR_DOMAIN_EVENT_ID_LIFECYCLE, generic(LibvirtCallbacks::lifecycle)},
        Wanted{VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, generic(LibvirtCallbacks::removed)},
        Wanted{VIR_DOMAIN_EVENT_ID_DEVICE_REMOVAL_FAILED,
               generic(LibvirtCallbacks::removal_failed)},
        Wanted{VIR_DOMAIN_EVENT_ID_BLOCK_THRESHOLD, generic(LibvirtCallbacks::threshold)},
        Wanted{VIR_DOMAIN_EVENT_ID_IO_ERROR_REASON, generic(LibvirtCallbacks::io_error)},
    };
    for (const Wanted& event : events) {
        auto* gate = new LibvirtCallbacks::Gate(gate_);
        const int id = virConnectDomainEventRegisterAny(
            connection.get(), nullptr, event.id, event.callback, gate, LibvirtCallbacks::release);
        if (id < 0) {
            delete gate;
            return fail_libvirt("asking the hypervisor for its events");
        }
        callbacks_.push_back(id);
    }
    return {};
}

void LibvirtCore::on_lifecycle(const std::string& uuid, int event, int detail) {
    if (event == VIR_DOMAIN_EVENT_STOPPED)
        gone(uuid, stop_reason(detail));
    else if (event == VIR_DOMAIN_EVENT_CRASHED)
        end(uuid, "crashed: the guest's operating system gave up");
}

void LibvirtCore::on_device_removed(const std::string& uuid, const std::string& alias) {
    if (alias != desk_alias)
        return;
    std::optional<DiskDetached> detached;
    {
        const std::scoped_lock lock(mutex_);
        for (auto& [desktop, known] : desktops_) {
            if (known.uuid != uuid || !known.desk)
                continue;
            detached = DiskDetached{desktop, *known.desk};
            known.desk.reset();
            known.detaching = false;
        }
    }
    if (detached)
        say(*detached);
}

void LibvirtCore::on_removal_failed(const std::string& uuid, const std::string& alias) {
    if (alias != desk_alias)
        return;
    std::optional<DetachRefused> refused;
    {
        const std::scoped_lock lock(mutex_);
        for (auto& [desktop, known] : desktops_) {
            if (known.uuid != uuid || !known.desk)
                continue;
            refused = DetachRefused{desktop, *known.desk, "the guest would not let the disk go"};
            known.detaching = false;
        }
    }
    if (refused)
        say(*refused);
}

void LibvirtCore::end(const std::string& uuid, const std::string& reason) {
    update(uuid, [&](Known& known) { known.ending = reason; });
    const auto open = connection();
    if (!open)
        return; // it is dealt with when the connection is back
    const DomainHandle domain(virDomainLookupByUUIDString(open->get(), uuid.c_str()));
    if (domain)
        virDomainDestroy(domain.get());
}

void LibvirtCore::go_on(const std::string& uuid) {
    const auto open = connection();
    if (!open)
        return; // adopt() looks at it when the connection is back
    const DomainHandle domain(virDomainLookupByUUIDString(open->get(), uuid.c_str()));
    if (domain && waits_for_space(domain.get()))
        virDomainResume(domain.get());
}

bool LibvirtCore::waits_for_space(virDomain* domain) {
    int state = 0;
    int reason = 0;
    return virDomainGetState(domain, &state, &reason, 0) == 0 && state == VIR_DOMAIN_PAUSED &&
           reason == VIR_DOMAIN_PAUSED_IOERROR;
}

void LibvirtCore::heard(const DesktopId& desktop, const guest::FromGuest& message) {
    {
        const std::scoped_lock lock(mutex_);
        const auto found = desktops_.find(desktop);
        if (found == desktops_.end())
            return;
        if (std::holds_alternative<guest::Ready>(message))
            found->second.guest_ready = true;
        else if (const auto* hello = std::get_if<guest::Hello>(&message))
            found->second.guest_ready = hello->ready;
    }
    say(GuestSaid{desktop, message});
    channels_.delivered(desktop);
}

} // namespace baton::hypervisor
