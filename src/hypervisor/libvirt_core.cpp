#include "hypervisor/libvirt_core.h"

#include "hypervisor/qemu_process.h"

#include <fmt/format.h>
#include <libvirt/virterror.h>

#include <algorithm>
#include <array>
#include <sys/stat.h>

namespace baton::hypervisor {

namespace {

constexpr std::size_t kept_consoles = 32;
constexpr std::size_t kept_console_bytes = 8192;
/// What a guest may write between libvirt's warning and its end.
constexpr std::int64_t overlay_margin = std::int64_t{256} << 20;

/// Reads the string that libvirt made, and frees it.
std::string take(char* text) {
    std::string copy = text == nullptr ? std::string{} : std::string(text);
    free(text);
    return copy;
}

/// How long a desktop whose desk server is full waits until it tries its write again.
constexpr int space_pause_ms = 2'000;

/// A libvirtd that was started again lists a machine as running until it finds that its QEMU is
/// gone, and says no event then. So what was taken over is looked for again, at growing pauses that
/// outlast libvirt's wait for a monitor (30 s).
constexpr int first_recheck_ms = 500;
constexpr int last_recheck_ms = 32'000;

std::string uuid_of(virDomain* domain) {
    std::array<char, VIR_UUID_STRING_BUFLEN> text{};
    virDomainGetUUIDString(domain, text.data());
    return text.data();
}

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

/// libvirt calls these in its event loop's thread; everything is handed to the core's own worker.
struct LibvirtCallbacks {
    using Gate = std::shared_ptr<LibvirtCore::Gate>;

    static void post(void* opaque, std::function<void(LibvirtCore&)> task) {
        LibvirtCore::Gate& gate = **static_cast<Gate*>(opaque);
        const std::scoped_lock lock(gate.mutex);
        if (LibvirtCore* core = gate.core)
            core->worker_.post([core, task = std::move(task)] { task(*core); });
    }

    static int lifecycle(virConnectPtr, virDomainPtr domain, int event, int detail, void* opaque) {
        post(opaque, [uuid = uuid_of(domain), event, detail](LibvirtCore& core) {
            core.on_lifecycle(uuid, event, detail);
        });
        return 0;
    }

    static void removed(virConnectPtr, virDomainPtr domain, const char* alias, void* opaque) {
        post(opaque, [uuid = uuid_of(domain), name = std::string(alias)](LibvirtCore& core) {
            core.on_device_removed(uuid, name);
        });
    }

    static void removal_failed(virConnectPtr, virDomainPtr domain, const char* alias,
                               void* opaque) {
        post(opaque, [uuid = uuid_of(domain), name = std::string(alias)](LibvirtCore& core) {
            core.on_removal_failed(uuid, name);
        });
    }

    static void threshold(virConnectPtr, virDomainPtr domain, const char* device, const char*,
                          unsigned long long, unsigned long long, void* opaque) {
        if (std::string_view(device) != root_target)
            return;
        post(opaque, [uuid = uuid_of(domain)](LibvirtCore& core) {
            core.end(uuid, core.overlay_reason());
        });
    }

    static void io_error(virConnectPtr, virDomainPtr domain, const char*, const char* alias,
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

    static void release(void* opaque) { delete static_cast<Gate*>(opaque); }

    /// Does it in the worker's thread once `milliseconds` have passed.
    static void after(const Gate& gate, int milliseconds, std::function<void(LibvirtCore&)> task) {
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

    /// Lets the desktop go on after a pause. When there is still no room it stops at the same write
    /// again, and is waited for again.
    static void wait_for_space(const Gate& gate, const std::string& uuid) {
        after(gate, space_pause_ms, [uuid](LibvirtCore& core) { core.go_on(uuid); });
    }
};

LibvirtCore::LibvirtCore(LibvirtSettings settings, StateFiles files)
    : settings_(std::move(settings)),
      files_(std::move(files)),
      console_files_(files_),
      event_loop_(run_libvirt_events()),
      channels_([this](const DesktopId& desktop, guest::FromGuest message) {
          worker_.post([this, desktop, message = std::move(message)] { heard(desktop, message); });
      }),
      keeper_(settings_, *this) {
    gate_->core = this;
}

void LibvirtCore::start(Hypervisor::Sink sink) {
    sink_ = std::move(sink);
    keeper_.start();
}

void LibvirtCore::stop() {
    {
        const std::scoped_lock lock(gate_->mutex);
        gate_->core = nullptr;
    }
    worker_.stop();
    keeper_.stop();
}

void LibvirtCore::say(const Event& event) {
    if (sink_)
        sink_(event);
}

// ---- the table ----------------------------------------------------------------------------------

std::shared_ptr<std::mutex> LibvirtCore::turn(const DesktopId& desktop) {
    const std::scoped_lock lock(mutex_);
    std::erase_if(turns_, [](const auto& entry) { return entry.second.expired(); });
    auto turn = turns_[desktop].lock();
    if (!turn)
        turns_[desktop] = turn = std::make_shared<std::mutex>();
    return turn;
}

std::optional<Known> LibvirtCore::known(const DesktopId& desktop) const {
    const std::scoped_lock lock(mutex_);
    const auto found = desktops_.find(desktop);
    return found == desktops_.end() ? std::nullopt : std::optional(found->second);
}

void LibvirtCore::remember(const DesktopId& desktop, Known known) {
    const std::scoped_lock lock(mutex_);
    desktops_[desktop] = std::move(known);
}

void LibvirtCore::forget(const DesktopId& desktop) {
    channels_.close(desktop);
    files_.remove(desktop);
    const std::scoped_lock lock(mutex_);
    desktops_.erase(desktop);
}

void LibvirtCore::gone(const std::string& uuid, const std::string& reason) {
    DesktopId desktop;
    std::string why;
    {
        const std::scoped_lock lock(mutex_);
        const auto found = std::find_if(desktops_.begin(), desktops_.end(), [&](const auto& entry) {
            return entry.second.uuid == uuid;
        });
        if (found == desktops_.end())
            return;
        desktop = found->first;
        why = !found->second.ending.empty() ? found->second.ending
              : overlay_full(desktop)       ? overlay_reason()
                                            : reason;
        last_consoles_.emplace_back(desktop, files_.console_tail(desktop, kept_console_bytes));
        if (last_consoles_.size() > kept_consoles)
            last_consoles_.erase(last_consoles_.begin());
        channels_.close(desktop);
        // under the lock: who finds the desktop unknown finds its files gone, and may start it anew
        files_.remove(desktop);
        desktops_.erase(found);
    }
    worker_.post([this, desktop, why] { say(Stopped{desktop, why}); });
}

std::string LibvirtCore::last_console(const DesktopId& desktop) const {
    const std::scoped_lock lock(mutex_);
    for (const auto& [id, text] : last_consoles_)
        if (id == desktop)
            return text;
    return {};
}

// ---- libvirt's domains --------------------------------------------------------------------------

std::optional<DomainFacts> LibvirtCore::facts(virDomain* domain) {
    return facts_from_xml(take(virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_SECURE)));
}

Result<DomainHandle> LibvirtCore::find(const ConnectionHandle& connection,
                                       const DesktopId& desktop) {
    DomainHandle domain(virDomainLookupByName(connection.get(), domain_name(desktop).c_str()));
    if (!domain) {
        Error error = libvirt_error("looking for desktop " + desktop.value);
        if (error.code == Errc::not_found)
            return DomainHandle{};
        return tl::unexpected(std::move(error));
    }
    const auto of_it = facts(domain.get());
    // a foreign domain that happens to have the name is not ours to touch
    if (!of_it || of_it->desktop != desktop)
        return DomainHandle{};
    return domain;
}

std::int64_t LibvirtCore::overlay_threshold() const {
    const std::int64_t limit = settings_.overlay_limit_bytes;
    return limit - std::min(limit / 4, overlay_margin);
}

void LibvirtCore::bound_overlay(virDomain* domain) const {
    virDomainSetBlockThreshold(domain, root_target,
                               static_cast<unsigned long long>(overlay_threshold()), 0);
    if (const pid_t qemu = find_qemu(uuid_of(domain)); qemu > 0)
        (void)limit_file_size(qemu, settings_.overlay_limit_bytes);
}

std::string LibvirtCore::overlay_reason() const {
    return fmt::format("ended: it wrote more to its operating system than one desktop may ({} MiB)",
                       settings_.overlay_limit_bytes / 1024 / 1024);
}

bool LibvirtCore::overlay_full(const DesktopId& desktop) const {
    struct stat status{};
    return ::stat(files_.overlay(desktop).c_str(), &status) == 0 &&
           status.st_size > overlay_threshold();
}

std::optional<DesktopId> LibvirtCore::adopt(virDomain* domain) {
    const auto found = facts(domain);
    if (!found)
        return std::nullopt;
    std::optional<FencingNumber> left;
    {
        const std::scoped_lock lock(mutex_);
        Known& known = desktops_[found->desktop];
        if (known.uuid != found->uuid)
            known = Known{};
        if (known.desk && known.desk != found->desk)
            left = known.desk;
        known.session = found->session;
        known.image = found->image;
        known.memory = found->memory;
        known.uuid = found->uuid;
        known.desk = found->desk;
        known.detaching = known.detaching && known.desk.has_value();
        // it was to be ended when the connection was lost
        if (!known.ending.empty())
            worker_.post([this, uuid = known.uuid, why = known.ending] { end(uuid, why); });
    }
    if (left)
        worker_.post([this, id = found->desktop, fence = *left] { say(DiskDetached{id, fence}); });
    bound_overlay(domain);
    // it came near its limit while nobody listened
    if (overlay_full(found->desktop))
        worker_.post([this, uuid = found->uuid] { end(uuid, overlay_reason()); });
    if (waits_for_space(domain))
        LibvirtCallbacks::wait_for_space(gate_, found->uuid);
    channels_.open(found->desktop, found->channel);
    return found->desktop;
}

Result<void> LibvirtCore::on_open(const ConnectionHandle& connection) {
    // events first, then the list: what happens in between is heard of twice rather than never
    BATON_TRY(register_events(connection));
    return adopt_all(connection);
}

void LibvirtCore::on_ready() {
    worker_.post([this] { say(ConnectionChanged{true}); });
}

void LibvirtCore::on_lost() {
    worker_.post([this] { say(ConnectionChanged{false}); });
}

void LibvirtCore::on_close(const ConnectionHandle& connection) {
    // each holds a reference to the connection
    for (const int callback : callbacks_)
        virConnectDomainEventDeregisterAny(connection.get(), callback);
    callbacks_.clear();
}

Result<void> LibvirtCore::adopt_all(const ConnectionHandle& connection) {
    const std::unique_lock no_starts(sweeping_);
    virDomainPtr* list = nullptr;
    const int count =
        virConnectListAllDomains(connection.get(), &list, VIR_CONNECT_LIST_DOMAINS_ACTIVE);
    if (count < 0)
        return fail_libvirt("listing the desktops");
    std::set<DesktopId> alive;
    for (int i = 0; i < count; ++i) {
        const DomainHandle domain(list[i]);
        if (const auto desktop = adopt(domain.get()))
            alive.insert(*desktop);
    }
    free(static_cast<void*>(list));
    std::vector<std::string> ended;
    {
        const std::scoped_lock lock(mutex_);
        for (const auto& [desktop, known] : desktops_)
            if (!alive.contains(desktop))
                ended.push_back(known.uuid);
    }
    for (const std::string& uuid : ended)
        gone(uuid, "ended while the hypervisor could not be reached");
    files_.remove_all_but(alive);
    std::vector<std::string> adopted;
    {
        const std::scoped_lock lock(mutex_);
        for (const auto& [desktop, known] : desktops_)
            if (alive.contains(desktop))
                adopted.push_back(known.uuid);
    }
    recheck_after(first_recheck_ms, std::move(adopted));
    return {};
}

void LibvirtCore::recheck_after(int milliseconds, std::vector<std::string> uuids) {
    if (uuids.empty() || milliseconds > last_recheck_ms)
        return;
    LibvirtCallbacks::after(gate_, milliseconds,
                            [milliseconds, uuids = std::move(uuids)](LibvirtCore& core) {
                                core.recheck_after(milliseconds * 2, core.recheck(uuids));
                            });
}

std::vector<std::string> LibvirtCore::recheck(const std::vector<std::string>& uuids) {
    const auto open = connection();
    if (!open)
        return uuids; // not in use yet; or lost, and the next one takes over anew
    std::vector<std::string> alive;
    for (const std::string& uuid : uuids) {
        const DomainHandle domain(virDomainLookupByUUIDString(open->get(), uuid.c_str()));
        if (domain || virGetLastErrorCode() != VIR_ERR_NO_DOMAIN)
            alive.push_back(uuid);
        else
            gone(uuid, "ended while the hypervisor could not be reached");
    }
    return alive;
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

// ---- what libvirt says, in the worker's thread --------------------------------------------------

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
