#include "hypervisor/libvirt_core.h"

#include "hypervisor/qemu_process.h"

#include <fmt/format.h>
#include <libvirt/virterror.h>

#include <algorithm>
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

} // namespace

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

} // namespace baton::hypervisor
