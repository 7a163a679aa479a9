#include "sampling/libvirt_watch.h"

#include "sampling/process_reader.h"

#include <algorithm>
#include <future>

namespace baton::sampling {

using hypervisor::ConnectionHandle;
using hypervisor::DomainHandle;
using hypervisor::fail_libvirt;

namespace {

std::string uuid_of(virDomainPtr domain) {
    std::array<char, VIR_UUID_STRING_BUFLEN> text{};
    virDomainGetUUIDString(domain, text.data());
    return text.data();
}

template <class Callback>
virConnectDomainEventGenericCallback generic(Callback* callback) {
    return reinterpret_cast<virConnectDomainEventGenericCallback>(
        reinterpret_cast<void (*)()>(callback));
}

hypervisor::LibvirtSettings keeper_settings(const std::string& uri) {
    hypervisor::LibvirtSettings settings;
    settings.uri = uri;
    return settings;
}

std::string take(char* text) {
    std::string copy = text == nullptr ? std::string{} : std::string(text);
    free(text);
    return copy;
}

} // namespace

/// libvirt calls these in its event loop's thread, where it must not be called back.
struct WatchCallbacks {
    using Gate = std::shared_ptr<LibvirtWatch::Gate>;

    static void changed(virDomainPtr domain, void* opaque) {
        LibvirtWatch::Gate& gate = **static_cast<Gate*>(opaque);
        const std::scoped_lock lock(gate.mutex);
        if (LibvirtWatch* watch = gate.watch)
            watch->worker_.post([watch, uuid = uuid_of(domain)] { watch->refresh(uuid); });
    }

    static int lifecycle(virConnectPtr, virDomainPtr domain, int, int, void* opaque) {
        changed(domain, opaque);
        return 0;
    }

    static void device(virConnectPtr, virDomainPtr domain, const char*, void* opaque) {
        changed(domain, opaque);
    }

    static void metadata(virConnectPtr, virDomainPtr domain, int, const char*, void* opaque) {
        changed(domain, opaque);
    }

    static void free_gate(void* opaque) { delete static_cast<Gate*>(opaque); }
};

LibvirtWatch::LibvirtWatch(LibvirtWatchSettings settings, std::shared_ptr<Mailbox> mailbox,
                           const Clock& clock)
    : settings_(std::move(settings)),
      mailbox_(std::move(mailbox)),
      clock_(clock),
      pid_folders_(pid_folders(settings_.uri)),
      event_loop_(hypervisor::run_libvirt_events()),
      slow_(settings_.slow, mailbox_, clock),
      keeper_(keeper_settings(settings_.uri), *this) {
    gate_->watch = this;
    // a libvirtd that hangs would hold up whoever connects
    starter_ = std::thread([this] {
        keeper_.start();
        if (const auto connection = keeper_.connection(); !connection)
            mailbox_->put(ConnectionNews{false, connection.error().message()});
    });
}

LibvirtWatch::~LibvirtWatch() {
    {
        const std::scoped_lock lock(gate_->mutex);
        gate_->watch = nullptr;
    }
    {
        const std::scoped_lock lock(mutex_);
        over_ = true;
    }
    changed_.notify_all();
    starter_.join();
    worker_.stop();
    keeper_.stop();
    if (bulk_.joinable())
        bulk_.join();
}

void LibvirtWatch::end(std::unique_ptr<LibvirtWatch> watch, std::chrono::milliseconds at_most) {
    std::promise<void> ended;
    auto when = ended.get_future();
    std::thread([watch = std::move(watch), ended = std::move(ended)]() mutable {
        watch.reset();
        ended.set_value();
    }).detach();
    (void)when.wait_for(at_most);
}

Result<void> LibvirtWatch::on_open(const ConnectionHandle& connection) {
    const char* type = virConnectGetType(connection.get());
    is_qemu_ = type != nullptr && std::string_view(type) == "QEMU";
    // events first, then the list: what happens in between is heard of twice rather than never
    BATON_TRY(register_events(connection));
    return list_all(connection);
}

void LibvirtWatch::on_ready() {
    mailbox_->put(ConnectionNews{true, {}});
    if (!is_qemu_ && !bulk_.joinable())
        bulk_ = std::thread([this] { ask_all_again_and_again(); });
}

void LibvirtWatch::on_lost() {
    const auto connection = keeper_.connection();
    mailbox_->put(ConnectionNews{false, connection ? "" : connection.error().message()});
}

void LibvirtWatch::on_close(const ConnectionHandle& connection) {
    for (const int callback : callbacks_)
        virConnectDomainEventDeregisterAny(connection.get(), callback);
    callbacks_.clear();
}

Result<void> LibvirtWatch::register_events(const ConnectionHandle& connection) {
    struct Wanted {
        int id;
        virConnectDomainEventGenericCallback callback;
    };

    const std::array events{
        Wanted{VIR_DOMAIN_EVENT_ID_LIFECYCLE, generic(WatchCallbacks::lifecycle)},
        Wanted{VIR_DOMAIN_EVENT_ID_DEVICE_ADDED, generic(WatchCallbacks::device)},
        Wanted{VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, generic(WatchCallbacks::device)},
        Wanted{VIR_DOMAIN_EVENT_ID_METADATA_CHANGE, generic(WatchCallbacks::metadata)},
    };
    for (const Wanted& event : events) {
        auto* gate = new std::shared_ptr<Gate>(gate_);
        const int id = virConnectDomainEventRegisterAny(
            connection.get(), nullptr, event.id, event.callback, gate, WatchCallbacks::free_gate);
        if (id >= 0) {
            callbacks_.push_back(id);
            continue;
        }
        delete gate;
        if (event.id == VIR_DOMAIN_EVENT_ID_LIFECYCLE)
            return fail_libvirt("following the hypervisor's VMs");
    }
    return {};
}

Result<void> LibvirtWatch::list_all(const ConnectionHandle& connection) {
    virDomainPtr* list = nullptr;
    const int count =
        virConnectListAllDomains(connection.get(), &list, VIR_CONNECT_LIST_DOMAINS_ACTIVE);
    if (count < 0)
        return fail_libvirt("listing the hypervisor's VMs");
    std::set<std::string> alive;
    for (int i = 0; i < count; ++i) {
        alive.insert(uuid_of(list[i]));
        found(list[i]);
    }
    free(static_cast<void*>(list));
    std::set<std::string> ended;
    {
        const std::scoped_lock lock(mutex_);
        std::ranges::set_difference(known_, alive, std::inserter(ended, ended.begin()));
    }
    for (const std::string& uuid : ended)
        gone(uuid);
    return {};
}

void LibvirtWatch::refresh(const std::string& uuid) {
    const auto connection = keeper_.connection();
    if (!connection)
        return; // all are listed when it is back
    virDomainPtr domain = virDomainLookupByUUIDString(connection->get(), uuid.c_str());
    if (domain == nullptr)
        return gone(uuid);
    if (virDomainIsActive(domain) != 1) {
        virDomainFree(domain);
        return gone(uuid);
    }
    found(domain);
}

void LibvirtWatch::found(virDomainPtr raw) {
    const SlowTier::DomainPtr domain(raw, virDomainFree);
    auto facts = domain_facts(take(virDomainGetXMLDesc(raw, 0)));
    if (!facts)
        return; // it has ended meanwhile
    int state = VIR_DOMAIN_NOSTATE;
    if (virDomainGetState(raw, &state, nullptr, 0) == 0)
        facts->who.state = domain_state(state);
    const std::string uuid = facts->who.uuid;
    std::optional<pid_t> pid;
    if (is_qemu_)
        if (const auto process = find_qemu(settings_.root, pid_folders_, facts->who.name, uuid))
            pid = *process;
    {
        const std::scoped_lock lock(mutex_);
        known_.insert(uuid);
    }
    mailbox_->put(Found{std::move(*facts), pid});
    if (is_qemu_)
        slow_.add(uuid, domain);
}

void LibvirtWatch::gone(const std::string& uuid) {
    {
        const std::scoped_lock lock(mutex_);
        known_.erase(uuid);
    }
    slow_.remove(uuid);
    mailbox_->put(Gone{uuid});
}

Result<void> LibvirtWatch::ask_all(virConnectPtr connection) {
    virDomainStatsRecordPtr* records = nullptr;
    const monitor::Moment at = clock_.now();
    const int count = virConnectGetAllDomainStats(connection, 0, &records,
                                                  VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE |
                                                      VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT);
    if (count < 0)
        return fail_libvirt("asking for all VMs");
    for (int i = 0; i < count; ++i) {
        const virDomainStatsRecord& record = *records[i];
        Told told{uuid_of(record.dom), domain_stats(record.params, record.nparams, at)};
        virDomainInfo info{};
        if (!told.sample.process.at.known() && virDomainGetInfo(record.dom, &info) == 0) {
            told.sample.process.at = clock_.now();
            told.sample.process.cpu_time_ns = info.cpuTime;
            if (!told.sample.memory.at.known()) {
                told.sample.memory.at = at;
                told.sample.memory.actual = std::uint64_t{info.memory} * 1024;
            }
        }
        mailbox_->put(std::move(told));
    }
    virDomainStatsRecordListFree(records);
    return {};
}

void LibvirtWatch::ask_all_again_and_again() {
    auto next = std::chrono::steady_clock::now();
    std::unique_lock lock(mutex_);
    while (!over_) {
        lock.unlock();
        if (const auto connection = keeper_.connection())
            (void)ask_all(connection->get()); // the keeper notices when it is lost
        next = std::max(next + settings_.fast_period, std::chrono::steady_clock::now());
        lock.lock();
        changed_.wait_until(lock, next, [this] { return over_; });
    }
}

} // namespace baton::sampling
