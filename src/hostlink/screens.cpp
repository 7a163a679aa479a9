#include "hostlink/screens.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

namespace baton::hostlink {

Result<DesktopInfo> Screens::start(hypervisor::Hypervisor& hypervisor, hypervisor::DesktopSpec spec,
                                   const std::string& ticket) const {
    if (ticket.empty())
        return hypervisor.start(spec);
    if (settings_.relay.port == 0)
        return fail(Errc::unsupported,
                    fmt::format("the screen of {} is for gateways, and this host has no relay for "
                                "them",
                                spec.id.value),
                    "open the session with the route 'nat'");
    spec.local_screen = true;
    const auto before = tickets_.read(spec.id);
    BATON_TRY(tickets_.write(spec.id, {settings_.socket(spec.id), ticket}));
    auto started = hypervisor.start(spec);
    if (started)
        return started;
    if (!before)
        drop(spec.id);
    else if (const auto kept = tickets_.write(spec.id, *before); !kept)
        spdlog::warn("{}", kept.error().message());
    return started;
}

Result<void> Screens::stop(hypervisor::Hypervisor& hypervisor, const DesktopId& desktop) const {
    BATON_TRY(hypervisor.stop(desktop));
    drop(desktop);
    return {};
}

void Screens::ended(hypervisor::Hypervisor& hypervisor, const DesktopId& desktop) const {
    if (settings_.tickets.empty())
        return;
    if (const auto ticket = tickets_.read(desktop);
        !ticket && ticket.error().code == Errc::not_found)
        return;
    // it may have been started anew meanwhile
    const auto list = hypervisor.list();
    if (list &&
        std::ranges::none_of(*list, [&](const DesktopInfo& info) { return info.id == desktop; }))
        drop(desktop);
}

std::vector<DesktopId> Screens::ticketed() const {
    if (settings_.tickets.empty())
        return {};
    auto found = tickets_.desktops();
    if (!found)
        spdlog::warn("{}", found.error().message());
    return found ? std::move(*found) : std::vector<DesktopId>{};
}

void Screens::begin() const {
    if (!settings_.tickets.empty())
        tickets_.remove_unfinished();
}

Endpoint Screens::shown(const DesktopInfo& running) const {
    return running.screen == Endpoint{} ? settings_.relay : running.screen;
}

void Screens::drop(const DesktopId& desktop) const {
    if (settings_.tickets.empty())
        return;
    if (const auto removed = tickets_.remove(desktop); !removed)
        spdlog::warn("{}", removed.error().message());
}

} // namespace baton::hostlink
