#include "sampling/collector.h"

#include "sampling/host_reader.h"
#include "sampling/libvirt_watch.h"
#include "sampling/news.h"
#include "sampling/process_reader.h"

#include <algorithm>
#include <map>
#include <optional>

namespace baton::sampling {

using namespace monitor;

namespace {

struct TapPlace {
    Tap tap;
    unsigned index = 0; ///< of the interface; 0: not seen yet
};

struct Followed {
    DesktopIdentity who;
    std::optional<ProcessReader> process;
    bool bulk = false; ///< all of it is told by the hypervisor
    std::vector<TapPlace> taps;
    DesktopSample before, now;
    bool fresh = false; ///< bulk: told since the last reading
};

/// What the host's end of a tap received, the guest sent. What the paper names for one direction
/// alone stays where it is.
void mirror(NetCounters& tap) {
    std::swap(tap.r_byte, tap.t_byte);
    std::swap(tap.r_pack, tap.t_pack);
    std::swap(tap.r_err, tap.t_err);
    std::swap(tap.r_drop, tap.t_drop);
    std::swap(tap.r_fifo, tap.t_fifo);
    std::swap(tap.r_cmp, tap.t_cmp);
}

} // namespace

struct Collector::State {
    State(CollectorSettings wanted, const Clock& given)
        : settings(std::move(wanted)),
          clock(given),
          host({settings.root, settings.complain}, given) {}

    void hear(Found& news);
    void hear(Told& news);

    void hear(const Gone& news) { desktops.erase(news.uuid); }

    void hear(const ConnectionNews& news);

    /// false: it has ended.
    bool read(Followed& desktop);
    void read_taps(Followed& desktop) const;
    const NetCounters* find(TapPlace& place) const;
    void forget_old(Followed& desktop) const;

    CollectorSettings settings;
    const Clock& clock;
    std::shared_ptr<Mailbox> mailbox = std::make_shared<Mailbox>();
    HostReader host;
    ReadBuffer buffer;
    HostSample before, now;
    std::map<std::string, Followed> desktops; ///< by UUID
    Reading reading;
    bool heard = false;
    bool few_files = false; ///< it was complained about
    std::unique_ptr<LibvirtWatch> watch;
};

void Collector::State::hear(Found& news) {
    Followed& desktop = desktops[news.facts.who.uuid];
    desktop.who = std::move(news.facts.who);
    std::vector<TapPlace> taps;
    taps.reserve(news.facts.taps.size());
    for (const Tap& tap : news.facts.taps)
        taps.push_back({tap, 0});
    desktop.taps = std::move(taps);
    if (!news.pid)
        return;
    if (desktop.process) {
        desktop.process->look_for_threads();
        return;
    }
    auto process = ProcessReader::open(settings.root, *news.pid, desktop.who.uuid);
    if (process)
        desktop.process = std::move(*process);
    else if (process.error().code == Errc::full && !std::exchange(few_files, true))
        settings.complain(process.error().in("following " + desktop.who.name));
}

void Collector::State::hear(Told& news) {
    const auto found = desktops.find(news.uuid);
    if (found == desktops.end())
        return;
    Followed& desktop = found->second;
    news.sample.memory = plausible(news.sample.memory, desktop.who.given);
    if (news.sample.memory.at.known()) {
        desktop.before.memory = std::exchange(desktop.now.memory, news.sample.memory);
        if (desktop.process)
            desktop.process->look_for_threads();
    }
    if (news.sample.disks_at.known()) {
        desktop.before.disks = std::exchange(desktop.now.disks, std::move(news.sample.disks));
        desktop.before.disks_at = std::exchange(desktop.now.disks_at, news.sample.disks_at);
    }
    if (desktop.process || !news.sample.process.at.known())
        return;
    desktop.bulk = true;
    desktop.before.process = std::exchange(desktop.now.process, news.sample.process);
    if (news.sample.interfaces_at.known()) {
        desktop.before.interfaces =
            std::exchange(desktop.now.interfaces, std::move(news.sample.interfaces));
        desktop.before.interfaces_at =
            std::exchange(desktop.now.interfaces_at, news.sample.interfaces_at);
    }
}

void Collector::State::hear(const ConnectionNews& news) {
    heard = true;
    settings.connection(news.connected, news.why);
}

const NetCounters* Collector::State::find(TapPlace& place) const {
    if (place.index != 0) {
        const auto found =
            std::ranges::lower_bound(now.interfaces, place.index, {}, &NetCounters::index);
        if (found != now.interfaces.end() && found->index == place.index)
            return &*found;
    }
    const auto named = std::ranges::find(now.interfaces, place.tap.device, &NetCounters::net_name);
    if (named == now.interfaces.end())
        return nullptr;
    place.index = named->index;
    return &*named;
}

void Collector::State::read_taps(Followed& desktop) const {
    std::swap(desktop.before.interfaces, desktop.now.interfaces);
    desktop.before.interfaces_at = desktop.now.interfaces_at;
    desktop.now.interfaces.clear();
    desktop.now.interfaces_at = now.interfaces_at;
    for (TapPlace& place : desktop.taps) {
        const NetCounters* counters = find(place);
        if (counters == nullptr)
            continue;
        desktop.now.interfaces.push_back(*counters);
        if (place.tap.mirrored)
            mirror(desktop.now.interfaces.back());
    }
}

void Collector::State::forget_old(Followed& desktop) const {
    const auto older_than = [&](Moment at, std::chrono::nanoseconds age) {
        return at.known() && now.at.nanoseconds - at.nanoseconds > age.count();
    };
    // half a period late is late, two and a half are a gap
    const auto slow = settings.slow_period * 5 / 2;
    if (older_than(desktop.now.memory.at, slow))
        desktop.now.memory = {};
    if (older_than(desktop.now.disks_at, slow * settings.disks_every)) {
        desktop.now.disks.clear();
        desktop.now.disks_at = {};
    }
    if (desktop.bulk && older_than(desktop.now.process.at, settings.fast_period * 5)) {
        desktop.now.process = {};
        desktop.now.interfaces.clear();
        desktop.now.interfaces_at = {};
    }
}

bool Collector::State::read(Followed& desktop) {
    desktop.before.at = desktop.now.at;
    desktop.now.at = now.at;
    desktop.now.wall = now.wall;
    forget_old(desktop);
    if (!desktop.process)
        return true;
    desktop.before.process = desktop.now.process;
    desktop.before.pressure = desktop.now.pressure;
    const auto done =
        desktop.process->read(buffer, clock, desktop.now.process, desktop.now.pressure);
    if (!done && done.error().code == Errc::not_found)
        return false;
    read_taps(desktop);
    return true;
}

Collector::Collector(CollectorSettings settings, const Clock& clock)
    : state_(std::make_unique<State>(std::move(settings), clock)) {
    raise_descriptor_limit();
    const CollectorSettings& wanted = state_->settings;
    state_->reading.host = wanted.host;
    state_->reading.address = wanted.address;
    if (wanted.libvirt_uri.empty())
        return;
    LibvirtWatchSettings watch;
    watch.uri = wanted.libvirt_uri;
    watch.root = wanted.root;
    watch.fast_period = wanted.fast_period;
    watch.slow.period = wanted.slow_period;
    watch.slow.disks_every = wanted.disks_every;
    watch.slow.deadline = wanted.slow_deadline;
    state_->watch = std::make_unique<LibvirtWatch>(watch, state_->mailbox, clock);
}

Collector::~Collector() {
    if (state_->watch)
        LibvirtWatch::end(std::move(state_->watch), std::chrono::seconds(2));
}

const Reading& Collector::collect() {
    State& state = *state_;
    for (News& news : state.mailbox->take())
        std::visit([&](auto& one) { state.hear(one); }, news);
    std::swap(state.before, state.now);
    state.host.read(state.now);
    Reading& reading = state.reading;
    reading.at = state.now.at;
    reading.wall = state.now.wall;
    reading.rates = host_rates(state.before, state.now);
    reading.desktops.clear();
    reading.desktops.reserve(state.desktops.size());
    for (auto entry = state.desktops.begin(); entry != state.desktops.end();) {
        Followed& desktop = entry->second;
        if (!state.read(desktop)) {
            entry = state.desktops.erase(entry); // it died between two readings
            continue;
        }
        reading.desktops.push_back({desktop.who, state.now.wall,
                                    desktop_rates(desktop.before, desktop.now,
                                                  reading.rates.processors, desktop.who.vcpus)});
        ++entry;
    }
    if (state.watch)
        (void)state.watch->stuck(); // sees to it that there is a thread that is not
    return reading;
}

const HostSample& Collector::host() const {
    return state_->now;
}

std::vector<Collector::Desktop> Collector::desktops() const {
    std::vector<Desktop> all;
    all.reserve(state_->desktops.size());
    for (const auto& [uuid, desktop] : state_->desktops)
        all.push_back({desktop.who, desktop.now});
    return all;
}

bool Collector::heard_of_hypervisor() const {
    return state_->heard || !state_->watch;
}

Mailbox& Collector::mailbox() {
    return *state_->mailbox;
}

} // namespace baton::sampling
