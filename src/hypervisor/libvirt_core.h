#pragma once

#include "hypervisor/console_files.h"
#include "hypervisor/domain_xml.h"
#include "hypervisor/guest_channels.h"
#include "hypervisor/libvirt.h"
#include "hypervisor/libvirt_keeper.h"
#include "hypervisor/state_files.h"
#include "hypervisor/worker.h"

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <vector>

/// What the libvirt adapter knows and hears: the table of desktops, libvirt's events, what is found
/// when a connection is (again) made. The calls of the port are in libvirt.cpp.
namespace baton::hypervisor {

/// What the adapter remembers of a desktop between calls. The truth is libvirt's.
struct Known {
    SessionId session;
    OsImageId image;
    Mebibytes memory;
    std::string uuid;
    bool guest_ready = false;
    std::optional<FencingNumber> desk;
    bool detaching = false;
    std::string ending; ///< why it is being ended, if that was our doing
};

class LibvirtCore : private LibvirtKeeper::Owner {
  public:
    LibvirtCore(LibvirtSettings settings, StateFiles files);

    ~LibvirtCore() override { stop(); }

    LibvirtCore(const LibvirtCore&) = delete;
    LibvirtCore& operator=(const LibvirtCore&) = delete;

    /// Connects, and says events to `sink` from now on.
    void start(Hypervisor::Sink sink);
    /// No event is said after this.
    void stop();

    // ---- for the calls of the port
    [[nodiscard]] const LibvirtSettings& settings() const { return settings_; }

    [[nodiscard]] const StateFiles& files() const { return files_; }

    [[nodiscard]] Result<ConnectionHandle> connection() const { return keeper_.connection(); }

    GuestChannels& channels() { return channels_; }

    /// Held while a desktop comes into being: what is found at a connection and has no domain is
    /// swept away otherwise.
    [[nodiscard]] std::shared_lock<std::shared_mutex> no_sweeping() {
        return std::shared_lock(sweeping_);
    }

    /// Calls for one desktop come one after the other.
    [[nodiscard]] std::shared_ptr<std::mutex> turn(const DesktopId& desktop);

    [[nodiscard]] std::optional<Known> known(const DesktopId& desktop) const;
    void remember(const DesktopId& desktop, Known known);

    /// Changes what is known, if it is still the domain of that UUID.
    template <class Change>
    void update(const std::string& uuid, Change change) {
        const std::scoped_lock lock(mutex_);
        for (auto& [desktop, known] : desktops_)
            if (known.uuid == uuid)
                change(known);
    }

    /// Removes its files and forgets it, once; says Stopped with `reason`, or with why we ended it.
    void gone(const std::string& uuid, const std::string& reason);
    /// Forgets it without a word: it never came into being.
    void forget(const DesktopId& desktop);

    /// The domain of a desktop of ours; an empty handle: there is none.
    static Result<DomainHandle> find(const ConnectionHandle& connection, const DesktopId& desktop);
    /// Its XML with passwords. nullopt: not ours, or gone.
    static std::optional<DomainFacts> facts(virDomain* domain);

    /// Bounds its overlay twice: libvirt tells when it comes near the limit, and the kernel refuses
    /// to let it grow beyond, also while nobody listens.
    void bound_overlay(virDomain* domain) const;

    /// The end of the console of a desktop that ended lately.
    [[nodiscard]] std::string last_console(const DesktopId& desktop) const;

  private:
    friend struct LibvirtCallbacks;

    /// libvirt's callbacks reach the core through it, as long as there is one.
    struct Gate {
        std::mutex mutex;
        LibvirtCore* core = nullptr;
    };

    Result<void> on_open(const ConnectionHandle& connection) override;
    void on_ready() override;
    void on_lost() override;
    void on_close(const ConnectionHandle& connection) override;

    Result<void> adopt_all(const ConnectionHandle& connection);
    /// Takes over a running desktop; its id, if it is ours.
    std::optional<DesktopId> adopt(virDomain* domain);
    /// Looks again, at growing pauses, for domains that were taken over and end without an event.
    void recheck_after(int milliseconds, std::vector<std::string> uuids);
    /// Those that are still there; the others are gone().
    std::vector<std::string> recheck(const std::vector<std::string>& uuids);
    Result<void> register_events(const ConnectionHandle& connection);
    void on_lifecycle(const std::string& uuid, int event, int detail);
    void on_device_removed(const std::string& uuid, const std::string& alias);
    void on_removal_failed(const std::string& uuid, const std::string& alias);
    /// Ends a desktop for a reason of ours.
    void end(const std::string& uuid, const std::string& reason);
    /// A desktop that stopped at a write for which the desk server had no room tries it again.
    void go_on(const std::string& uuid);
    static bool waits_for_space(virDomain* domain);
    [[nodiscard]] std::string overlay_reason() const;
    /// Whether the overlay has come near its limit.
    [[nodiscard]] bool overlay_full(const DesktopId& desktop) const;
    [[nodiscard]] std::int64_t overlay_threshold() const;
    void heard(const DesktopId& desktop, const guest::FromGuest& message);
    void say(const Event& event);

    LibvirtSettings settings_;
    StateFiles files_;
    ConsoleFiles console_files_;
    Hypervisor::Sink sink_;
    std::shared_ptr<void> event_loop_;

    mutable std::mutex mutex_;
    std::map<DesktopId, Known> desktops_;
    std::map<DesktopId, std::weak_ptr<std::mutex>> turns_;
    std::vector<std::pair<DesktopId, std::string>> last_consoles_;
    std::shared_mutex sweeping_;
    std::shared_ptr<Gate> gate_ = std::make_shared<Gate>();
    std::vector<int> callbacks_; ///< registered with the open connection

    Worker worker_;
    GuestChannels channels_;
    LibvirtKeeper keeper_;
};

} // namespace baton::hypervisor
