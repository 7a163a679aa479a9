#include "hypervisor/libvirt_callbacks.h"

#include <libvirt/virterror.h>

#include <set>

/// A connection is made, again made, lost: what runs is taken over, what ended unseen is said.
namespace baton::hypervisor {

namespace {

/// A libvirtd that was started again lists a machine as running until it finds that its QEMU is
/// gone, and says no event then. So what was taken over is looked for again, at growing pauses that
/// outlast libvirt's wait for a monitor (30 s).
constexpr int first_recheck_ms = 500;
constexpr int last_recheck_ms = 32'000;

} // namespace

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

} // namespace baton::hypervisor
