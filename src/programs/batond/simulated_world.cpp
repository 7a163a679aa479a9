/// Hosts and desk server for `batond --simulate`: no VM, no privilege, the same promises.
#include "programs/batond/world.h"

#include <boost/json.hpp>
#include <fmt/format.h>
#include <sodium.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <set>
#include <sstream>

namespace json = boost::json;

namespace baton::controller {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds call_time{5};
constexpr milliseconds mount_time{40};
constexpr milliseconds stop_time{30};

tl::unexpected<Error> no_such_desk(const DeskName& name) {
    return fail(Errc::not_found, fmt::format("the desk server has no desk '{}'", name.value));
}

struct SimulatedDesk {
    DeskId id;
    std::int64_t size_bytes = 0;
    std::uint64_t fence = 0; ///< of the export that is open; 0 = none
    std::uint64_t largest = 0;
    std::string holder;
    std::vector<api::DeskSnapshot> snapshots; ///< for the process's life only
};

/// What exists. Kept in a file that is replaced at every change.
class Things {
  public:
    explicit Things(std::string path) : path_(std::move(path)) {}

    Result<void> load();
    void save() const;

    std::map<HostId, std::map<DesktopId, DesktopInfo>> desktops;
    std::map<DeskName, SimulatedDesk> desks;
    std::uint16_t next_screen = 5900;

  private:
    std::string path_;
};

Result<void> Things::load() {
    std::ifstream stream(path_);
    if (!stream)
        return {};
    std::ostringstream text;
    text << stream.rdbuf();
    try {
        const json::value root = json::parse(text.str());
        next_screen = root.at("next_screen").to_number<std::uint16_t>();
        for (const json::value& one : root.at("desktops").as_array()) {
            DesktopInfo info;
            info.id = DesktopId(std::string(one.at("id").as_string()));
            info.session = SessionId(std::string(one.at("session").as_string()));
            info.image = OsImageId(std::string(one.at("image").as_string()));
            info.memory = Mebibytes(one.at("memory_mib").as_int64());
            info.running = true;
            info.guest_ready = one.at("ready").as_bool();
            info.desk_fence.value = one.at("fence").to_number<std::uint64_t>();
            info.desk_attached = info.desk_fence.value != 0;
            info.screen = Endpoint{"127.0.0.1", one.at("port").to_number<std::uint16_t>()};
            desktops[HostId(std::string(one.at("host").as_string()))][info.id] = info;
        }
        for (const json::value& one : root.at("desks").as_array()) {
            SimulatedDesk desk;
            desk.id = DeskId(std::string(one.at("id").as_string()));
            desk.size_bytes = one.at("size_bytes").as_int64();
            desk.fence = one.at("fence").to_number<std::uint64_t>();
            desk.largest = one.at("largest").to_number<std::uint64_t>();
            desk.holder = std::string(one.at("holder").as_string());
            desks[DeskName(std::string(one.at("name").as_string()))] = desk;
        }
    } catch (const std::exception& error) {
        return fail(Errc::corrupt,
                    fmt::format("{} is not what batond wrote: {}", path_, error.what()),
                    "remove it to begin with an empty simulation");
    }
    return {};
}

void Things::save() const {
    json::array running;
    for (const auto& [host, all] : desktops)
        for (const auto& [id, info] : all)
            running.push_back(json::object{{"host", host.value},
                                           {"id", id.value},
                                           {"session", info.session.value},
                                           {"image", info.image.value},
                                           {"memory_mib", info.memory.count},
                                           {"ready", info.guest_ready},
                                           {"fence", info.desk_fence.value},
                                           {"port", info.screen.port}});
    json::array kept;
    for (const auto& [name, desk] : desks)
        kept.push_back(json::object{{"name", name.value},
                                    {"id", desk.id.value},
                                    {"size_bytes", desk.size_bytes},
                                    {"fence", desk.fence},
                                    {"largest", desk.largest},
                                    {"holder", desk.holder}});
    const std::string fresh = path_ + ".new";
    {
        std::ofstream stream(fresh, std::ios::trunc);
        stream << json::serialize(
            json::object{{"next_screen", next_screen}, {"desktops", running}, {"desks", kept}});
    }
    std::error_code ignored; // a simulation: what cannot be kept is only lost at the next start
    std::filesystem::rename(fresh, path_, ignored);
}

std::string random_uuid() {
    std::array<unsigned char, 16> bytes{};
    randombytes_buf(bytes.data(), bytes.size());
    std::string text;
    for (std::size_t i = 0; i < bytes.size(); ++i)
        text += fmt::format("{}{:02x}", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", bytes[i]);
    return text;
}

class SimulatedImages : public api::Images {
  public:
    Result<std::vector<osimage::Manifest>> list() override {
        osimage::Manifest tiny;
        tiny.id = OsImageId("tiny-1");
        tiny.name = "tiny";
        tiny.version = "1";
        tiny.description = "simulated: a text desktop";
        tiny.created = "2026-01-01T00:00:00Z";
        return std::vector{tiny};
    }

    Result<OsImageId> resolve(const std::string& wanted) override {
        if (wanted == "tiny" || wanted == "tiny-1")
            return OsImageId("tiny-1");
        return fail(Errc::not_found, fmt::format("there is no OS image '{}'", wanted),
                    "the simulation has one: tiny-1");
    }

    Result<std::string> file(const OsImageId&, const std::string&) override {
        return fail(Errc::unsupported, "a simulated OS image has no files");
    }
};

/// All of it. The engine's calls run on the loop; the API's on pool threads: hence the mutex.
class SimulatedWorld : public World,
                       handoff::Fleet,
                       handoff::DeskServer,
                       handoff::Path,
                       api::DeskAdmin {
  public:
    SimulatedWorld(const Config& config, Loop& loop)
        : config_(config), loop_(loop), things_(config.state_dir + "/simulated.json") {}

    Result<void> load() { return things_.load(); }

    handoff::Fleet& fleet() override { return *this; }

    handoff::DeskServer& desk_server() override { return *this; }

    handoff::Path& path() override { return *this; }

    api::DeskAdmin& desk_admin() override { return *this; }

    api::Images& images() override { return images_; }

    Result<void> begin(handoff::Engine& engine, store::Store& store) override;

    void stop() override {}

  private:
    // Fleet
    void start(const HostId& host, const handoff::StartOrder& order,
               handoff::Done<handoff::Started> done) override;
    void attach(const HostId& host, const DesktopId& desktop, const DeskExport& desk,
                milliseconds deadline, handoff::Done<handoff::MountReport> done) override;
    void release(const HostId& host, const DesktopId& desktop, milliseconds grace,
                 milliseconds deadline, handoff::Done<void> done) override;
    void stop(const HostId& host, const DesktopId& desktop, handoff::Done<void> done) override;
    void set_screen_password(const HostId&, const DesktopId&, const std::string&, WallTime,
                             handoff::Done<void> done) override;
    void notify(const HostId&, const DesktopId&, const std::string&, std::chrono::seconds, bool,
                handoff::Done<void> done) override;
    void list(const HostId& host, handoff::Done<std::vector<DesktopInfo>> done) override;
    // DeskServer
    void lease(const DeskName& name, FencingNumber fence, const HostId& holder,
               handoff::Done<DeskExport> done) override;
    void close(const DeskName& name, FencingNumber fence, handoff::Done<void> done) override;
    // Path
    void point(const handoff::PathOrder& order, handoff::Done<void> done) override;
    void remove(const SessionId&, handoff::Done<void> done) override;
    // DeskAdmin
    Result<api::DeskFacts> create(const DeskName& name, const UserName& owner,
                                  std::int64_t size) override;
    Result<api::DeskCheck> check(const DeskName& name, bool repair) override;
    Result<void> remove(const DeskName& name) override;
    Result<api::DeskSnapshot> take_snapshot(const DeskName& name,
                                            const std::string& snapshot) override;
    Result<std::vector<api::DeskSnapshot>> snapshots(const DeskName& name) override;
    Result<void> remove_snapshot(const DeskName& name, const std::string& snapshot) override;
    Result<void> restore(const DeskName& name, const std::string& snapshot) override;
    Result<api::DeskWhereabouts> whereabouts(const DeskName& name) override;
    Result<api::DeskWhereabouts> check_out(const DeskName&, const std::string&, std::uint64_t,
                                           const std::string&) override;
    Result<std::optional<api::DeskWhereabouts>> check_in_piece(const DeskName&,
                                                               const api::DeskPiece&) override;
    Result<api::DeskWhereabouts> call_off(const DeskName&) override;
    void export_image(const DeskName& name, net::Respond respond) override;
    Result<std::optional<api::DeskFacts>> import_piece(const DeskName& name, const UserName& owner,
                                                       const api::DeskPiece& piece) override;

    DesktopInfo* find(const HostId& host, const DesktopId& desktop);

    /// Does `work` on the loop after `time`, one thing after the other for one desktop or desk:
    /// what was asked for first is done first.
    void later(const std::string& key, milliseconds time, std::function<void()> work);

    Config config_;
    Loop& loop_;
    std::mutex mutex_;
    Things things_;
    SimulatedImages images_;
    std::map<std::string, std::chrono::nanoseconds> busy_until_;
};

void SimulatedWorld::later(const std::string& key, milliseconds time, std::function<void()> work) {
    const auto now = loop_.monotonic();
    std::erase_if(busy_until_, [&](const auto& entry) { return entry.second < now; });
    auto& until = busy_until_[key];
    until = std::max(until + std::chrono::nanoseconds(1), now + time);
    loop_.after(until - now, std::move(work));
}

DesktopInfo* SimulatedWorld::find(const HostId& host, const DesktopId& desktop) {
    auto& all = things_.desktops[host];
    const auto found = all.find(desktop);
    return found == all.end() ? nullptr : &found->second;
}

Result<void> SimulatedWorld::begin(handoff::Engine& engine, store::Store& store) {
    auto known = store.hosts();
    if (!known)
        return tl::unexpected(known.error());
    std::set<HostId> there;
    for (const store::HostRow& row : *known)
        there.insert(row.id);
    for (unsigned i = 1; i <= config_.simulated_hosts; ++i) {
        store::HostRow row;
        row.id = HostId(fmt::format("host{}", i));
        row.address = "127.0.0.1";
        row.memory = config_.simulated_memory;
        row.joined = true;
        if (!there.contains(row.id))
            BATON_TRY(engine.add_host(row)); // the whole of it is lent: there is no system beside
        HostFacts facts;
        facts.id = row.id;
        facts.address = row.address;
        facts.memory = row.memory;
        facts.acceleration.reason = "simulated";
        facts.agent_version = "simulated";
        engine.on_host_up(facts);
    }
    return {};
}

void SimulatedWorld::start(const HostId& host, const handoff::StartOrder& order,
                           handoff::Done<handoff::Started> done) {
    {
        const std::lock_guard lock(mutex_);
        if (!find(host, order.desktop)) {
            DesktopInfo info;
            info.id = order.desktop;
            info.session = order.session;
            info.image = order.image;
            info.memory = order.memory;
            info.running = true;
            info.screen = Endpoint{"127.0.0.1", things_.next_screen++};
            if (things_.next_screen > 15900)
                things_.next_screen = 5900;
            things_.desktops[host][order.desktop] = info;
            things_.save();
        }
    }
    later(order.desktop.value, config_.simulated_boot, [this, host, id = order.desktop, done] {
        Result<handoff::Started> result =
            fail(Errc::cancelled, fmt::format("the desktop {} was stopped", id.value));
        {
            const std::lock_guard lock(mutex_);
            if (DesktopInfo* info = find(host, id)) {
                info->guest_ready = true;
                things_.save();
                result = handoff::Started{info->screen, info->memory};
            }
        }
        done(std::move(result));
    });
}

void SimulatedWorld::attach(const HostId& host, const DesktopId& desktop, const DeskExport& desk,
                            milliseconds /*deadline*/, handoff::Done<handoff::MountReport> done) {
    later(desktop.value, mount_time, [this, host, desktop, desk, done] {
        Result<handoff::MountReport> result =
            fail(Errc::not_found, fmt::format("the desktop {} is not there", desktop.value));
        {
            const std::lock_guard lock(mutex_);
            const auto at = things_.desks.find(desk.desk);
            if (at == things_.desks.end() || at->second.fence != desk.fence.value) {
                result =
                    fail(Errc::conflict, fmt::format("the export {} is closed", desk.export_name));
            } else if (DesktopInfo* info = find(host, desktop)) {
                info->desk_attached = true;
                info->desk_fence = desk.fence;
                things_.save();
                result = handoff::MountReport{desk.size_bytes / 2};
            }
        }
        done(std::move(result));
    });
}

void SimulatedWorld::release(const HostId& host, const DesktopId& desktop, milliseconds /*grace*/,
                             milliseconds /*deadline*/, handoff::Done<void> done) {
    later(desktop.value, mount_time, [this, host, desktop, done] {
        {
            const std::lock_guard lock(mutex_);
            if (DesktopInfo* info = find(host, desktop)) {
                info->desk_attached = false;
                info->desk_fence = FencingNumber{};
                things_.save();
            }
        }
        done({});
    });
}

void SimulatedWorld::stop(const HostId& host, const DesktopId& desktop, handoff::Done<void> done) {
    later(desktop.value, stop_time, [this, host, desktop, done] {
        {
            const std::lock_guard lock(mutex_);
            things_.desktops[host].erase(desktop);
            things_.save();
        }
        done({});
    });
}

void SimulatedWorld::set_screen_password(const HostId&, const DesktopId& desktop,
                                         const std::string&, WallTime, handoff::Done<void> done) {
    later(desktop.value, call_time, [done] { done({}); });
}

void SimulatedWorld::notify(const HostId&, const DesktopId& desktop, const std::string&,
                            std::chrono::seconds, bool, handoff::Done<void> done) {
    later(desktop.value, call_time, [done] { done({}); });
}

void SimulatedWorld::list(const HostId& host, handoff::Done<std::vector<DesktopInfo>> done) {
    later("host " + host.value, call_time, [this, host, done] {
        std::vector<DesktopInfo> all;
        {
            const std::lock_guard lock(mutex_);
            for (const auto& [id, info] : things_.desktops[host])
                all.push_back(info);
        }
        done(std::move(all));
    });
}

void SimulatedWorld::lease(const DeskName& name, FencingNumber fence, const HostId& holder,
                           handoff::Done<DeskExport> done) {
    later("desk " + name.value, call_time, [this, name, fence, holder, done] {
        Result<DeskExport> result = no_such_desk(name);
        {
            const std::lock_guard lock(mutex_);
            const auto at = things_.desks.find(name);
            if (at != things_.desks.end() && fence.value < at->second.largest) {
                result = fail(Errc::conflict, fmt::format("a larger number than {} is out for {}",
                                                          fence.value, name.value));
            } else if (at != things_.desks.end()) {
                at->second.fence = at->second.largest = fence.value;
                at->second.holder = holder.value;
                things_.save();
                result = DeskExport{name,
                                    at->second.id,
                                    fence,
                                    Endpoint{"127.0.0.1", 10809},
                                    fmt::format("desk.{}.{}", at->second.id.value, fence.value),
                                    at->second.size_bytes,
                                    false};
            }
        }
        done(std::move(result));
    });
}

void SimulatedWorld::close(const DeskName& name, FencingNumber fence, handoff::Done<void> done) {
    later("desk " + name.value, call_time, [this, name, fence, done] {
        {
            const std::lock_guard lock(mutex_);
            const auto at = things_.desks.find(name);
            if (at != things_.desks.end() && at->second.fence <= fence.value) {
                at->second.fence = 0;
                at->second.largest = std::max(at->second.largest, fence.value);
                things_.save();
            }
        }
        done({});
    });
}

void SimulatedWorld::point(const handoff::PathOrder& order, handoff::Done<void> done) {
    later("route " + order.session.value, call_time, [done] { done({}); });
}

void SimulatedWorld::remove(const SessionId& session, handoff::Done<void> done) {
    later("route " + session.value, call_time, [done] { done({}); });
}

Result<api::DeskFacts> SimulatedWorld::create(const DeskName& name, const UserName&,
                                              std::int64_t size) {
    const std::lock_guard lock(mutex_);
    if (things_.desks.contains(name))
        return fail(Errc::already_exists,
                    fmt::format("the desk server has a desk '{}' already", name.value));
    SimulatedDesk desk;
    desk.id = DeskId(random_uuid());
    desk.size_bytes = size == 0 ? config_.desk_size_bytes : size;
    things_.desks[name] = desk;
    things_.save();
    return api::DeskFacts{desk.id, desk.size_bytes, FencingNumber{}};
}

Result<api::DeskCheck> SimulatedWorld::check(const DeskName& name, bool) {
    const std::lock_guard lock(mutex_);
    if (!things_.desks.contains(name))
        return no_such_desk(name);
    return api::DeskCheck{true, "simulated: nothing to check"};
}

Result<void> SimulatedWorld::remove(const DeskName& name) {
    const std::lock_guard lock(mutex_);
    if (things_.desks.erase(name) == 0)
        return no_such_desk(name);
    things_.save();
    return {};
}

// a simulated desk has no content: a snapshot of it is its name
Result<api::DeskSnapshot> SimulatedWorld::take_snapshot(const DeskName& name,
                                                        const std::string& snapshot) {
    const std::lock_guard lock(mutex_);
    auto desk = things_.desks.find(name);
    if (desk == things_.desks.end())
        return no_such_desk(name);
    auto& kept = desk->second.snapshots;
    if (std::any_of(kept.begin(), kept.end(),
                    [&](const auto& one) { return one.name == snapshot; }))
        return fail(Errc::already_exists, fmt::format("there is a snapshot '{}'", snapshot));
    api::DeskSnapshot made;
    made.name = snapshot;
    made.made = loop_.wall();
    made.shared = true;
    kept.push_back(made);
    return made;
}

Result<std::vector<api::DeskSnapshot>> SimulatedWorld::snapshots(const DeskName& name) {
    const std::lock_guard lock(mutex_);
    auto desk = things_.desks.find(name);
    if (desk == things_.desks.end())
        return no_such_desk(name);
    return desk->second.snapshots;
}

Result<void> SimulatedWorld::remove_snapshot(const DeskName& name, const std::string& snapshot) {
    BATON_TRY(restore(name, snapshot));
    const std::lock_guard lock(mutex_);
    std::erase_if(things_.desks[name].snapshots,
                  [&](const auto& one) { return one.name == snapshot; });
    return {};
}

Result<void> SimulatedWorld::restore(const DeskName& name, const std::string& snapshot) {
    auto kept = snapshots(name);
    if (!kept)
        return tl::unexpected(kept.error());
    if (std::none_of(kept->begin(), kept->end(),
                     [&](const auto& one) { return one.name == snapshot; }))
        return fail(Errc::not_found,
                    fmt::format("the desk {} has no snapshot '{}'", name.value, snapshot));
    return {};
}

tl::unexpected<Error> no_journeys() {
    return fail(Errc::unsupported, "a simulated desk has no image that could be taken away");
}

Result<api::DeskWhereabouts> SimulatedWorld::whereabouts(const DeskName& name) {
    const std::lock_guard lock(mutex_);
    if (!things_.desks.contains(name))
        return no_such_desk(name);
    return api::DeskWhereabouts{};
}

Result<api::DeskWhereabouts> SimulatedWorld::check_out(const DeskName&, const std::string&,
                                                       std::uint64_t, const std::string&) {
    return no_journeys();
}

Result<std::optional<api::DeskWhereabouts>> SimulatedWorld::check_in_piece(const DeskName&,
                                                                           const api::DeskPiece&) {
    return no_journeys();
}

Result<api::DeskWhereabouts> SimulatedWorld::call_off(const DeskName&) {
    return no_journeys();
}

void SimulatedWorld::export_image(const DeskName&, net::Respond respond) {
    respond(net::error_response(
        Error{Errc::unsupported, "a simulated desk has no image to export", "", 0}));
}

Result<std::optional<api::DeskFacts>> SimulatedWorld::import_piece(const DeskName&, const UserName&,
                                                                   const api::DeskPiece&) {
    return fail(Errc::unsupported, "a simulated desk server cannot import an image");
}

} // namespace

Result<std::unique_ptr<World>> make_simulated_world(const Config& config, Loop& loop) {
    auto world = std::make_unique<SimulatedWorld>(config, loop);
    BATON_TRY(world->load());
    return world;
}

} // namespace baton::controller
